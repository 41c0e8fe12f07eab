"""One job, one attempt at one delivery; the next attempt is a scheduled job."""

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog

from app.core.event import WebhookDisabled
from app.core.retry import Verdict, judge, next_attempt_at
from app.core.webhook import Attempt, Delivery, DeliveryState, Webhook
from app.runner.running import RunningJob
from app.services import tasks
from app.services.context import Context
from app.services.events import envelope
from app.services.followers import unseal
from app.services.webhooks import webhook_json
from app.storage import attempts, deliveries, events, jobs, webhooks
from app.storage.attempts import Due, Outcome
from app.storage.database import Transaction
from app.storage.events import NewEvent
from app.storage.webhooks import WebhookValues
from app.webhooks.sender import AttemptResult, Sender, SendRequest
from app.webhooks.signing import sign

_LOG = structlog.get_logger(__name__)
_JITTER_STEPS = 1000
# Attempts at one webhook at a time, of the 64 of a worker: a receiver that never
# answers holds each for 15 s, and must leave room for those that do.
_MOST_AT_ONCE = 32
_PUT_BACK_FOR = timedelta(seconds=5)


class DeliveryRunner:
    """Sends deliveries: at least once, each attempt signed anew and recorded.

    No webhook has more than `most_at_once` attempts going; what is more comes back.
    """

    def __init__(
        self, context: Context, sender: Sender, *, most_at_once: int = _MOST_AT_ONCE
    ) -> None:
        self._context = context
        self._sender = sender
        self._most_at_once = most_at_once
        self._going: Counter[str] = Counter()

    async def deliver(self, job: RunningJob, *, delivery_id: str) -> None:
        """Make the next attempt, record it, and schedule the one after if needed."""
        del job  # An attempt takes 15 s at most and nothing is written at a target.
        async with self._context.database.reading() as connection:
            due = await attempts.find(connection, delivery_id)
        delivery = due.delivery
        if delivery.state.is_terminal or await self._is_early(delivery):
            return
        if self._going[delivery.webhook_id] >= self._most_at_once:
            again_at = self._context.clock.now() + _PUT_BACK_FOR
            await self._put_back(delivery, at=again_at)
            return
        with self._counted(delivery.webhook_id):
            await self._attempt(due)

    async def _attempt(self, due: Due) -> None:
        context = self._context
        if not due.is_listening:
            async with context.database.transaction() as tx:
                await deliveries.cancel(tx, due.delivery.id, at=context.clock.now())
            return
        started_at = context.clock.now()
        result = await self._send(due, at=started_at)
        await self._record(due, result, started_at=started_at)

    async def _is_early(self, delivery: Delivery) -> bool:
        """Put back a job that a resync woke before its delivery's time."""
        due_at = delivery.next_attempt_at
        if due_at is None or due_at <= self._context.clock.now():
            return False
        await self._put_back(delivery, at=due_at)
        return True

    async def _put_back(self, delivery: Delivery, *, at: datetime) -> None:
        async with self._context.database.transaction() as tx:
            await jobs.defer(tx, [tasks.deliver(delivery.id, at=at)])

    @contextmanager
    def _counted(self, webhook_id: str) -> Iterator[None]:
        self._going[webhook_id] += 1
        try:
            yield
        finally:
            self._going[webhook_id] -= 1
            if not self._going[webhook_id]:
                del self._going[webhook_id]

    async def _send(self, due: Due, *, at: datetime) -> AttemptResult:
        secret = unseal(self._context, due.webhook.id, due.secret)
        body = json.dumps(envelope(due.event), separators=(",", ":")).encode()
        headers = sign([secret], due.delivery.message_id, timestamp=at, body=body)
        request = SendRequest(url=due.webhook.url, headers=headers, body=body)
        return await self._sender.send(request)

    async def _record(
        self, due: Due, result: AttemptResult, *, started_at: datetime
    ) -> None:
        delivery, webhook = due.delivery, due.webhook
        now = self._context.clock.now()
        attempt = Attempt(
            number=due.made + 1,
            started_at=started_at,
            duration_seconds=result.duration_seconds,
            status=result.status,
            error=result.error,
            response_head=result.response_head,
        )
        verdict = judge(result.status)
        outcome = _outcome(attempt, verdict, now, result.retry_after)
        async with self._context.database.transaction() as tx:
            if not await attempts.record(tx, delivery.id, attempt, outcome):
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
