"""The v1 targets on a simulator that the tests of one module share."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.targets.azureml_v1.v1 import V1Bench, v1_bench


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_bench(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[V1Bench]:
    directory = tmp_path_factory.mktemp("v1")
    with pytest.MonkeyPatch.context() as environment:
        async with v1_bench(directory, environment) as bench:
            yield bench


@pytest_asyncio.fixture(loop_scope="module")
async def bench(shared_bench: V1Bench) -> V1Bench:
    """The module's, with nothing in its journal and no fault in force."""
    shared_bench.simulator.world.faults.clear()
    shared_bench.simulator.world.journal.clear()
    return shared_bench
