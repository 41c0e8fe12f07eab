"""A data directory belongs to at most one Slipway process at a time."""

import fcntl
import os
import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from app.core.errors import OperatorError

_LOCK_NAME = "slipway.lock"
_OWNER_BYTES = 4096


class DataDirectoryLockedError(OperatorError):
    """Another Slipway process holds the data directory."""

    code = "data_directory_locked"
    title = "The data directory is in use"
    remedy = "Stop that process, or choose another SLIPWAY_DATA_DIR."


class DataDirectory:
    """The directory of everything that one installation keeps, under a lock.

    The lock is the kernel's (`flock`), so it ends with the process that holds it,
    however that ends. It is not handed on to programs that the holder starts.
    """

    def __init__(self, path: Path, *, guest_group: int | None = None) -> None:
        """`guest_group` may pass through a directory that is made here, not list it.

        That is for the embedded database, which as root runs under its own account.
        """
        self.path = path.expanduser().resolve()
        self._guest_group = guest_group
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Make the directory where it is missing, and hold its lock from now on.

        A directory that exists keeps its mode, and so does every parent. Raises
        DataDirectoryLockedError, naming the holder, when another process has the lock.
        """
        self._create()
        try:
            descriptor = os.open(self.path / _LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(descriptor, _OWNER_BYTES, 0).decode(errors="replace")
            os.close(descriptor)
            raise _locked(self.path, owner) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n{shlex.join(sys.argv)}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up; once is enough and twice does no harm.

        The file stays: a lock on a file that somebody unlinks protects nothing.
        """
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _create(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            make_private_directory(self.path, guest_group=self._guest_group)
        except OSError as error:
            raise _unusable(self.path, error) from error


def make_private_directory(path: Path, *, guest_group: int | None = None) -> None:
    """Make a directory that is closed to others; leave one that exists as it is.

    Members of `guest_group` may pass through it, and not list it.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    if guest_group is not None:
        os.chown(path, -1, guest_group)
        path.chmod(0o710)


def _locked(path: Path, owner: str) -> DataDirectoryLockedError:
    pid, _, command = owner.strip().partition("\n")
    holder = f"process {pid} ({command})" if pid else "a process that is just starting"
    return DataDirectoryLockedError(f"{path} is in use by {holder}.")


def _unusable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        f"The data directory {path} cannot be used: {error.strerror}.",
        remedy="Point SLIPWAY_DATA_DIR at a directory that this user may write to.",
    )
