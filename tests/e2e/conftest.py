"""The article, played once for all tests that read what became of it."""

from pathlib import Path

import pytest

from tests.e2e.article import Played, played


@pytest.fixture(scope="session")
def article(tmp_path_factory: pytest.TempPathFactory, servers_root: Path) -> Played:
    return played(tmp_path_factory, servers_root)
