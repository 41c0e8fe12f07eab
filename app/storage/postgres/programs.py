"""Child programs end in bounded time and see only what they are given."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.core.errors import OperatorError

# No password, key or token of the service's own environment reaches the database.
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}
_TAIL_LINES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The user and group that a program runs as."""

    uid: int
    gid: int

    @property
    def is_own(self) -> bool:
        """Whether this is the account of the present process."""
        return self.uid == os.geteuid()

    def take(self, path: Path) -> None:
        """Give this account the ownership of `path`."""
        if not self.is_own:
            os.chown(path, self.uid, self.gid)


def own_account() -> Account:
    """Return the account of the present process."""
    return Account(uid=os.geteuid(), gid=os.getegid())


def spawn(
    argv: Sequence[str],
    account: Account,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start `argv` as `account` in a session of its own, out of reach of Ctrl-C.

    Without `environment` it gets a minimal one. Raises OSError.
    """
    switch = not account.is_own
    # Every argv is built in this package, and no shell reads it.
    return subprocess.Popen(  # noqa: S603
        list(argv),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        text=True,
        env=_ENVIRONMENT if environment is None else environment,
        # The account may not be able to read the service's working directory.
        cwd="/",
        umask=0o077,
        user=account.uid if switch else None,
        group=account.gid if switch else None,
        extra_groups=() if switch else None,
        start_new_session=True,
    )


def run(
    argv: Sequence[str],
    account: Account,
    *,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 60.0,
) -> str:
    """Return what `argv` wrote to its standard output, once it has succeeded.

    Raises OperatorError, quoting the end of its standard error, when it cannot be
    started, fails, or is killed (with its children) after `timeout_seconds`.
    """
    name = Path(argv[0]).name
    try:
        process = spawn(
            argv,
            account,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            environment=environment,
        )
    except OSError as error:
        raise OperatorError(f"{name} cannot be run: {error.strerror}.") from error
    with process:
        try:
            output, errors = process.communicate(stdin, timeout=timeout_seconds)
        except subprocess.TimeoutExpired as error:
            message = f"{name} did not end within {timeout_seconds:g} seconds."
            raise OperatorError(message) from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise OperatorError(f"{name} failed: {tail(errors)}")
    return output


def tail(text: str) -> str:
    """Return the last lines of `text`, enough to see why a program failed."""
    lines = text.strip().splitlines()[-_TAIL_LINES:]
    return "\n".join(lines) or "it said nothing."
