"""Where a revision of target `local` lives, and what is started there."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.targets.child_log import ChildLog
from app.targets.removal import remove_tree

# What `mlflow models serve` runs in the end, without the two processes around it.
SCORING_SERVER = (
    *(sys.executable, "-m", "uvicorn", "mlflow.pyfunc.scoring_server.app:app"),
    *("--no-access-log", "--uds"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerFiles:
    """Where one revision lives: `home` holds everything, `run` its socket."""

    home: Path
    run: Path

    @property
    def work(self) -> Path:
        """Return the directory that the process may write to."""
        return self.home / "work"

    @property
    def socket(self) -> Path:
        """Return the address of the server."""
        return self.run / "s"

    @property
    def log(self) -> ChildLog:
        """Return what the process has printed, in this life and in earlier ones."""
        return ChildLog(self.home / "model.log")

    def renew(self) -> None:
        """Make empty directories for a new life of the process; blocks."""
        for path in (self.work, self.run):
            remove_tree(path)
            path.mkdir(mode=0o700, parents=True)
        (self.work / "tmp").mkdir(mode=0o700)

    def remove(self) -> None:
        """Remove everything; blocks."""
        for path in (self.run, self.home):
            remove_tree(path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What to start: `command` gets the socket's path as its last argument."""

    model: Path
    command: tuple[str, ...]
    environment: Mapping[str, str]
    startup_timeout_seconds: float
