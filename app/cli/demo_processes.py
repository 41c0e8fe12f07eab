"""Which processes a service has started, so that none of them is forgotten."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# proc_pid_stat(5), counted from the field after the command: state, ppid, starttime.
_STATE, _PARENT, _STARTED = 0, 1, 19


@dataclass(frozen=True, kw_only=True, slots=True)
class _Process:
    pid: int
    parent: int
    started: str
    command: str


class Family:
    """A process, its descendants, and whoever names its directory on a command line.

    The last are those that have become somebody else's children. A process is known
    by its time of start too, so that another one of the same number is not taken for
    it. Where there is no /proc, only the first process is watched, by its owner.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._known: dict[int, str] = {}

    def found(self, pid: int) -> None:
        """Count the process `pid` in."""
        self._known |= {p.pid: p.started for p in _processes() if p.pid == pid}

    def look_around(self) -> None:
        """Count everyone in who belongs to the family now."""
        running = list(_processes())
        belonging = self._alive(running)
        grown = True
        while grown:
            children = {p.pid: p for p in running if p.parent in belonging}
            grown = not children.keys() <= belonging.keys()
            belonging |= children
        self._known |= {p.pid: p.started for p in belonging.values()}

    def alive(self) -> dict[int, str]:
        """Return the command lines of those that run still, by number."""
        return {p.pid: p.command for p in self._alive(_processes()).values()}

    def _alive(self, running: Iterable[_Process]) -> dict[int, _Process]:
        return {
            p.pid: p
            for p in running
            if self._known.get(p.pid) == p.started or self._directory in p.command
        }


def _processes() -> Iterator[_Process]:
    for entry in _PROC.glob("[0-9]*"):
        # Each may end while it is looked at.
        with suppress(OSError):
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            fields = stat.rpartition(")")[2].split()
            if fields[_STATE] != "Z":
                yield _Process(
                    pid=int(entry.name),
                    parent=int(fields[_PARENT]),
                    started=fields[_STARTED],
                    command=command.replace("\0", " ").strip(),
                )
