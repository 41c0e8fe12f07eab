"""Revisions in the database: immutable specs, and where the target has them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from app.core.deployment import Revision
from app.core.errors import NotFoundError
from app.core.lifecycle import OperationState
from app.core.target import Handle, ResolvedModel
from app.storage import codec
from app.storage.tables import DEPLOYMENTS, OPERATIONS, REVISIONS


async def add(tx: AsyncConnection, revision: Revision) -> None:
    """Insert `revision`; its number must be new."""
    values = {name: getattr(revision, name) for name in Revision.__dataclass_fields__}
    await tx.execute(insert(REVISIONS).values(**codec.to_columns(values)))


async def get(connection: AsyncConnection, deployment_id: str, number: int) -> Revision:
    """Return one revision, or raise NotFoundError."""
    statement = select(*REVISIONS.c).where(
        REVISIONS.c.deployment_id == deployment_id, REVISIONS.c.number == number
    )
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFoundError(f"The deployment has no revision {number}.")
    return codec.revision(row)


async def list_of_deployment(
    connection: AsyncConnection, deployment_id: str, *, before: int | None, limit: int
) -> list[Revision]:
    """Return revisions below `before`, newest first."""
    statement = (
        select(*REVISIONS.c)
        .where(REVISIONS.c.deployment_id == deployment_id)
        .order_by(REVISIONS.c.number.desc())
        .limit(limit)
    )
    if before is not None:
        statement = statement.where(REVISIONS.c.number < before)
    return [codec.revision(row) for row in await connection.execute(statement)]


async def with_handle(
    connection: AsyncConnection, deployment_id: str
) -> list[Revision]:
    """Return every revision that may still have something at its target."""
    statement = (
        select(*REVISIONS.c)
        .where(
            REVISIONS.c.deployment_id == deployment_id,
            REVISIONS.c.handle.is_not(None),
        )
        .order_by(REVISIONS.c.number)
    )
    return [codec.revision(row) for row in await connection.execute(statement)]


async def left_over(
    connection: AsyncConnection, targets: Sequence[str]
) -> list[tuple[str, Revision]]:
    """Return revisions that still have a handle though nothing needs them.

    Each with its endpoint's key: the deployment has no open operation and serves
    from another slot, or not at all.
    """
    statement = (
        select(*REVISIONS.c, DEPLOYMENTS.c.endpoint_key)
        .join(DEPLOYMENTS, DEPLOYMENTS.c.id == REVISIONS.c.deployment_id)
        .where(DEPLOYMENTS.c.target.in_(targets), _is_left_over())
        .limit(100)
    )
    return [
        (row.endpoint_key, codec.revision(row))
        for row in await connection.execute(statement)
    ]


async def is_left_over(connection: AsyncConnection, revision: Revision) -> bool:
    """Say whether `left_over` would still return the revision."""
    statement = (
        select(REVISIONS.c.number)
        .join(DEPLOYMENTS, DEPLOYMENTS.c.id == REVISIONS.c.deployment_id)
        .where(
            REVISIONS.c.deployment_id == revision.deployment_id,
            REVISIONS.c.number == revision.number,
            _is_left_over(),
        )
    )
    return (await connection.execute(statement)).first() is not None


async def set_model(
    tx: AsyncConnection, deployment_id: str, number: int, model: ResolvedModel
) -> None:
    """Pin the revision to `model`."""
    await _update(tx, deployment_id, number, codec.to_columns({"model": model}))


async def set_handle(
    tx: AsyncConnection, deployment_id: str, number: int, handle: Handle | None
) -> None:
    """Record where the target has the revision; None once it is gone there."""
    await _update(tx, deployment_id, number, {"handle": handle})


async def set_log_tail(
    tx: AsyncConnection, deployment_id: str, number: int, lines: Sequence[str]
) -> None:
    """Keep the last log of a revision, readable after it is gone."""
    await _update(tx, deployment_id, number, {"log_tail": list(lines)})


async def log_tail(
    connection: AsyncConnection, deployment_id: str, number: int
) -> list[str] | None:
    """Return the log that was kept of a revision; None if none was."""
    statement = select(REVISIONS.c.log_tail).where(
        REVISIONS.c.deployment_id == deployment_id, REVISIONS.c.number == number
    )
    kept: list[str] | None = (await connection.execute(statement)).scalar_one_or_none()
    return kept


async def _update(
    tx: AsyncConnection, deployment_id: str, number: int, values: Mapping[str, Any]
) -> None:
    await tx.execute(
        update(REVISIONS)
        .where(REVISIONS.c.deployment_id == deployment_id, REVISIONS.c.number == number)
        .values(**values)
    )


def _is_left_over() -> ColumnElement[bool]:
    is_open = OPERATIONS.c.state.in_([OperationState.QUEUED, OperationState.RUNNING])
    has_open_operation = (
        select(OPERATIONS.c.id)
        .where(OPERATIONS.c.deployment_id == REVISIONS.c.deployment_id, is_open)
        .exists()
    )
    serving = aliased(REVISIONS)
    is_in_use = (
        select(serving.c.number)
        .where(
            serving.c.deployment_id == REVISIONS.c.deployment_id,
            serving.c.number == DEPLOYMENTS.c.serving_revision,
            or_(
                serving.c.slot == REVISIONS.c.slot,
                # Two names for one thing, which a target changes in place.
                serving.c.handle == REVISIONS.c.handle,
            ),
        )
        .exists()
    )
    # What a delete was told to keep stays at its target for ever.
    kept = (
        select(OPERATIONS.c.id)
        .where(
            OPERATIONS.c.id == DEPLOYMENTS.c.latest_operation_id,
            OPERATIONS.c.keep_at_target,
        )
        .exists()
    )
    return and_(REVISIONS.c.handle.is_not(None), ~has_open_operation, ~is_in_use, ~kept)
