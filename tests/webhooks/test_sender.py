"""One attempt at a real receiver: what it gets and what its answer means."""

import asyncio
from datetime import timedelta

import pytest
import standardwebhooks

from app.core.clock import SystemClock
from app.core.retry import Verdict
from app.core.webhook import new_secret
from app.webhooks.failures import AttemptErrorCode
from app.webhooks.sender import HEAD_LENGTH, MOST_READ, SendRequest
from app.webhooks.signing import sign
from tests.receiver import Answer, receiving
from tests.webhooks.sending import BODY, request_for, running_sender, send_once


async def test_a_delivery_arrives_as_it_was_signed() -> None:
    secret = new_secret(bytes(range(32)))
    headers = sign([secret], "evt_1-wh_1", timestamp=SystemClock().now(), body=BODY)

    async with receiving() as receiver, running_sender() as sender:
        result = await sender.send(
            SendRequest(url=receiver.url + "?a=b", headers=headers, body=BODY)
        )

    [received] = receiver.requests
    assert result.status == 200
    assert result.verdict is Verdict.ACCEPTED
    assert (received.method, received.path) == ("POST", "/events?a=b")
    verifier = standardwebhooks.Webhook(secret)
    assert verifier.verify(received.body, dict(received.headers)) == {"type": "ping"}


async def test_a_delivery_says_who_sends_what_and_nothing_more() -> None:
    async with receiving() as receiver:
        await send_once(receiver.url)

    [received] = receiver.requests
    assert received.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "keep-alive",
        "content-length": str(len(BODY)),
        "content-type": "application/json",
        "user-agent": "Slipway-Webhooks/1",
        "webhook-id": "evt_1-wh_1",
    }


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [
        (200, Verdict.ACCEPTED, None),
        (204, Verdict.ACCEPTED, None),
        (304, Verdict.RETRY, AttemptErrorCode.REDIRECTED),
        (400, Verdict.RETRY, AttemptErrorCode.NOT_ACCEPTED),
        (410, Verdict.GONE, AttemptErrorCode.NOT_ACCEPTED),
        (429, Verdict.SLOW_DOWN, AttemptErrorCode.NOT_ACCEPTED),
        (500, Verdict.RETRY, AttemptErrorCode.NOT_ACCEPTED),
    ],
)
async def test_the_answer_decides(
    status: int, verdict: Verdict, code: AttemptErrorCode | None
) -> None:
    async with receiving(status) as receiver:
        result = await send_once(receiver.url)

    assert (result.status, result.verdict, result.error_code) == (status, verdict, code)
    assert (result.error is None) == (code is None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    async with receiving() as elsewhere, receiving() as receiver:
        receiver.then(Answer(status=status, headers={"location": elsewhere.url}))
        result = await send_once(receiver.url)

    assert result.status == status
    assert result.error_code is AttemptErrorCode.REDIRECTED
    assert len(receiver.requests) == 1
    assert elsewhere.connections_seen == 0


async def test_the_time_that_a_receiver_asks_for_is_told() -> None:
    async with receiving(Answer(status=429, headers={"retry-after": "90"})) as receiver:
        result = await send_once(receiver.url)

    assert result.retry_after == timedelta(seconds=90)


async def test_the_duration_is_the_clocks() -> None:
    async with receiving() as receiver:
        result = await send_once(receiver.url)

    assert result.duration_seconds == 1.5


async def test_the_start_of_the_answer_is_kept_without_control_characters() -> None:
    body = b"no\x00 \x1b[31mred\x1b[0m\r\n\xff\xe2\x80\xae end" + b"x" * 2000
    async with receiving(Answer(status=500, body=body)) as receiver:
        result = await send_once(receiver.url)

    assert result.response_head is not None
    assert result.response_head.startswith("no [31mred[0m\n\ufffd endxxx")
    assert len(result.response_head) <= HEAD_LENGTH


async def test_a_packed_answer_is_not_unpacked() -> None:
    answer = Answer(headers={"content-encoding": "gzip"}, body=b"not gzip at all")
    async with receiving(answer) as receiver:
        result = await send_once(receiver.url)

    assert result.response_head == "not gzip at all"
    assert result.verdict is Verdict.ACCEPTED


async def test_no_more_than_the_limit_of_an_answer_is_read() -> None:
    endless = Answer(body=b"x" * (MOST_READ + 1), leaves_open=True)
    async with (
        receiving(endless) as receiver,
        running_sender(timeout_seconds=60) as sender,
        asyncio.timeout(10),
    ):
        result = await sender.send(request_for(receiver.url))
        await receiver.wait_until_idle()

    assert result.status == 200
    assert result.response_head == "x" * HEAD_LENGTH


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x01\x02 not http\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 O",
    ],
    ids=["nothing", "noise", "bad status", "bad length", "long header", "half a line"],
)
async def test_what_is_not_http_is_no_answer(raw: bytes) -> None:
    async with receiving(Answer(raw=raw)) as receiver:
        result = await send_once(receiver.url)

    assert result.status is None
    assert result.error_code in {
        AttemptErrorCode.PROTOCOL_FAILED,
        AttemptErrorCode.CONNECT_FAILED,
    }


async def test_an_answer_cut_off_after_its_status_has_still_been_given() -> None:
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
    async with receiving(Answer(raw=raw)) as receiver:
        result = await send_once(receiver.url)

    assert (result.status, result.response_head) == (200, "half")
