"""The forwarder of a local endpoint, in front of servers of the test's own."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from app.targets.local_endpoint import LocalEndpoint
from app.targets.local_http import LONGEST_HEAD, Problem, rewrite_head
from tests.connections import Handler, accepting, left_open

_REQUEST = b"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@asynccontextmanager
async def endpoint(**options: float) -> AsyncIterator[LocalEndpoint]:
    opened = LocalEndpoint(
        head_seconds=options.get("head_seconds", 10),
        max_connections=int(options.get("max_connections", 256)),
    )
    await opened.open(0)
    try:
        yield opened
    finally:
        await opened.close()


@asynccontextmanager
async def server(path: Path, handler: Handler) -> AsyncIterator[Path]:
    async with accepting(handler, partial(asyncio.start_unix_server, path=path)):
        yield path


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_ANSWER)


async def send(opened: LocalEndpoint, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


def problem(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    fields = json.loads(body)
    assert fields["remedy"]
    assert head.startswith(f"HTTP/1.1 {fields['status']} ".encode())
    return fields["status"], fields["code"]


async def test_a_request_is_forwarded_whole_and_answered_whole(
    short_path: Path,
) -> None:
    seen: list[bytes] = []

    async def echoing(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        body = await reader.readexactly(300_000)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)

    head = (
        b"POST /invocations?a=b HTTP/1.1\r\nHost: localhost:80\r\n"
        b"Connection: keep-alive, x\r\nKeep-Alive: 5\r\nX-Own:  1 \r\n\r\n"
    )
    async with server(short_path / "s", echoing) as path, endpoint() as opened:
        opened.shift(path)
        answer = await send(opened, head + b"y" * 300_000)

    assert answer == b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * 300_000
    forwarded = (
        b"POST /invocations?a=b HTTP/1.1\r\nhost: localhost:80\r\n"
        b"x-own: 1\r\nconnection: close\r\n\r\n"
    )
    assert seen == [forwarded]


async def test_without_a_revision_it_says_that_nothing_serves() -> None:
    async with endpoint() as opened:
        assert problem(await send(opened, _REQUEST)) == (503, "not_serving")


async def test_a_revision_without_a_process_says_that_nothing_serves(
    short_path: Path,
) -> None:
    async with endpoint() as opened:
        opened.shift(short_path / "missing")

        answer = await send(opened, _REQUEST)

        assert problem(answer) == (503, "not_serving")
        assert b"retry-after: 1" in answer


@pytest.mark.parametrize("reads_first", [True, False])
async def test_a_process_that_ends_before_its_answer_is_told(
    short_path: Path, *, reads_first: bool
) -> None:
    async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reads_first:
            await reader.readuntil(b"\r\n\r\n")
        # On unread input this is a reset, on none an end.
        writer.transport.abort()

    async with server(short_path / "s", dying) as path, endpoint() as opened:
        opened.shift(path)

        assert problem(await send(opened, _REQUEST)) == (503, "upstream_failed")


async def test_a_client_that_closes_its_half_early_is_answered(
    short_path: Path,
) -> None:
    async with server(short_path / "s", answering) as path, endpoint() as opened:
        opened.shift(path)
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(_REQUEST)
        writer.write_eof()
        answer = await reader.read()
        writer.close()

    assert answer == _ANSWER


async def test_a_client_that_goes_away_disturbs_nobody(short_path: Path) -> None:
    async with server(short_path / "s", answering) as path, endpoint() as opened:
        opened.shift(path)
        _, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(_REQUEST)
        writer.transport.abort()

        assert await send(opened, _REQUEST) == _ANSWER


async def test_a_head_that_does_not_arrive_is_not_waited_for() -> None:
    async with endpoint(head_seconds=0.05) as opened:
        answer = await send(opened, b"POST /invocations HTTP/1.1\r\nHo")

    assert problem(answer) == (408, "timed_out")


async def test_a_head_that_is_too_long_is_refused() -> None:
    async with endpoint() as opened:
        answer = await send(opened, b"GET / HTTP/1.1\r\nX: " + b"y" * 2 * LONGEST_HEAD)

    assert problem(answer) == (431, "too_large")


async def test_connections_are_bounded_and_given_back(short_path: Path) -> None:
    async with (
        server(short_path / "s", answering) as path,
        endpoint(max_connections=1) as opened,
    ):
        opened.shift(path)
        _, idle = await asyncio.open_connection("127.0.0.1", opened.port)
        refused = await send(opened, _REQUEST)
        idle.close()
        await idle.wait_closed()
        answer = b""
        while not answer.endswith(b"ok"):
            answer = await send(opened, _REQUEST)

    assert problem(refused) == (503, "too_many")


async def test_a_revision_is_withdrawn_once_it_has_answered_everything(
    short_path: Path,
) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await release.wait()
        writer.write(_ANSWER)

    async with server(short_path / "s", slow) as path, endpoint() as opened:
        opened.shift(path)
        sent = asyncio.create_task(send(opened, _REQUEST))
        await asked.wait()
        withdrawn = asyncio.create_task(opened.withdraw(path))
        late = problem(await send(opened, _REQUEST))
        was_done = withdrawn.done()
        release.set()
        await withdrawn

        assert late == (503, "not_serving")
        assert not was_done
        assert await sent == _ANSWER


async def test_closing_breaks_off_what_is_still_being_forwarded(
    short_path: Path,
) -> None:
    asked = asyncio.Event()

    async def hanging(
        reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
    ) -> None:
        asked.set()
        await reader.read()

    async with server(short_path / "s", hanging) as path, endpoint() as opened:
        opened.shift(path)
        sent = asyncio.create_task(send(opened, _REQUEST))
        await asked.wait()

        await opened.close()

        assert await sent == b""


@pytest.mark.parametrize("has_ended", [True, False])
async def test_closing_leaves_no_connection_open_however_far_it_had_come(
    short_path: Path, *, has_ended: bool
) -> None:
    async def hanging(
        reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    async with server(short_path / "s", hanging) as path:
        for steps in range(15):
            async with endpoint() as opened:
                opened.shift(path)
                with socket.create_connection(("127.0.0.1", opened.port)) as client:
                    client.sendall(_REQUEST)
                    if has_ended:
                        client.shutdown(socket.SHUT_WR)
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    await opened.close()

    assert left_open() == []


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:41873\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: LOCALHOST\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", None),
        (b"GET / HTTP/1.0\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/2\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: \x00\r\n\r\n", 400),
        (b"\x16\x03\x01 TLS\r\n\r\n", 400),
    ],
)
def test_only_plain_requests_for_this_machine_are_forwarded(
    head: bytes, status: int | None
) -> None:
    rewritten = rewrite_head(head)

    refused = rewritten.status if isinstance(rewritten, Problem) else None
    assert refused == status
