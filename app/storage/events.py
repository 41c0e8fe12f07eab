"""The event log: written once, read by lists, streams and webhooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    String,
    cast,
    func,
    insert,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from app.core.event import Event
from app.storage.tables import EVENTS

# Built once: writing an event is part of every change.
_APPEND = insert(EVENTS)

# Those that `columns` fills, as SQL; the database gives the others.
COLUMNS = (
    "id, type, created_at, sequence, deployment_id, cluster_id, workspace, project, "
    "created_by, data"
)

_LONGEST_CURSOR = 40  # characters: two 64-bit numbers and the dot


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEvent:
    """An event to be written; its sequence was given by the subject's own row."""

    id: str
    type: str
    timestamp: datetime
    sequence: int
    deployment_id: str | None
    workspace: str | None
    project: str
    created_by: str
    data: Mapping[str, Any]
    cluster_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in the stream over all: commit order, then order of writing."""

    xid: int
    position: int

    @override
    def __str__(self) -> str:
        return f"{self.xid}.{self.position}"

    @classmethod
    def parse(cls, value: str) -> "Cursor | None":
        """Return the cursor that `str()` wrote; None for anything else."""
        xid, dot, position = value.partition(".")
        if not dot or not (xid.isascii() and position.isascii()):
            return None
        if not (xid.isdigit() and position.isdigit()) or len(value) > _LONGEST_CURSOR:
            return None
        cursor = cls(xid=int(xid), position=int(position))
        is_storable = cursor.xid < 2**64 and cursor.position < 2**63
        return cursor if is_storable else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """Which events of the stream over all a caller wants."""

    project: str
    workspace: str | None = None
    types: tuple[str, ...] = ()


async def append(tx: AsyncConnection, events: Sequence[NewEvent]) -> None:
    """Write `events`; the transaction id they carry is their commit order."""
    await tx.execute(_APPEND, [columns(event) for event in events])


def columns(event: NewEvent) -> dict[str, Any]:
    """Return what is written of `event`, by column."""
    return {
        "id": event.id,
        "type": event.type,
        "created_at": event.timestamp,
        "sequence": event.sequence,
        "deployment_id": event.deployment_id,
        "cluster_id": event.cluster_id,
        "workspace": event.workspace,
        "project": event.project,
        "created_by": event.created_by,
        "data": event.data,
    }


async def of_deployment(
    connection: AsyncConnection, deployment_id: str, *, after: int, limit: int
) -> list[Event]:
    """Return the deployment's events above sequence `after`, in order."""
    subject = EVENTS.c.deployment_id == deployment_id
    return await _of(connection, subject, after=after, limit=limit)


async def of_cluster(
    connection: AsyncConnection, cluster_id: str, *, after: int, limit: int
) -> list[Event]:
    """Return the cluster's events above sequence `after`, in order."""
    subject = EVENTS.c.cluster_id == cluster_id
    return await _of(connection, subject, after=after, limit=limit)


async def stream(
    connection: AsyncConnection, wanted: Filter, *, after: Cursor | None, limit: int
) -> list[tuple[Cursor, Event]]:
    """Return events after `after` in commit order.

    Only those below the oldest transaction still running are shown, so that no
    event with a smaller cursor can appear later.
    """
    xid_text = cast(EVENTS.c.xid, String)
    statement = (
        _columns()
        .add_columns(xid_text.label("xid_text"), EVENTS.c.position)
        .where(
            EVENTS.c.project == wanted.project,
            EVENTS.c.xid < func.pg_snapshot_xmin(func.pg_current_snapshot()),
        )
        .order_by(EVENTS.c.xid, EVENTS.c.position)
        .limit(limit)
    )
    if wanted.workspace is not None:
        statement = statement.where(EVENTS.c.workspace == wanted.workspace)
    if wanted.types:
        statement = statement.where(EVENTS.c.type.in_(wanted.types))
    if after is not None:
        place = text("(CAST(:xid AS xid8), CAST(:position AS bigint))").bindparams(
            xid=str(after.xid), position=after.position
        )
        statement = statement.where(tuple_(EVENTS.c.xid, EVENTS.c.position) > place)
    rows = await connection.execute(statement)
    return [
        (Cursor(xid=int(row.xid_text), position=row.position), _event(row))
        for row in rows
    ]


async def _of(
    connection: AsyncConnection,
    subject: ColumnElement[bool],
    *,
    after: int,
    limit: int,
) -> list[Event]:
    statement = (
        _columns()
        .where(subject, EVENTS.c.sequence > after)
        .order_by(EVENTS.c.sequence)
        .limit(limit)
    )
    return [_event(row) for row in await connection.execute(statement)]


def _columns() -> Select[Any]:
    return select(
        EVENTS.c.id,
        EVENTS.c.type,
        EVENTS.c.created_at,
        EVENTS.c.sequence,
        EVENTS.c.data,
    )


def _event(row: Row[Any]) -> Event:
    return Event(
        id=row.id,
        type=row.type,
        timestamp=row.created_at,
        sequence=row.sequence,
        data=row.data,
    )
