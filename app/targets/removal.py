"""Removing what a stranger left behind, whatever it looks like."""

import os
import secrets
import stat
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Remove a directory and all that is in it; missing is success. Blocks.

    Follows no symlink, and needs neither recursion nor long paths: a model may make
    folders deeper than both, or take its own rights to them away.
    """
    try:
        root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        while names := _names(root):
            for name in names:
                _remove(root, name)
    finally:
        os.close(root)
    path.rmdir()


def _remove(root: int, name: str) -> None:
    """Remove an entry of `root`; a folder's own entries move up to `root` first."""
    if not stat.S_ISDIR(os.lstat(name, dir_fd=root).st_mode):
        os.unlink(name, dir_fd=root)
        return
    os.chmod(name, 0o700, dir_fd=root)
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)
    try:
        for inner in _names(folder):
            place = secrets.token_hex(16)
            os.rename(inner, place, src_dir_fd=folder, dst_dir_fd=root)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=root)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]
