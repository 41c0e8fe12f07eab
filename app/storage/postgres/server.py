"""A server is started so that it either gets ready or says why not."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import OperatorError
from app.storage.postgres.installation import Installation
from app.storage.postgres.postmaster import (
    Postmaster,
    forget_stale_claim,
    joined,
)
from app.storage.postgres.programs import Account, spawn, tail

# After a crash the server first replays up to a gigabyte of its log.
_READY_TIMEOUT_SECONDS = 300.0
_LONGEST_LOG_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """How to start PostgreSQL on one cluster; `log` takes all that it says."""

    installation: Installation
    account: Account
    data: Path
    log: Path
    settings: Mapping[str, str]

    @property
    def command(self) -> str:
        """The command line by which a running server is known to be just this one."""
        return joined(self._argv())

    def version(self) -> str:
        """Return the version of the programs; a running server may be older."""
        return self.installation.version(self.account)

    def launch(self) -> Postmaster:
        """Return a started server that may not be ready yet."""
        self._rotate_log()
        forget_stale_claim(self.data)
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as log:
            try:
                child = spawn(self._argv(), self.account, stdout=log)
            except OSError as error:
                message = f"PostgreSQL cannot be run: {error.strerror}."
                raise OperatorError(message) from error
        return Postmaster(child.pid, self.command, data=self.data, child=child)

    def require_ready(self, postmaster: Postmaster) -> None:
        """Wait until the server takes connections.

        Raises OperatorError with the end of the server's log when it does not.
        """
        if not postmaster.wait_until_ready(_READY_TIMEOUT_SECONDS):
            words = self.log.read_text(encoding="utf-8", errors="replace")
            raise OperatorError(
                f"PostgreSQL did not start; its log {self.log} ends:\n{tail(words)}"
            )

    def _argv(self) -> list[str]:
        program = self.installation.program("postgres")
        settings = (f"--{name}={value}" for name, value in self.settings.items())
        return [program, "-D", str(self.data), *settings]

    def _rotate_log(self) -> None:
        # PostgreSQL writes a few lines an hour: a look at each start is enough.
        if self.log.exists() and self.log.stat().st_size > _LONGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
