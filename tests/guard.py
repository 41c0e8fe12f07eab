"""A process that outlives pytest and ends whatever pytest left running.

It is started with one directory, waits for the end of its standard input, which comes
with the end of the process that holds the other side, however that ends; then it stops
every PostgreSQL server below the directory and removes it.
"""

import shutil
import sys
from pathlib import Path

from app.storage.postgres.postmaster import find_postmaster


def main(directory: Path) -> None:
    """Wait for the end of pytest, then clean up."""
    sys.stdin.read()
    clean(directory)


def clean(directory: Path) -> None:
    """Stop every server below `directory` and remove it."""
    for pid_file in directory.rglob("postmaster.pid"):
        if leftover := find_postmaster(pid_file.parent):
            leftover.stop(grace_seconds=0)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
