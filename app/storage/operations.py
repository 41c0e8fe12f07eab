"""Operations in the database: accepted, admitted, fenced, finished."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from app.core.deployment import Operation
from app.core.errors import FencedError, NotFoundError
from app.core.failure import Failure
from app.core.lifecycle import (
    OPERATION_MOVES,
    OperationKind,
    OperationState,
    Phase,
)
from app.storage import codec
from app.storage.tables import OPERATIONS, WORKSPACES

_OPEN = OPERATIONS.c.state.in_([OperationState.QUEUED, OperationState.RUNNING])


class OperationValues(TypedDict, total=False):
    """The columns of an operation that may change, each optional."""

    state: OperationState
    phase: Phase | None
    error: Failure | None
    checkpoint: Mapping[str, str]
    cancel_requested_at: datetime
    started_at: datetime
    finished_at: datetime


async def create(tx: AsyncConnection, operation: Operation) -> None:
    """Insert `operation`; it waits until `admit_next` gives it a job."""
    values = {name: getattr(operation, name) for name in Operation.__dataclass_fields__}
    await tx.execute(insert(OPERATIONS).values(**codec.to_columns(values)))


async def get(
    connection: AsyncConnection, operation_id: str, *, project: str | None
) -> Operation:
    """Return one operation, or raise NotFoundError; `project` None sees all."""
    statement = select(*OPERATIONS.c).where(OPERATIONS.c.id == operation_id)
    if project is not None:
        statement = statement.where(OPERATIONS.c.project == project)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no such operation in this project.")
    return codec.operation(row)


async def open_of_deployment(
    connection: AsyncConnection, deployment_id: str
) -> list[Operation]:
    """Return the deployment's queued and running operations, first accepted first."""
    return await _open_of(connection, OPERATIONS.c.deployment_id == deployment_id)


async def open_of_cluster(
    connection: AsyncConnection, cluster_id: str
) -> list[Operation]:
    """Return the cluster's queued and running operations, first accepted first."""
    return await _open_of(connection, OPERATIONS.c.cluster_id == cluster_id)


async def take_up(
    tx: AsyncConnection, operation_id: str, *, at: datetime
) -> Operation | None:
    """Raise the epoch and return the operation as running; None if it has ended.

    Whoever held the epoch before is fenced from here on.
    """
    statement = (
        update(OPERATIONS)
        .where(OPERATIONS.c.id == operation_id, _OPEN)
        .values(
            epoch=OPERATIONS.c.epoch + 1,
            state=OperationState.RUNNING,
            started_at=func.coalesce(OPERATIONS.c.started_at, at),
        )
        .returning(*OPERATIONS.c)
    )
    row = (await tx.execute(statement)).first()
    return None if row is None else codec.operation(row)


async def change(
    tx: AsyncConnection,
    operation_id: str,
    values: OperationValues,
    *,
    epoch: int | None,
) -> Operation:
    """Write `values` and return the operation as it now stands.

    With an `epoch`, only the worker that holds it may write: anybody else gets
    FencedError and must stop. A terminal operation never changes again.
    """
    statement = (
        update(OPERATIONS)
        .where(OPERATIONS.c.id == operation_id, _OPEN)
        # Without values it still checks the fence, and an UPDATE must set something.
        .values(epoch=OPERATIONS.c.epoch, **codec.to_columns(dict(values)))
        .returning(*OPERATIONS.c)
    )
    if epoch is not None:
        statement = statement.where(OPERATIONS.c.epoch == epoch)
    if "state" in values:
        may_become = [
            old for old, moves in OPERATION_MOVES.items() if values["state"] in moves
        ]
        statement = statement.where(OPERATIONS.c.state.in_(may_become))
    row = (await tx.execute(statement)).first()
    if row is None:
        raise FencedError(f"Operation {operation_id} is not ours to change any more.")
    return codec.operation(row)


async def may_start(tx: AsyncConnection, operation: Operation) -> bool:
    """Say whether `operation` is first on its endpoint and its workspace has room.

    Locks the workspace's row when it has a limit, so that two transactions never
    both take the last slot.
    """
    before = aliased(OPERATIONS)
    ahead = (
        select(func.count())
        .select_from(before)
        .where(
            before.c.endpoint_key == operation.endpoint_key,
            before.c.admitted_at.is_not(None),
            before.c.state.in_([OperationState.QUEUED, OperationState.RUNNING]),
        )
    )
    if (await tx.execute(ahead)).scalar_one():
        return False
    return await has_free_slot(tx, operation.workspace_id)


