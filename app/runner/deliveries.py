"""One job, one attempt at one delivery; the next attempt is a scheduled job."""

import json
import secrets
from datetime import datetime, timedelta

import structlog

from app.core.event import Event, WebhookDisabled
from app.core.retry import Verdict, judge, next_attempt_at
from app.core.webhook import Attempt, Delivery, DeliveryState, Webhook
from app.runner.running import RunningJob
from app.services import tasks
from app.services.context import Context
from app.services.events import envelope
from app.services.followers import unseal
from app.services.webhooks import webhook_json
from app.storage import deliveries, events, jobs, webhooks
from app.storage.database import Transaction
from app.storage.deliveries import Outcome
from app.storage.events import NewEvent
from app.storage.webhooks import WebhookValues
from app.webhooks.sender import AttemptResult, Sender, SendRequest
from app.webhooks.signing import sign

_LOG = structlog.get_logger(__name__)
_JITTER_STEPS = 1000


class DeliveryRunner:
    """Sends deliveries: at least once, each attempt signed anew and recorded."""

    def __init__(self, context: Context, sender: Sender) -> None:
        self._context = context
        self._sender = sender

    async def deliver(self, job: RunningJob, *, delivery_id: str) -> None:
        """Make the next attempt, record it, and schedule the one after if needed."""
        del job  # An attempt takes 15 s at most and nothing is written at a target.
        context = self._context
        async with context.database.reading() as connection:
            delivery = await deliveries.get(connection, delivery_id)
            if delivery.state.is_terminal:
                return
            if await self._is_early(delivery):
                return
            webhook = await webhooks.find(connection, delivery.webhook_id)
            event = await events.get(connection, delivery.event_id)
        if webhook is None or not webhook.enabled:
            async with context.database.transaction() as tx:
                await deliveries.cancel(tx, delivery_id, at=context.clock.now())
            return
        started_at = context.clock.now()
        result = await self._send(delivery, webhook, event, at=started_at)
        await self._record(delivery, webhook, result, started_at=started_at)

    async def _is_early(self, delivery: Delivery) -> bool:
        """Put back a job that a resync woke before its delivery's time."""
        due_at = delivery.next_attempt_at
        if due_at is None or due_at <= self._context.clock.now():
            return False
        async with self._context.database.transaction() as tx:
            await jobs.defer(tx, [tasks.deliver(delivery.id, at=due_at)])
        return True

    async def _send(
        self, delivery: Delivery, webhook: Webhook, event: Event, *, at: datetime
    ) -> AttemptResult:
        async with self._context.database.reading() as connection:
            token = await webhooks.secret_of(connection, webhook.id)
        secret = unseal(self._context, webhook.id, token)
        body = json.dumps(envelope(event), separators=(",", ":")).encode()
        headers = sign([secret], delivery.message_id, timestamp=at, body=body)
        request = SendRequest(url=webhook.url, headers=headers, body=body)
        return await self._sender.send(request)

    async def _record(
        self,
        delivery: Delivery,
        webhook: Webhook,
        result: AttemptResult,
        *,
        started_at: datetime,
    ) -> None:
        now = self._context.clock.now()
        attempt = Attempt(
            number=len(delivery.attempts) + 1,
            started_at=started_at,
            duration_seconds=result.duration_seconds,
            status=result.status,
            error=result.error,
            response_head=result.response_head,
        )
        verdict = judge(result.status)
        outcome = _outcome(attempt, verdict, now, result.retry_after)
        async with self._context.database.transaction() as tx:
            if not await deliveries.record(tx, delivery, attempt, outcome):
                return
            if outcome.next_attempt_at is not None:
                again = tasks.deliver(delivery.id, at=outcome.next_attempt_at)
                await jobs.defer(tx, [again])
            if verdict is Verdict.GONE:
                await self._disable(tx, webhook, now)
        if result.error is not None:
            _LOG.info(
                "delivery_attempt_failed",
                delivery_id=delivery.id,
                webhook_id=webhook.id,
                attempt=attempt.number,
                error=result.error,
            )

    async def _disable(self, tx: Transaction, webhook: Webhook, now: datetime) -> None:
        reason = "the receiver answered 410 Gone"
        values = WebhookValues(enabled=False, disabled_reason=reason)
        changed = await webhooks.change(tx, webhook.id, values, at=now)
        data = {"webhook": webhook_json(self._context.base_url, changed)}
        disabled = NewEvent(
            id=self._context.ids.new("evt"),
            type=WebhookDisabled.name,
            timestamp=now,
            sequence=1,
            deployment_id=None,
            workspace=None,
            project=webhook.project,
            created_by=webhook.created_by,
            data=data,
        )
        await events.append(tx, [disabled])


def _outcome(
    attempt: Attempt, verdict: Verdict, now: datetime, retry_after: timedelta | None
) -> Outcome:
    if verdict is Verdict.ACCEPTED:
        return Outcome(
            state=DeliveryState.SUCCEEDED, next_attempt_at=None, finished_at=now
        )
    following = next_attempt_at(
        attempt.number,
        now,
        jitter=secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS,
        verdict=verdict,
        retry_after=retry_after,
    )
    if following is None:
        return Outcome(
            state=DeliveryState.FAILED, next_attempt_at=None, finished_at=now
        )
    return Outcome(
        state=DeliveryState.PENDING, next_attempt_at=following, finished_at=None
    )
