"""Stores and places for the tests of targets."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models import StoreOnDisk, built_store, copied_store


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> StoreOnDisk:
    """A store that nobody changes."""
    return built_store(tmp_path_factory)


@pytest.fixture
def own_store(shared_store: StoreOnDisk, tmp_path: Path) -> StoreOnDisk:
    """A store of this test's own."""
    return copied_store(shared_store, tmp_path / "store")


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose sockets have short addresses, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="slw-"))
    yield path
    shutil.rmtree(path)
