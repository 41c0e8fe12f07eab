"""One attempt at a delivery: what it needs, and what came of it, each in one trip."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from app.core.event import Event
from app.core.webhook import Attempt, Delivery, DeliveryState, Webhook
from app.storage import codec

_ATTEMPT = ", ".join(Attempt.__dataclass_fields__)

# Not the whole webhook as JSON: its secret is bytes, and stays bytes.
_FIND = text("""
SELECT delivery.*, event.created_at AS told_at, event.sequence, event.data,
    to_jsonb(webhook) - 'secret' AS webhook, webhook.secret,
    webhook.deleted_at IS NULL AND webhook.enabled AS is_listening
FROM deliveries AS delivery JOIN events AS event ON event.id = delivery.event_id
JOIN webhooks AS webhook ON webhook.id = delivery.webhook_id
WHERE delivery.id = :delivery_id
""")

# The names come from our own dataclass.
_RECORD = text(f"""
WITH delivery AS (
    UPDATE deliveries AS old SET attempts = new.attempts, state = new.state,
        next_attempt_at = new.next_attempt_at, finished_at = new.finished_at
    FROM jsonb_populate_record(NULL::deliveries, CAST(:delivery AS jsonb)) AS new
    WHERE old.id = new.id AND old.state = 'pending'
        AND old.attempts = new.attempts - 1
    RETURNING old.id, old.project, old.created_by
)
INSERT INTO attempts (delivery_id, project, created_by, {_ATTEMPT})
SELECT id, delivery.project, delivery.created_by, {_ATTEMPT}
FROM jsonb_populate_record(NULL::attempts, CAST(:attempt AS jsonb)) AS new, delivery
RETURNING number
""")  # noqa: S608


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What an attempt made of its delivery."""

    state: DeliveryState
    next_attempt_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A delivery with all that an attempt at it needs; `made` were made before.

    `delivery` comes without those. `secret` is the webhook's, encrypted;
    `is_listening` says that the webhook is neither gone nor switched off.
    """

    delivery: Delivery
    made: int
    event: Event
    webhook: Webhook
    secret: bytes
    is_listening: bool


async def find(connection: AsyncConnection, delivery_id: str) -> Due:
    """Return what an attempt at the delivery needs, or raise NotFoundError."""
    row = (await connection.execute(_FIND, {"delivery_id": delivery_id})).first()
    if row is None:
        raise NotFoundError("There is no such delivery.")
    return Due(
        delivery=Delivery(
            id=row.id,
            project=row.project,
            webhook_id=row.webhook_id,
            event_id=row.event_id,
            event_type=row.event_type,
            state=DeliveryState(row.state),
            next_attempt_at=row.next_attempt_at,
            created_at=row.created_at,
            finished_at=row.finished_at,
        ),
        made=row.attempts,
        event=Event(
            id=row.event_id,
            type=row.event_type,
            timestamp=row.told_at,
            sequence=row.sequence,
            data=row.data,
        ),
        webhook=codec.from_json(row.webhook, Webhook),
        secret=bytes(row.secret),
        is_listening=row.is_listening,
    )


async def record(
    tx: AsyncConnection, delivery_id: str, attempt: Attempt, outcome: Outcome
) -> bool:
    """Write an attempt and what it made of the delivery.

    False if another worker wrote this attempt number first, or the delivery ended
    meanwhile; then nothing is written.
    """
    changed: dict[str, Any] = {
        "id": delivery_id,
        "attempts": attempt.number,
        "state": outcome.state,
        "next_attempt_at": outcome.next_attempt_at,
        "finished_at": outcome.finished_at,
    }
    parameters = {
        "delivery": to_json(changed).decode(),
        "attempt": to_json(attempt).decode(),
    }
    return (await tx.execute(_RECORD, parameters)).first() is not None
