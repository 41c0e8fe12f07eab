"""The machine's own name resolution, kept from holding up anything else."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

_THREADS = 8
_TIMEOUT_SECONDS = 5.0


def addresses_of(host: str) -> tuple[str, ...]:
    """Return the addresses of `host` from the system, best first; it blocks.

    Raise `OSError` where there is none, also for a name that cannot be asked for.
    """
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("the name cannot be written in DNS") from error
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


class SystemResolver:
    """Answers within five seconds, from threads of its own.

    A name server that does not answer holds a thread for longer than anybody waits.
    So questions for one name share one look-up while it runs, and no other work
    shares the threads: a dead name delays its own deliveries and no others. Nothing
    is remembered once answered. One event loop only; `close` when done.
    """

    def __init__(
        self,
        ask: Callable[[str], Sequence[str]] = addresses_of,
        *,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._ask = ask
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")
        self._running: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def look_up(self, host: str) -> Sequence[str]:
        """Return the addresses of `host`, best first; raise `OSError` if it cannot."""
        answer = self._running.get(host)
        if answer is None:
            loop = asyncio.get_running_loop()
            answer = loop.run_in_executor(self._threads, self._ask, host)
            self._running[host] = answer
            answer.add_done_callback(lambda _: self._running.pop(host, None))
        async with asyncio.timeout(self._timeout_seconds):
            return await asyncio.shield(answer)

    def close(self) -> None:
        """Take no more questions; a look-up still running ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
