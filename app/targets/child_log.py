"""What a child prints, kept in bounded files: however much it prints, nothing grows."""

from contextlib import suppress
from pathlib import Path

from app.targets.plain_text import plain_text

_LONGEST_LINE = 2000  # characters
_LIMIT = 1024 * 1024


class ChildLog:
    """One log in two files of half the limit each: the newest half is always whole.

    A write that the disk refuses is lost; printing never stops a child.
    """

    def __init__(self, path: Path, *, limit: int = _LIMIT) -> None:
        self._path = path
        self._older = path.with_name(f"{path.name}.1")
        self._limit = limit

    def write(self, data: bytes) -> None:
        """Append `data`, dropping the oldest half of the log when it is full."""
        half = self._limit // 2
        with suppress(OSError):
            size = self._size()
            if size and size + len(data) > half:
                self._path.replace(self._older)
            with self._path.open("ab") as file:
                file.write(data[-half:])

    def tail(self, count: int) -> list[str]:
        """Return the last `count` lines, oldest first, as plain text."""
        if count <= 0:
            return []
        data = b"".join(map(_read, (self._older, self._path)))
        lines = data.decode(errors="replace").splitlines()[-count:]
        return [plain_text(line, longest=_LONGEST_LINE) for line in lines]

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


def last_error(lines: list[str]) -> str | None:
    """Return the line in which the last traceback of `lines` names its exception."""
    found = None
    inside = False
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and line and not line[0].isspace():
            found, inside = line, False
    return found


def _read(path: Path) -> bytes:
    with suppress(OSError):
        return path.read_bytes()
    return b""
