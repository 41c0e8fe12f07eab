"""The machine's resolver: shared questions, a deadline, and failing closed."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from app.webhooks.resolver import SystemResolver, addresses_of


class FakeNameServer:
    """Answers when let go, and counts what it was asked."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.may_answer = threading.Event()

    def ask(self, host: str) -> Sequence[str]:
        self.questions.append(host)
        if host.startswith("slow"):
            self.may_answer.wait(10)
        if host.startswith("missing"):
            raise OSError("no such name")
        return ["93.184.215.14"]


@asynccontextmanager
async def _running(
    ask: Callable[[str], Sequence[str]] = addresses_of, *, timeout_seconds: float = 5
) -> AsyncIterator[SystemResolver]:
    resolver = SystemResolver(ask, timeout_seconds=timeout_seconds)
    try:
        yield resolver
    finally:
        resolver.close()


async def test_the_system_is_asked() -> None:
    async with _running() as resolver:
        assert "127.0.0.1" in await resolver.look_up("localhost")


@pytest.mark.parametrize("host", ["a." + "b" * 64, "x" * 300, ""])
async def test_a_name_that_cannot_be_asked_for_is_an_os_error(host: str) -> None:
    async with _running() as resolver:
        with pytest.raises(OSError, match=r".*"):
            await resolver.look_up(host + ".invalid\x00")


async def test_questions_for_one_name_share_one_look_up() -> None:
    server = FakeNameServer()
    async with _running(server.ask) as resolver:
        asking = [asyncio.create_task(resolver.look_up("slow.test")) for _ in range(20)]
        other = await resolver.look_up("other.test")
        server.may_answer.set()
        answers = await asyncio.gather(*asking)

    assert other == ["93.184.215.14"]
    assert answers == [["93.184.215.14"]] * 20
    assert server.questions.count("slow.test") == 1


async def test_a_name_is_asked_for_anew_once_it_was_answered() -> None:
    server = FakeNameServer()
    async with _running(server.ask) as resolver:
        await resolver.look_up("hook.test")
        await resolver.look_up("hook.test")

    assert server.questions == ["hook.test", "hook.test"]


async def test_a_silent_name_server_ends_at_the_deadline() -> None:
    server = FakeNameServer()
    async with _running(server.ask, timeout_seconds=0.05) as resolver:
        with pytest.raises(TimeoutError):
            await resolver.look_up("slow.test")
        server.may_answer.set()


async def test_one_who_gives_up_leaves_the_look_up_to_the_others() -> None:
    server = FakeNameServer()
    async with _running(server.ask) as resolver:
        first = asyncio.create_task(resolver.look_up("slow.test"))
        second = asyncio.create_task(resolver.look_up("slow.test"))
        await resolver.look_up("other.test")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        server.may_answer.set()

        assert await second == ["93.184.215.14"]


async def test_a_missing_name_fails_for_all_who_asked() -> None:
    server = FakeNameServer()
    async with _running(server.ask) as resolver:
        answers = await asyncio.gather(
            resolver.look_up("missing.test"),
            resolver.look_up("missing.test"),
            return_exceptions=True,
        )

    assert [type(answer) for answer in answers] == [OSError, OSError]
