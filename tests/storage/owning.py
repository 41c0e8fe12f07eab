"""Owners of data directories, in this process or in one to kill, and what they own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from app.storage.data_directory import DataDirectory
from app.storage.embedded import EmbeddedPostgres, guest_group

_REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def owner(
    data_dir: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run `owner.py` on `data_dir`; at the end it is killed if it still runs."""
    process = subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-m", "tests.storage.owner", str(data_dir), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_REPOSITORY,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            kill(process)


def first_word(process: subprocess.Popen[str]) -> str:
    """Return what an owner says once it owns everything, past what it logs."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(("locked", "postgresql://")):
            return line.strip()
    raise AssertionError("the owner ended before it owned anything")


def kill(process: subprocess.Popen[str]) -> None:
    """End a process at once, with no chance to clean up, and wait for its end."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)


@contextmanager
def running(
    data_dir: Path, *, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Own `data_dir` in this process and run its server, giving its URL."""
    with DataDirectory(data_dir, guest_group=guest_group()):
        server = EmbeddedPostgres(data_dir, settings=settings)
        try:
            yield server.start()
        finally:
            server.stop()


def postmaster_pid(data_dir: Path) -> int:
    """Return the process id that the server of `data_dir` has written down."""
    pid_file = data_dir / "postgres" / "data" / "postmaster.pid"
    return int(pid_file.read_text(encoding="ascii").split()[0])


def processes_in(directory: Path) -> list[int]:
    """Return every process that works in or below `directory`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = (process / "cwd").readlink()
        except OSError:
            continue
        if place.is_relative_to(directory):
            found.append(int(process.name))
    return found


def execute(url: str, statements: str) -> None:
    """Run SQL at `url` and commit it."""
    with psycopg.connect(url) as connection:
        connection.execute(statements.encode())


def query(url: str, statement: str) -> object:
    """Return the one value that a statement gives at `url`."""
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def mode_of(path: Path) -> int:
    """Return the permission bits of `path`."""
    return path.stat().st_mode & 0o777
