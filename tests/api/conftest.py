"""The API over a database of each test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.house import Api, housed


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    async with housed(database_url, store=tmp_path) as opened:
        yield opened
