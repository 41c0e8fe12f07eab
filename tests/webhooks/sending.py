"""How the tests of the sender send: on loopback, with nothing real but the wire."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network

from app.webhooks.addresses import AddressPolicy
from app.webhooks.sender import AttemptResult, Sender, SendRequest
from tests.webhooks.fakes import FakeResolver, FrozenClock

LOOPBACK = AddressPolicy(allow_http=True, allowed_networks=(ip_network("127.0.0.0/8"),))
BODY = b'{"type":"ping"}'


@asynccontextmanager
async def running_sender(
    policy: AddressPolicy = LOOPBACK, *, timeout_seconds: float = 10
) -> AsyncIterator[Sender]:
    sender = Sender(
        policy,
        clock=FrozenClock(step=1.5),
        resolver=FakeResolver(),
        timeout_seconds=timeout_seconds,
    )
    try:
        yield sender
    finally:
        await sender.aclose()


async def send_once(url: str, *, timeout_seconds: float = 10) -> AttemptResult:
    async with running_sender(timeout_seconds=timeout_seconds) as sender:
        return await sender.send(request_for(url))


def request_for(url: str) -> SendRequest:
    return SendRequest(url=url, headers={"webhook-id": "evt_1-wh_1"}, body=BODY)