async def has_free_slot(tx: AsyncConnection, workspace_id: str) -> bool:
    """Say whether the workspace may run one more operation now."""
    slots = WORKSPACES.c.limits["concurrent_operations"].as_integer()
    limited = (
        select(slots.label("slots"))
        .where(WORKSPACES.c.id == workspace_id, slots.is_not(None))
        # FOR NO KEY UPDATE: two transactions that both inserted rows which refer to
        # the workspace hold its key lock, and a stronger one would deadlock them.
        .with_for_update(key_share=True)
    )
    row = (await tx.execute(limited)).first()
    if row is None:
        return True
    running = select(func.count()).where(
        OPERATIONS.c.workspace_id == workspace_id,
        OPERATIONS.c.admitted_at.is_not(None),
        _OPEN,
    )
    return int((await tx.execute(running)).scalar_one()) < int(row.slots)


async def admit(tx: AsyncConnection, operation_id: str, *, at: datetime) -> bool:
    """Mark a waiting operation as admitted; False if it was already."""
    statement = (
        update(OPERATIONS)
        .where(
            OPERATIONS.c.id == operation_id, _OPEN, OPERATIONS.c.admitted_at.is_(None)
        )
        .values(admitted_at=at)
        .returning(OPERATIONS.c.id)
    )
    return (await tx.execute(statement)).first() is not None


async def waiting(
    tx: AsyncConnection, *, workspace_id: str, limit: int
) -> list[Operation]:
    """Return operations of the workspace that could be admitted, oldest first.

    Only the first of each endpoint counts, and only where none of it is admitted;
    a delete goes before whatever else waits.
    """
    other = aliased(OPERATIONS)
    is_open = other.c.state.in_([OperationState.QUEUED, OperationState.RUNNING])
    blocked = (
        select(other.c.id)
        .where(
            other.c.endpoint_key == OPERATIONS.c.endpoint_key,
            is_open,
            other.c.id != OPERATIONS.c.id,
            other.c.admitted_at.is_not(None) | _goes_before(other.c, OPERATIONS.c),
        )
        .exists()
    )
    statement = (
        select(*OPERATIONS.c)
        .where(
            OPERATIONS.c.workspace_id == workspace_id,
            OPERATIONS.c.state == OperationState.QUEUED,
            OPERATIONS.c.admitted_at.is_(None),
            ~blocked,
        )
        .order_by(OPERATIONS.c.position)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [codec.operation(row) for row in await tx.execute(statement)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Admitted:
    """An operation that should have a live job, as its job names it."""

    id: str
    endpoint_key: str


async def admitted_and_open(connection: AsyncConnection) -> list[Admitted]:
    """Return all operations that should have a live job."""
    statement = select(OPERATIONS.c.id, OPERATIONS.c.endpoint_key).where(
        OPERATIONS.c.admitted_at.is_not(None), _OPEN
    )
    return [
        Admitted(id=row.id, endpoint_key=row.endpoint_key)
        for row in await connection.execute(statement)
    ]


async def workspaces_with_waiting(connection: AsyncConnection) -> Sequence[str]:
    """Return the workspaces in which an operation waits for admission."""
    statement = (
        select(OPERATIONS.c.workspace_id)
        .where(
            OPERATIONS.c.state == OperationState.QUEUED,
            OPERATIONS.c.admitted_at.is_(None),
        )
        .distinct()
    )
    return (await connection.execute(statement)).scalars().all()


async def _open_of(
    connection: AsyncConnection, subject: ColumnElement[bool]
) -> list[Operation]:
    statement = (
        select(*OPERATIONS.c).where(subject, _OPEN).order_by(OPERATIONS.c.position)
    )
    return [codec.operation(row) for row in await connection.execute(statement)]


def _goes_before(first: Any, second: Any) -> Any:  # noqa: ANN401
    """Return the condition under which `first` is admitted before `second`."""
    removals = [kind for kind in OperationKind if kind.is_removal]
    first_deletes = first.kind.in_(removals)
    second_deletes = second.kind.in_(removals)
    return (first_deletes & ~second_deletes) | (
        (first_deletes == second_deletes) & (first.position < second.position)
    )
