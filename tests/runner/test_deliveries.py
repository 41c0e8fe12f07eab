"""Deliveries to a real receiver: signed, recorded, retried, never twice recorded."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier

from app.core.webhook import Delivery, DeliveryState, Webhook, new_secret
from app.runner.deliveries import DeliveryRunner
from app.services.followers import seal
from app.storage import deliveries, webhooks
from app.webhooks.addresses import AddressPolicy
from app.webhooks.resolver import SystemResolver
from app.webhooks.sender import Sender
from tests.building import Building, built
from tests.receiver import Answer, Receiver, receiving

SECRET = new_secret(bytes(range(32)))
LOOPBACK = AddressPolicy(allow_http=True, allowed_networks=(ip_network("127.0.0.0/8"),))


@dataclass(frozen=True, kw_only=True)
class Post:
    """A building whose events go to one receiver."""

    building: Building
    receiver: Receiver
    webhook_id: str
    runner: DeliveryRunner

    async def deliver_all(self) -> list[Delivery]:
        """Make the next attempt at everything that is pending, its time come."""
        await self.make_due()
        for delivery in await self.deliveries():
            await self.runner.deliver(self.building.job(), delivery_id=delivery.id)
        return await self.deliveries()

    async def make_due(self) -> None:
        """Bring the time of everything that is pending."""
        async with self.building.context.database.transaction() as tx:
            await tx.execute(text("UPDATE deliveries SET next_attempt_at = now()"))
            # As the engine does before it runs a job.
            await tx.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))

    async def deliveries(self) -> list[Delivery]:
        async with self.building.context.database.reading() as connection:
            found = await deliveries.list_of_webhook(
                connection, self.webhook_id, state=None, before=None, limit=100
            )
        return found[::-1]


@asynccontextmanager
async def posting(
    database_url: str, *answers: int | Answer, most_at_once: int = 32
) -> AsyncIterator[Post]:
    resolver = SystemResolver()
    async with built(database_url) as building, receiving(*answers) as receiver:
        sender = Sender(LOOPBACK, clock=building.context.clock, resolver=resolver)
        webhook_id = await register(building, receiver.url)
        try:
            yield Post(
                building=building,
                receiver=receiver,
                webhook_id=webhook_id,
                runner=DeliveryRunner(
                    building.context, sender, most_at_once=most_at_once
                ),
            )
        finally:
            await sender.aclose()
            resolver.close()


async def test_every_event_is_delivered_signed_and_in_the_one_envelope(
    database_url: str,
) -> None:
    async with posting(database_url) as post:
        deployment = await post.building.live()

        done = await post.deliver_all()

        assert {delivery.state for delivery in done} == {DeliveryState.SUCCEEDED}
        told = []
        for request in post.receiver.requests:
            body = Verifier(SECRET).verify(request.body, dict(request.headers))
            told.append(body["sequence"])
            assert body["data"]["deployment"]["id"] == deployment.id
            assert set(body) == {"id", "type", "timestamp", "sequence", "data"}
        # In no promised order: those of one transaction leave together.
        assert sorted(told) == list(range(1, deployment.sequence + 1))


async def test_a_failed_attempt_is_recorded_and_the_next_one_scheduled(
    database_url: str,
) -> None:
    async with posting(database_url, 500, 200) as post:
        await post.building.create()

        [after_one] = await post.deliver_all()
        [after_two] = await post.deliver_all()

        assert after_one.state is DeliveryState.PENDING
        assert after_one.next_attempt_at is not None
        assert [a.status for a in after_two.attempts] == [500, 200]
        assert after_two.state is DeliveryState.SUCCEEDED
        ids = {request.headers["webhook-id"] for request in post.receiver.requests}
        assert len(ids) == 1
        scheduled = "SELECT scheduled_at IS NOT NULL FROM procrastinate_jobs"
        async with post.building.context.database.reading() as connection:
            jobs = await connection.execute(
                text(scheduled + " WHERE args ->> 'delivery_id' = :id ORDER BY id"),
                {"id": after_two.id},
            )
        assert jobs.scalars().all() == [False, True]


async def test_a_receiver_that_is_gone_switches_its_webhook_off(
    database_url: str,
) -> None:
    async with posting(database_url, 410) as post:
        await post.building.create()

        [delivery] = await post.deliver_all()

        async with post.building.context.database.reading() as connection:
            webhook = await webhooks.get(connection, post.webhook_id, project=None)
        assert delivery.state is DeliveryState.FAILED
        assert (webhook.enabled, webhook.disabled_reason) == (
            False,
            "the receiver answered 410 Gone",
        )


async def test_a_delivery_of_a_switched_off_webhook_is_canceled(
    database_url: str,
) -> None:
    async with posting(database_url) as post:
        await post.building.create()
        async with post.building.context.database.transaction() as tx:
            await webhooks.change(
                tx,
                post.webhook_id,
                {"enabled": False},
                at=post.building.context.clock.now(),
            )

        [delivery] = await post.deliver_all()

        assert delivery.state is DeliveryState.CANCELED
        assert post.receiver.requests == []


async def test_an_address_inside_the_company_is_refused_at_delivery_too(
    database_url: str,
) -> None:
    async with posting(database_url) as post:
        await post.building.create()
        resolver = SystemResolver()
        closed = Sender(
            AddressPolicy(allow_http=True),
            clock=post.building.context.clock,
            resolver=resolver,
        )
        runner = DeliveryRunner(post.building.context, closed)
        [delivery] = await post.deliveries()

        await runner.deliver(post.building.job(), delivery_id=delivery.id)

        [after] = await post.deliveries()
        assert post.receiver.connections_seen == 0
        assert "refused" in (after.attempts[0].error or "")
        await closed.aclose()
        resolver.close()


async def test_no_secret_stands_in_plain_text_in_the_database(
    database_url: str,
) -> None:
    async with posting(database_url) as post:
        async with post.building.context.database.reading() as connection:
            rows = await connection.execute(text("SELECT secret FROM webhooks"))

        stored = bytes(rows.scalar_one())
        assert SECRET.encode() not in stored
        assert SECRET.removeprefix("whsec_").encode() not in stored


async def test_an_attempt_is_never_made_before_its_time(database_url: str) -> None:
    async with posting(database_url, 500) as post:
        await post.building.create()
        [delivery] = await post.deliver_all()

        await post.runner.deliver(post.building.job(), delivery_id=delivery.id)

        [after] = await post.deliveries()
        assert len(after.attempts) == 1


@pytest.mark.parametrize("field", ["secret", "whsec_"])
async def test_no_event_ever_holds_a_secret(database_url: str, field: str) -> None:
    async with posting(database_url) as post:
        await post.building.live()
        await post.deliver_all()

        told = b"".join(request.body for request in post.receiver.requests)
        assert field.encode() not in told
        assert json.loads(post.receiver.requests[0].body)["sequence"] == 1


async def test_a_receiver_that_never_answers_leaves_room_for_others(
    database_url: str,
) -> None:
    hangs = Answer(hangs=True)
    async with posting(database_url, hangs, hangs, most_at_once=1) as post:
        await post.building.live()
        await post.make_due()
        first, second, *_ = await post.deliveries()
        job = post.building.job()
        sending = asyncio.create_task(post.runner.deliver(job, delivery_id=first.id))
        await post.receiver.wait_for(1)

        await post.runner.deliver(job, delivery_id=second.id)

        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        waiting = text(
            "SELECT queueing_lock FROM procrastinate_jobs "
            "WHERE status = 'todo' AND scheduled_at > now()"
        )
        async with post.building.context.database.reading() as connection:
            put_back = (await connection.scalars(waiting)).all()
        assert put_back == [second.id]
        assert len(post.receiver.requests) == 1


async def register(building: Building, url: str) -> str:
    now = building.context.clock.now()
    webhook = Webhook(
        id=building.context.ids.new("wh"),
        project="default",
        name="tests",
        url=url,
        events=("deployment.*",),
        created_by="tests",
        created_at=now,
        updated_at=now,
    )
    async with building.context.database.transaction() as tx:
        sealed = seal(building.context, webhook.id, SECRET)
        await webhooks.create(tx, webhook, sealed)
    return webhook.id
