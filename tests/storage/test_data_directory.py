"""One process at a time owns a data directory."""

import os
from pathlib import Path

import pytest

from app.core.errors import OperatorError
from app.storage.data_directory import DataDirectory, DataDirectoryLockedError
from tests.storage.owning import first_word, kill, owner


def test_a_second_holder_is_refused_and_told_who_is_the_first(tmp_path: Path) -> None:
    with owner(tmp_path) as first:
        assert first_word(first) == "locked"

        with pytest.raises(DataDirectoryLockedError) as refusal:
            DataDirectory(tmp_path).acquire()

        assert f"process {first.pid} " in refusal.value.detail
        assert "owner.py" in refusal.value.detail


def test_the_lock_holds_within_one_process_too(tmp_path: Path) -> None:
    with (
        DataDirectory(tmp_path),
        pytest.raises(DataDirectoryLockedError, match=str(os.getpid())),
    ):
        DataDirectory(tmp_path).acquire()


def test_the_lock_ends_with_a_killed_holder(tmp_path: Path) -> None:
    with owner(tmp_path) as first:
        assert first_word(first) == "locked"

        kill(first)

        with DataDirectory(tmp_path):
            pass


def test_a_released_lock_can_be_had_again(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    directory.acquire()
    directory.release()
    directory.release()

    with DataDirectory(tmp_path):
        pass


def test_a_new_data_directory_is_private_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        with DataDirectory(tmp_path / "new"):
            mode = (tmp_path / "new").stat().st_mode & 0o777
            lock_mode = (tmp_path / "new" / "slipway.lock").stat().st_mode & 0o777
    finally:
        os.umask(previous)

    assert mode == 0o700
    assert lock_mode == 0o600


def test_a_guest_group_may_pass_through_a_new_directory_and_not_list_it(
    tmp_path: Path,
) -> None:
    with DataDirectory(tmp_path / "new", guest_group=os.getegid()):
        status = (tmp_path / "new").stat()

    assert status.st_mode & 0o777 == 0o710
    assert status.st_gid == os.getegid()


def test_a_directory_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    existing = tmp_path / "existing"
    existing.mkdir()
    existing.chmod(0o750)

    with DataDirectory(existing, guest_group=os.getegid()):
        assert existing.stat().st_mode & 0o777 == 0o750


def test_a_data_directory_that_is_a_file_is_an_operators_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OperatorError, match="cannot be used") as refusal:
        DataDirectory(tmp_path / "file").acquire()

    assert "SLIPWAY_DATA_DIR" in refusal.value.advice
