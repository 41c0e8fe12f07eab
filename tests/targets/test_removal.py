"""Removing what a stranger left behind."""

import os
from pathlib import Path

from app.targets.removal import remove_tree


def test_a_tree_is_removed_whole(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "c").write_text("c")
    os.mkfifo(tree / "pipe")

    remove_tree(tree)

    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_success(tmp_path: Path) -> None:
    remove_tree(tmp_path / "missing")


def test_a_symlink_is_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("kept")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(kept)

    remove_tree(tree)

    assert (kept / "file").read_text() == "kept"
    assert not tree.exists()


def test_folders_deeper_than_any_path_are_removed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    folder = os.open(tree, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("deeper", dir_fd=folder)
        inner = os.open("deeper", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)

    remove_tree(tree)

    assert not tree.exists()


def test_a_folder_that_gave_up_its_rights_is_removed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "closed" / "inner").mkdir(parents=True)
    (tree / "closed").chmod(0)

    remove_tree(tree)

    assert not tree.exists()
