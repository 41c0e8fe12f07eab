"""A model's files: copied and counted with nothing but plain files in their tree."""

import errno
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from app.core.failure import TargetError
from app.targets.failures import model_refused

_LONGEST_PATH = 1024  # characters
_DEEPEST_PATH = 32  # folders


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLimits:
    """How much one model may bring along."""

    max_bytes: int = 4 * 1024**3
    max_files: int = 10_000

    def check(self, *, files: int, size: int) -> None:
        """Raise TargetError (`model_refused`) if it is more than that."""
        if files > self.max_files:
            raise model_refused(
                f"it has more than {self.max_files} files and folders",
                remedy="Log fewer files, for example as one archive.",
            )
        if size > self.max_bytes:
            raise _too_large()


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file or folder of a model, by its path below the model's root."""

    path: str
    is_directory: bool


class ArtifactSource(Protocol):
    """Where a model's files are."""

    def entries(self, path: str) -> list[Entry]:
        """Return what is directly in the folder `path` ("" is the root)."""
        ...

    def copy(self, path: str, to: Path) -> None:
        """Write the file `path` to the new file `to`."""
        ...


class LocalSource:
    """A model's directory on this machine, read without following a symlink."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def entries(self, path: str) -> list[Entry]:
        """Return what is directly in the folder `path`, refusing what is no file."""
        found = []
        for item in sorted(self._find(path).iterdir()):
            mode = item.lstat().st_mode
            _refuse_special(mode, item.name)
            name = str(PurePosixPath(path) / item.name)
            found.append(Entry(path=name, is_directory=stat.S_ISDIR(mode)))
        return found

    def copy(self, path: str, to: Path) -> None:
        """Write the file `path` to the new file `to`."""
        source = os.open(self._find(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(source, "rb") as reader, to.open("xb") as writer:
            _refuse_special(os.fstat(source).st_mode, path)
            while chunk := reader.read(1024 * 1024):
                writer.write(chunk)

    def _find(self, path: str) -> Path:
        expected = self._root / path
        if expected.resolve() != expected:
            raise model_refused("a symlink is among its files")
        return expected


def copy_tree(source: ArtifactSource, root: Path, limits: FileLimits) -> int:
    """Copy all of `source` to the new folder `root`; return how many bytes it has.

    Raises TargetError (`model_refused`) for a path that leaves `root`, for anything
    that is neither a file nor a folder, and at the first byte over a limit.
    """
    root.mkdir()
    size = 0
    for count, entry in enumerate(_walk(source, limits), start=1):
        limits.check(files=count, size=size)
        place = root / entry.path
        if entry.is_directory:
            place.mkdir()
        else:
            size += _copy_within(source, entry.path, place, limits.max_bytes - size)
    return size


def copy_file(source: ArtifactSource, path: str, to: Path, max_bytes: int) -> int:
    """Copy one file and return its size; OSError (EFBIG) if it is over `max_bytes`."""
    with _file_size_limit(max_bytes):
        source.copy(path, to)
    return to.stat().st_size


def check_tree(root: Path, limits: FileLimits) -> None:
    """Raise TargetError (`model_refused`) unless `root` holds plain files alone."""
    files = size = 0
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            status = (Path(folder) / name).lstat()
            _refuse_special(status.st_mode, name)
            files += 1
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
            limits.check(files=files, size=size)


def check_relative_path(path: str) -> None:
    """Raise TargetError (`model_refused`) unless `path` stays below where it starts."""
    parts = path.split("/")
    is_plain = path.isprintable() and not set(path) & set("\\\0")
    climbs = path.startswith(("/", "~")) or ".." in parts or "://" in path
    if climbs or not is_plain or len(path) > _LONGEST_PATH:
        raise model_refused("one of its paths leads out of its own directory")
    if len(parts) > _DEEPEST_PATH:
        raise model_refused(f"its folders are more than {_DEEPEST_PATH} deep")


def _copy_within(source: ArtifactSource, path: str, to: Path, max_bytes: int) -> int:
    try:
        return copy_file(source, path, to, max_bytes)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise _too_large() from error


def _too_large() -> TargetError:
    return model_refused(
        "its files are larger than the limit for one model",
        remedy="Log a smaller model, or raise the limit.",
    )


def _walk(source: ArtifactSource, limits: FileLimits) -> Iterator[Entry]:
    pending = [""]
    while pending:
        folder = pending.pop()
        entries = source.entries(folder)
        limits.check(files=len(entries), size=0)
        for entry in entries:
            check_relative_path(entry.path)
            # A listing may name what is elsewhere, or the folder itself again.
            path = PurePosixPath(entry.path)
            if not path.name or path.parent != PurePosixPath(folder):
                raise model_refused("its listing names files of another folder")
            yield entry
            if entry.is_directory:
                pending.append(entry.path)


def _refuse_special(mode: int, name: str) -> None:
    if stat.S_ISLNK(mode):
        raise model_refused("a symlink is among its files")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise model_refused(f"{name!r} is neither a file nor a folder")


@contextmanager
def _file_size_limit(max_bytes: int) -> Iterator[None]:
    """Let the kernel refuse a longer file, whoever writes it and however."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = max_bytes if hard == resource.RLIM_INFINITY else min(max_bytes, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
