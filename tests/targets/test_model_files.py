"""A model's files, copied and counted."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typing_extensions import override

from app.core.failure import FailureCode, TargetError
from app.targets.model_files import (
    Entry,
    FileLimits,
    LocalSource,
    check_tree,
    copy_tree,
)

_SMALL = FileLimits(max_bytes=100, max_files=5)
_SMALL_BYTES = FileLimits(max_bytes=500, max_files=50)


def _model(directory: Path) -> Path:
    (directory / "code" / "inner").mkdir(parents=True)
    (directory / "MLmodel").write_text("flavors: {}")
    (directory / "code" / "inner" / "a.py").write_text("a = 1")
    (directory / "empty").mkdir()
    return directory


class _Listing:
    """A source that says whatever it is given."""

    def __init__(self, *entries: Entry) -> None:
        self._entries = entries
        self.copied: list[str] = []

    def entries(self, path: str) -> list[Entry]:
        del path
        return list(self._entries)

    def copy(self, path: str, to: Path) -> None:
        self.copied.append(path)
        to.write_bytes(b"")


def test_a_tree_is_copied_whole(tmp_path: Path) -> None:
    source = _model(tmp_path / "model")

    size = copy_tree(LocalSource(source), tmp_path / "copy", _SMALL)

    copied = tmp_path / "copy"
    assert size == 16
    assert (copied / "code" / "inner" / "a.py").read_text() == "a = 1"
    assert (copied / "empty").is_dir()
    assert len(list(copied.rglob("*"))) == 5


def _link_file(model: Path) -> None:
    (model / "weights").symlink_to("/etc/passwd")


def _link_inside(model: Path) -> None:
    (model / "weights").symlink_to("MLmodel")


def _link_folder(model: Path) -> None:
    (model / "code" / "more").symlink_to("/etc")


def _fifo(model: Path) -> None:
    os.mkfifo(model / "pipe")


@pytest.mark.parametrize("spoil", [_link_file, _link_inside, _link_folder, _fifo])
def test_what_is_no_plain_file_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    model = _model(tmp_path / "model")
    spoil(model)
    limits = FileLimits()

    with pytest.raises(TargetError) as copied:
        copy_tree(LocalSource(model), tmp_path / "copy", limits)
    with pytest.raises(TargetError) as checked:
        check_tree(model, limits)

    assert copied.value.failure.code is FailureCode.MODEL_REFUSED
    assert checked.value.failure.code is FailureCode.MODEL_REFUSED


def test_a_folder_that_turned_into_a_link_is_not_read(tmp_path: Path) -> None:
    model = _model(tmp_path / "model")
    source = LocalSource(model)
    (model / "code").rename(tmp_path / "code")
    (model / "code").symlink_to(tmp_path / "code")

    with pytest.raises(TargetError):
        source.copy("code/inner/a.py", tmp_path / "copy")


def test_a_file_over_the_limit_is_never_written_whole(tmp_path: Path) -> None:
    model = _model(tmp_path / "model")
    (model / "weights").write_bytes(b"x" * 1000)

    with pytest.raises(TargetError) as error:
        copy_tree(LocalSource(model), tmp_path / "copy", _SMALL_BYTES)
    with pytest.raises(TargetError):
        check_tree(model, _SMALL_BYTES)

    written = sum(p.stat().st_size for p in (tmp_path / "copy").rglob("*"))
    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert written < 1000 + 3 * 4096


def test_the_limit_is_lifted_again(tmp_path: Path) -> None:
    model = _model(tmp_path / "model")
    (model / "weights").write_bytes(b"x" * 1000)
    with pytest.raises(TargetError):
        copy_tree(LocalSource(model), tmp_path / "copy", _SMALL_BYTES)

    (tmp_path / "later").write_bytes(b"x" * 5000)

    assert (tmp_path / "later").stat().st_size == 5000


def test_many_files_of_little_size_are_refused(tmp_path: Path) -> None:
    model = _model(tmp_path / "model")
    for number in range(5):
        (model / f"{number}").touch()

    with pytest.raises(TargetError):
        copy_tree(LocalSource(model), tmp_path / "copy", _SMALL)
    with pytest.raises(TargetError):
        check_tree(model, _SMALL)


def test_files_that_together_are_too_large_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for number in range(4):
        (model / f"{number}").write_bytes(b"x" * 30)

    with pytest.raises(TargetError):
        copy_tree(LocalSource(model), tmp_path / "copy", _SMALL)
    with pytest.raises(TargetError):
        check_tree(model, _SMALL)


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "/etc/cron.d/x",
        "a/../../x",
        "..",
        "other/x",
        "~/x",
        "a\\b",
        "",
        ".",
    ],
)
def test_a_listing_that_names_what_is_elsewhere_is_refused(
    tmp_path: Path, path: str
) -> None:
    source = _Listing(Entry(path=path, is_directory=False))

    with pytest.raises(TargetError) as error:
        copy_tree(source, tmp_path / "copy", _SMALL)

    assert error.value.failure.code is FailureCode.MODEL_REFUSED
    assert source.copied == []


def test_a_listing_without_end_is_refused(tmp_path: Path) -> None:
    class Endless(_Listing):
        """Each folder holds one more."""

        @override
        def entries(self, path: str) -> list[Entry]:
            return [Entry(path=f"{path}/a".lstrip("/"), is_directory=True)]

    with pytest.raises(TargetError):
        copy_tree(Endless(), tmp_path / "copy", FileLimits())


def test_a_model_may_bring_four_gigabytes_in_ten_thousand_files() -> None:
    limits = FileLimits()

    assert (limits.max_bytes, limits.max_files) == (4 * 1024**3, 10_000)
