"""Where sockets lie."""

import os
import tempfile
from pathlib import Path

import pytest

from app.core.errors import OperatorError
from app.targets.sockets import socket_directory


@pytest.fixture
def system_temp(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system directory for temporary files of this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))
    return short_path


def test_they_lie_with_everything_else_where_the_path_is_short() -> None:
    directory = Path("/var/lib/slipway/local")

    assert socket_directory(directory) == directory / "run"


def test_a_long_path_gets_a_private_directory_the_same_each_time(
    system_temp: Path,
) -> None:
    long = Path("/") / ("x" * 100)

    first, again = socket_directory(long), socket_directory(long)
    other = socket_directory(long / "y")

    assert first == again != other
    assert first.parent == system_temp
    assert first.stat().st_mode & 0o777 == 0o700
    assert len(os.fsencode(first / "0123456789ab" / "s")) <= 107


def test_a_directory_that_others_can_enter_is_not_used(system_temp: Path) -> None:
    long = system_temp / ("x" * 100)
    socket_directory(long).chmod(0o777)

    with pytest.raises(OperatorError):
        socket_directory(long)


def test_a_symlink_in_its_place_is_not_followed(system_temp: Path) -> None:
    long = system_temp / ("x" * 100)
    place = socket_directory(long)
    place.rmdir()
    (system_temp / "elsewhere").mkdir(mode=0o700)
    place.symlink_to(system_temp / "elsewhere")

    with pytest.raises(OperatorError):
        socket_directory(long)
