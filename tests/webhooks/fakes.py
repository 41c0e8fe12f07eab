"""A clock, a resolver and a dialer that do as a test says."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import httpcore
from typing_extensions import override

PUBLIC_ADDRESS = "93.184.215.14"


class FrozenClock:
    """Stands at one moment; its monotonic time goes on by `step` at each look."""

    def __init__(self, moment: datetime | None = None, *, step: float = 0) -> None:
        self._moment = moment or datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self._step = step
        self._looks = 0

    def now(self) -> datetime:
        return self._moment

    def monotonic(self) -> float:
        self._looks += 1
        return self._looks * self._step

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing here waits, yet {seconds} s were asked for")


class FakeResolver:
    """Answers from a table of successive answers, the last one for ever.

    A name that is not in it resolves to a public address, so that whatever slips
    through a check would be dialed, and seen.
    """

    def __init__(
        self, answers: Mapping[str, Sequence[Sequence[str] | OSError]] | None = None
    ) -> None:
        self._answers = {name: list(turns) for name, turns in (answers or {}).items()}
        self.questions: list[str] = []

    async def look_up(self, host: str) -> Sequence[str]:
        self.questions.append(host)
        turns = self._answers.get(host, [[PUBLIC_ADDRESS]])
        answer = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


class FakeDialer(httpcore.AsyncNetworkBackend):
    """Keeps every address that was dialed, and leads each to one port of loopback.

    Without a port nothing answers; addresses in `dead` never do.
    """

    def __init__(self, port: int | None = None, *, dead: Iterable[str] = ()) -> None:
        self.dialed: list[tuple[str, int]] = []
        self._port = port
        self._dead = frozenset(dead)
        self._real = httpcore.AnyIOBackend()

    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialed.append((host, port))
        if self._port is None or host in self._dead:
            raise httpcore.ConnectError(f"nobody answers at {host}")
        return await self._real.connect_tcp("127.0.0.1", self._port, timeout)
