"""Forwarding to scoring addresses, against real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from app.core.errors import UpstreamError
from app.core.target import Invocation
from app.targets.scoring import HttpScorer
from tests.connections import Handler, accepting


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    listen = partial(asyncio.start_server, host="127.0.0.1", port=0)
    async with accepting(handler, listen) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/invocations"


def answering(answer: bytes, seen: list[bytes] | None = None) -> Handler:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head + await reader.readexactly(2))
        writer.write(answer)
        await writer.drain()

    return handle


async def test_status_type_and_body_pass_as_they_are() -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 415 No\r\ncontent-type: text/csv\r\nx: y\r\n\r\na,b"
    call = Invocation(body=b"{}", content_type="text/csv")
    async with serving(answering(answer, seen)) as uri, HttpScorer() as scorer:
        result = await scorer.score(uri, call)

    assert (result.status, result.body) == (415, b"a,b")
    assert result.headers == {"content-type": "text/csv"}
    assert seen[0].startswith(b"POST /invocations HTTP/1.1\r\n")
    assert b"content-type: text/csv" in seen[0].lower()


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n"
    async with serving(answering(answer)) as uri, HttpScorer() as scorer:
        result = await scorer.score(uri, Invocation(body=b"{}"))

    assert result.status == 302


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    answer = b"HTTP/1.1 200 OK\r\n\r\nok"
    async with serving(answering(answer)) as uri, HttpScorer() as scorer:
        result = await scorer.score(uri, Invocation(body=b"{}"))

    assert result.body == b"ok"


async def test_nobody_there_is_an_upstream_error() -> None:
    async with HttpScorer() as scorer:
        for uri in ("http://127.0.0.1:1/invocations", "http://[::1", "ftp://x/"):
            with pytest.raises(UpstreamError):
                await scorer.score(uri, Invocation(body=b"{}"))


async def test_nonsense_is_an_upstream_error() -> None:
    async with serving(answering(b"hello\r\n\r\n")) as uri, HttpScorer() as scorer:
        with pytest.raises(UpstreamError):
            await scorer.score(uri, Invocation(body=b"{}"))


async def test_an_answer_that_is_too_large_is_an_upstream_error() -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001
    async with (
        serving(answering(answer)) as uri,
        HttpScorer(largest_answer=1000) as scorer,
    ):
        with pytest.raises(UpstreamError):
            await scorer.score(uri, Invocation(body=b"{}"))


async def test_one_deadline_holds_for_the_whole_call() -> None:
    async def dripping(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0)

    call = Invocation(body=b"{}", timeout_seconds=0.2)
    async with serving(dripping) as uri, HttpScorer(largest_answer=2**40) as scorer:
        with pytest.raises(UpstreamError) as error:
            await scorer.score(uri, call)

    assert "0.2 seconds" in error.value.detail
