"""Confined child processes: started, watched, stopped, and never left behind.

A child dies with this process, however this process dies: the kernel tells it. What
the kernel watches is the *thread* that started the child, so children are started from
the event loop's thread, which lives as long as the process; never from a pool's.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.targets import confined
from app.targets.child_log import ChildLog
from app.targets.isolation import Policy

_CHUNK = 64 * 1024
# A child that prints without end is read at this pace (bytes per second), so that it
# waits for us and not the service for it.
_PACE = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a child ended: its status, or the negative number of a signal."""

    status: int

    def describe(self) -> str:
        """Return it in words, to follow a full stop or a colon."""
        if self.status >= 0:
            return f"it ended with status {self.status}"
        try:
            name = signal.Signals(-self.status).name
        except ValueError:
            name = f"signal {-self.status}"
        if self.status == -signal.SIGKILL:
            return f"it was killed ({name}), by hand or for want of memory"
        return f"it was killed by {name}"


class Child:
    """A running program in a session of its own.

    When it ends, by itself or not, what it started in its process group ends too.
    """

    def __init__(self, process: subprocess.Popen[bytes], pump: "_Pump") -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._pump = pump
        self._ended: asyncio.Future[Exit] = loop.create_future()
        # Held until the child is reaped: it never names another process.
        self._descriptor = os.pidfd_open(process.pid)
        loop.add_reader(self._descriptor, self._reap)

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def exit(self) -> Exit | None:
        """Return how it ended; None while it runs."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> Exit:
        """Return how it ended, once it has and all that it printed is in its log."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_seconds: float) -> Exit:
        """End it: with SIGTERM, and with SIGKILL if it then lives on for so long."""
        if self.exit is None and grace_seconds > 0:
            self._signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    return await self.wait()
        self.kill()
        return await self.wait()

    def kill(self) -> None:
        """End it at once; does nothing if it has ended."""
        if self.exit is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        # As long as it is a zombie its group's number is not given to anybody else.
        self._signal(signal.SIGKILL)
        status = self._process.wait()
        self._pump.finish()
        self._ended.set_result(Exit(status=status))


def start(
    argv: Sequence[str],
    policy: Policy,
    *,
    log: ChildLog,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Start `argv` under `policy`, what it prints going to `log`; return at once.

    `argv[0]` is the path of a program. Call it from the event loop's own thread. If
    the policy cannot be applied the child ends with status 126.
    """
    trampoline = [sys.executable, "-I", "-S", str(Path(confined.__file__)), "--"]
    read_end, write_end = os.pipe()
    orders = _orders(policy)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
            [*trampoline, *argv],
            stdin=orders,
            stdout=write_end,
            stderr=write_end,
            env={},
            cwd="/",
            pass_fds=pass_fds,
            start_new_session=True,
        )
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(orders)
        os.close(write_end)
    return Child(process, _Pump(read_end, log))


def _orders(policy: Policy) -> int:
    # Not an argument: those are shown to every user of the machine, and are short.
    descriptor = os.memfd_create("policy")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(policy.encode())
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class _Pump:
    """Carries what a child prints from its pipe to its log, at a bounded pace."""

    def __init__(self, descriptor: int, log: ChildLog) -> None:
        self._descriptor = descriptor
        self._log = log
        self._is_open = True
        self._resume: asyncio.TimerHandle | None = None
        os.set_blocking(descriptor, False)
        self._listen()

    def finish(self) -> None:
        """Take what is left in the pipe, up to its size, and close it."""
        if self._is_open:
            for _ in range(32):
                if not self._take():
                    break
        self._close()

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        loop = asyncio.get_running_loop()
        size = self._take()
        if not size:
            self._close()
        elif size == _CHUNK:
            loop.remove_reader(self._descriptor)
            self._resume = loop.call_later(size / _PACE, self._listen)

    def _take(self) -> int:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return 0
        if data:
            self._log.write(data)
        return len(data)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            if self._resume is not None:
                self._resume.cancel()
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
