"""The server's socket lies in a directory that only its own account can enter."""

import os
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import OperatorError
from app.storage.postgres.files import write_durably
from app.storage.postgres.programs import Account

PORT = 5432

_SOCKET_NAME = f".s.PGSQL.{PORT}"
# sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, the final NUL
# included; the smaller of the two holds everywhere.
_LONGEST_SOCKET_PATH = 103


@dataclass(frozen=True, kw_only=True, slots=True)
class SocketDirectory:
    """Where the socket lies: `usual` if a socket's address can name it.

    Otherwise a private directory below the system's temporary one, which the file
    `record` remembers, so that another process finds the same server.
    """

    usual: Path
    record: Path
    account: Account

    def prepare(self) -> Path:
        """Return the directory, made where it is missing."""
        if _is_addressable(self.usual):
            self.usual.mkdir(mode=0o700, exist_ok=True)
            self.account.take(self.usual)
            return self.usual
        return self._recorded() or self._improvise()

    def find(self) -> Path | None:
        """Return the directory that `prepare` made, or None if it is not there."""
        if _is_addressable(self.usual):
            return self.usual if self.usual.is_dir() else None
        return self._recorded()

    def remove(self) -> None:
        """Take away what lies outside the data directory."""
        if directory := self._recorded():
            shutil.rmtree(directory)
        self.record.unlink(missing_ok=True)

    def _recorded(self) -> Path | None:
        try:
            directory = Path(self.record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return directory if self._is_private(directory) else None

    def _is_private(self, directory: Path) -> bool:
        # Anybody may have made a directory of that name after the machine restarted
        # with an empty temporary directory.
        try:
            found = directory.lstat()
        except OSError:
            return False
        is_closed = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        return is_closed and found.st_uid == self.account.uid

    def _improvise(self) -> Path:
        directory = Path(tempfile.mkdtemp(prefix="slipway-"))
        if not _is_addressable(directory):
            directory.rmdir()
            raise OperatorError(
                f"The path {directory} is too long for a socket.",
                remedy="Set SLIPWAY_DATA_DIR or TMPDIR to a shorter path.",
            )
        self.account.take(directory)
        write_durably(self.record, str(directory))
        return directory


def _is_addressable(directory: Path) -> bool:
    # libpq takes a comma in `host` for the end of one host's name, and PostgreSQL
    # quotes its list of directories.
    path = os.fsencode(directory / _SOCKET_NAME)
    return b"," not in path and b'"' not in path and len(path) <= _LONGEST_SOCKET_PATH
