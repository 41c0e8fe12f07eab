"""The connections of the sender: which are opened, how, and for how long."""

import asyncio
from pathlib import Path

import pytest

from app.core.retry import Verdict
from app.webhooks.addresses import AddressPolicy
from app.webhooks.failures import AttemptErrorCode
from app.webhooks.sender import Sender
from tests.receiver import Answer, receiving
from tests.webhooks.certificates import make_tls_pair
from tests.webhooks.fakes import FakeDialer, FakeResolver, FrozenClock
from tests.webhooks.sending import LOOPBACK, request_for, running_sender, send_once


async def test_a_receiver_that_never_ends_its_answer_has_still_accepted() -> None:
    unending = Answer(status=202, body=b"wait", leaves_open=True)
    async with (
        receiving(unending) as receiver,
        running_sender(timeout_seconds=0.3) as sender,
    ):
        result = await sender.send(request_for(receiver.url))
        await receiver.wait_until_idle()

    assert result.verdict is Verdict.ACCEPTED
    assert result.response_head == "wait"


async def test_a_silent_receiver_times_out_and_keeps_no_connection() -> None:
    async with (
        receiving(Answer(hangs=True)) as receiver,
        running_sender(timeout_seconds=0.3) as sender,
    ):
        result = await sender.send(request_for(receiver.url))
        await receiver.wait_until_idle()

    assert result.error_code is AttemptErrorCode.TIMED_OUT
    assert result.verdict is Verdict.RETRY
    assert (result.status, result.response_head) == (None, None)


async def test_silent_receivers_delay_nobody_else() -> None:
    silent = [Answer(hangs=True)] * 150
    async with (
        receiving(*silent) as dead,
        receiving() as alive,
        running_sender() as sender,
    ):
        stuck = [
            asyncio.create_task(sender.send(request_for(dead.url))) for _ in range(150)
        ]
        await dead.wait_for(150)
        result = await sender.send(request_for(alive.url))

        assert result.status == 200
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        await dead.wait_until_idle()


async def test_a_closed_port_says_that_the_connection_was_refused() -> None:
    async with receiving() as receiver:
        url = receiver.url

    result = await send_once(url)

    assert result.error_code is AttemptErrorCode.CONNECT_FAILED
    assert result.error == (
        "The connection to the receiver failed: Connection refused."
    )


async def test_a_loopback_receiver_is_refused_unless_its_network_is_allowed() -> None:
    async with (
        receiving() as receiver,
        running_sender(AddressPolicy(allow_http=True)) as sender,
    ):
        result = await sender.send(request_for(receiver.url))

    assert result.error_code is AttemptErrorCode.ADDRESS_REFUSED
    assert receiver.connections_seen == 0


async def test_cookies_are_not_kept() -> None:
    cookie = Answer(headers={"set-cookie": "session=1; Path=/"})
    async with receiving(cookie) as receiver, running_sender() as sender:
        await sender.send(request_for(receiver.url))
        await sender.send(request_for(receiver.url))

    assert all("cookie" not in request.headers for request in receiver.requests)
    assert len(receiver.requests) == 2


async def test_a_proxy_of_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        result = await send_once(receiver.url)

    assert result.status == 200
    assert proxy.connections_seen == 0


async def test_a_burst_for_one_receiver_shares_connections() -> None:
    async with receiving() as receiver, running_sender() as sender:
        for _ in range(10):
            await sender.send(request_for(receiver.url))

    assert len(receiver.requests) == 10
    assert receiver.connections_seen == 1


async def test_a_connection_that_the_receiver_closed_meanwhile_is_replaced() -> None:
    closing = Answer(headers={"connection": "close"})
    async with receiving(closing) as receiver, running_sender() as sender:
        first = await sender.send(request_for(receiver.url))
        await receiver.wait_until_idle()
        second = await sender.send(request_for(receiver.url))

    assert (first.status, second.status) == (200, 200)
    assert receiver.connections_seen == 2


async def test_the_next_address_is_dialed_when_the_first_is_dead() -> None:
    resolver = FakeResolver({"hook.test": [["93.184.215.14", "93.184.215.15"]]})
    async with receiving() as receiver:
        dialer = FakeDialer(receiver.port, dead=["93.184.215.14"])
        sender = Sender(LOOPBACK, clock=FrozenClock(), resolver=resolver, dialer=dialer)
        result = await sender.send(request_for("http://hook.test/"))
        await sender.aclose()

    assert result.status == 200
    assert dialer.dialed == [("93.184.215.14", 80), ("93.184.215.15", 80)]


@pytest.mark.parametrize(
    ("host", "status", "code"),
    [
        ("hook.test", 200, None),
        ("other.test", None, AttemptErrorCode.TLS_FAILED),
    ],
)
async def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    host: str, status: int | None, code: AttemptErrorCode | None, tmp_path: Path
) -> None:
    tls = make_tls_pair("hook.test", tmp_path)
    async with receiving(tls=tls.server) as receiver:
        sender = Sender(
            LOOPBACK,
            clock=FrozenClock(),
            resolver=FakeResolver(),
            dialer=FakeDialer(receiver.port),
            tls=tls.client,
        )
        result = await sender.send(request_for(f"https://{host}/"))
        await sender.aclose()

    assert (result.status, result.error_code) == (status, code)
    assert len(receiver.requests) == (status == 200)


async def test_an_unknown_authority_is_refused_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = make_tls_pair("hook.test", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    async with receiving(tls=tls.server) as receiver:
        sender = Sender(
            LOOPBACK,
            clock=FrozenClock(),
            resolver=FakeResolver(),
            dialer=FakeDialer(receiver.port),
        )
        result = await sender.send(request_for("https://hook.test/"))
        await sender.aclose()

    assert result.error_code is AttemptErrorCode.TLS_FAILED
    assert result.error is not None
    assert "certificate" in result.error
    assert receiver.requests == []


async def test_a_receiver_without_tls_under_https_is_a_tls_failure() -> None:
    async with receiving() as receiver:
        result = await send_once(receiver.url.replace("http:", "https:"))

    assert result.error_code is AttemptErrorCode.TLS_FAILED
    assert receiver.requests == []
