"""A service for each test, below a directory whose servers never outlive it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.models import StoreOnDisk, built_store
from tests.service import Service, service


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> StoreOnDisk:
    return built_store(tmp_path_factory)


@pytest.fixture
async def slipway(
    server_dir: Path, shared_store: StoreOnDisk
) -> AsyncIterator[Service]:
    async with service(server_dir, shared_store) as lent:
        yield lent
