"""The project's own files, as the house tests read them."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return what git tracks or would track; skip the test outside a checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, to tell our files from generated ones")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    # A folder that belongs to another user is ours to read all the same.
    trusting = [git, "-c", f"safe.directory={ROOT}", *command[1:]]
    listing = subprocess.run(trusting, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - a constant command
    names = listing.stdout.decode().split("\0")
    # A file deleted from the work tree is still listed until it is committed.
    return tuple(ROOT / name for name in names if name and (ROOT / name).is_file())


def python_files(*folders: str) -> list[Path]:
    """Return every Python file below `folders` of the project."""
    return sorted(path for name in folders for path in (ROOT / name).rglob("*.py"))
