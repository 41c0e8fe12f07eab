"""A postmaster is known by its command line, and signaled only while it is known."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.core.errors import OperatorError

_POLL_SECONDS = 0.02
# PostgreSQL itself gives its children five seconds to obey an immediate shutdown.
_QUIT_SECONDS = 10.0
_KILL_SECONDS = 5.0
_PID_FILE_STATUS_LINE = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class PidFile:
    """What `postmaster.pid` claims; only its process can confirm it."""

    pid: int
    status: str  # "starting", "ready", "stopping", or "" before the first of them

    @classmethod
    def read(cls, data: Path) -> Self | None:
        """Return the file's content, or None if there is none that makes sense."""
        try:
            lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            # Single-user mode writes its process id as a negative number.
            pid = abs(int(lines[0]))
        except (FileNotFoundError, IndexError, ValueError):
            return None
        status = lines[_PID_FILE_STATUS_LINE:]
        return cls(pid=pid, status=status[0].strip() if status else "")


class Postmaster:
    """One running PostgreSQL server, started by this process or found running."""

    def __init__(
        self,
        pid: int,
        command: str,
        *,
        data: Path,
        child: subprocess.Popen[str] | None = None,
    ) -> None:
        self.pid = pid
        self.command = command
        self._data = data
        self._child = child

    def is_running(self) -> bool:
        """Say whether the process is alive, and still the one that this stands for."""
        if self._child is not None:
            return self._child.poll() is None
        return command_line(self.pid) == self.command

    def wait_until_ready(self, seconds: float) -> bool:
        """Return whether the server takes connections, which it may get to slowly.

        False after `seconds`, or as soon as the process has ended.
        """
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            if self._says_ready():
                return True
            pause()
        return False

    def stop(self, *, grace_seconds: float) -> None:
        """End the server: in order if it can in `grace_seconds`, else by force.

        What was committed is safe either way. Raises OperatorError if even force
        does not help.
        """
        steps = (
            (signal.SIGINT, grace_seconds),  # sessions ended, checkpoint written
            (signal.SIGQUIT, _QUIT_SECONDS),  # neither
            (signal.SIGKILL, _KILL_SECONDS),
        )
        for kind, seconds in steps:
            self._signal(kind)
            # A frozen process acts on nothing but SIGKILL.
            self._signal(signal.SIGCONT)
            if self._wait_until_gone(seconds):
                return
        raise OperatorError(f"The PostgreSQL process {self.pid} cannot be ended.")

    def _says_ready(self) -> bool:
        found = PidFile.read(self._data)
        return found is not None and found.pid == self.pid and found.status == "ready"

    def _signal(self, kind: signal.Signals) -> None:
        # It may end between the look and the call.
        with suppress(ProcessLookupError):
            if self.is_running():
                os.kill(self.pid, kind)

    def _wait_until_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            pause()
        return True


def find_postmaster(data: Path) -> Postmaster | None:
    """Return the server that runs on `data`, whoever started it."""
    claimed = PidFile.read(data)
    if claimed is None:
        return None
    command = command_line(claimed.pid)
    if not _is_server_of(command, data):
        return None
    return Postmaster(claimed.pid, command, data=data)


def forget_stale_claim(data: Path) -> None:
    """Remove a pid file that would keep PostgreSQL from starting for no reason.

    That is one whose number has gone to a process of some other kind, or one without
    a number. A file that names no process stays: PostgreSQL replaces it after a check
    that no child of the old server lives on.
    """
    claimed = PidFile.read(data)
    if claimed is not None:
        command = command_line(claimed.pid)
        if not command or _is_server_of(command, data):
            return
    (data / "postmaster.pid").unlink(missing_ok=True)


def joined(argv: Sequence[str]) -> str:
    """Return a command the way that `command_line` shows it."""
    return " ".join(argv)


def command_line(pid: int) -> str:
    """Return the command line of a process; empty if it is gone or a zombie."""
    try:
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return os.fsdecode(content.rstrip(b"\0").replace(b"\0", b" "))


def pause() -> None:
    """Let a process that this one cannot wait for get on with it."""
    # Blocking by contract, on an event that the kernel tells to the parent alone.
    time.sleep(_POLL_SECONDS)  # noqa: TID251


def _is_server_of(command: str, data: Path) -> bool:
    program, _, arguments = command.partition(" -D ")
    is_server = program.removesuffix(" --single").endswith("/postgres")
    return is_server and (arguments == str(data) or arguments.startswith(f"{data} "))
