"""Deliveries and every attempt at them in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.webhook import Attempt, Delivery, DeliveryState
from app.storage.webhook_tables import ATTEMPTS, DELIVERIES


async def create(
    tx: AsyncConnection, deliveries: Sequence[Delivery], *, created_by: str
) -> None:
    """Insert pending deliveries; one per event and webhook can exist."""
    await tx.execute(
        insert(DELIVERIES),
        [
            {
                "id": delivery.id,
                "project": delivery.project,
                "created_by": created_by,
                "created_at": delivery.created_at,
                "webhook_id": delivery.webhook_id,
                "event_id": delivery.event_id,
                "event_type": delivery.event_type,
                "state": delivery.state,
                "next_attempt_at": delivery.next_attempt_at,
            }
            for delivery in deliveries
        ],
    )


async def list_of_webhook(
    connection: AsyncConnection,
    webhook_id: str,
    *,
    state: DeliveryState | None,
    before: str | None,
    limit: int,
) -> list[Delivery]:
    """Return a webhook's deliveries, newest first, those before `before`."""
    statement = (
        select(*DELIVERIES.c)
        .where(DELIVERIES.c.webhook_id == webhook_id)
        .order_by(DELIVERIES.c.id.desc())
        .limit(limit)
    )
    if state is not None:
        statement = statement.where(DELIVERIES.c.state == state)
    if before is not None:
        statement = statement.where(DELIVERIES.c.id < before)
    rows = (await connection.execute(statement)).all()
    attempts = await _attempts(connection, [row.id for row in rows])
    return [_delivery(row, attempts) for row in rows]


async def cancel(tx: AsyncConnection, delivery_id: str, *, at: datetime) -> None:
    """End a pending delivery whose webhook is gone or switched off."""
    await tx.execute(
        update(DELIVERIES)
        .where(
            DELIVERIES.c.id == delivery_id,
            DELIVERIES.c.state == DeliveryState.PENDING,
        )
        .values(state=DeliveryState.CANCELED, next_attempt_at=None, finished_at=at)
    )


async def due(connection: AsyncConnection, *, before: datetime) -> list[Delivery]:
    """Return pending deliveries whose next attempt should have begun by `before`."""
    statement = (
        select(*DELIVERIES.c)
        .where(
            DELIVERIES.c.state == DeliveryState.PENDING,
            DELIVERIES.c.next_attempt_at < before,
        )
        .order_by(DELIVERIES.c.next_attempt_at)
        .limit(1000)
    )
    return [_delivery(row, {}) for row in await connection.execute(statement)]


async def _attempts(
    connection: AsyncConnection, delivery_ids: Sequence[str]
) -> dict[str, list[Attempt]]:
    statement = (
        select(*ATTEMPTS.c)
        .where(ATTEMPTS.c.delivery_id.in_(delivery_ids))
        .order_by(ATTEMPTS.c.delivery_id, ATTEMPTS.c.number)
    )
    attempts: dict[str, list[Attempt]] = {}
    for row in await connection.execute(statement):
        attempt = Attempt(
            number=row.number,
            started_at=row.started_at,
            duration_seconds=row.duration_seconds,
            status=row.status,
            error=row.error,
            response_head=row.response_head,
        )
        attempts.setdefault(row.delivery_id, []).append(attempt)
    return attempts


def _delivery(row: Row[Any], attempts: dict[str, list[Attempt]]) -> Delivery:
    return Delivery(
        id=row.id,
        project=row.project,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        event_type=row.event_type,
        state=DeliveryState(row.state),
        attempts=tuple(attempts.get(row.id, ())),
        next_attempt_at=row.next_attempt_at,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
