"""Creates whose answers are lost, many of them: as many services, and not one more."""

import asyncio
from pathlib import Path

import pytest

from app.core.aci_options import AciOptions
from tests.fakes import FakeLease
from tests.targets.azureml_v1.v1 import v1_bench

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_COUNT = 200
_OPTIONS = AciOptions(kind="aci")


async def test_however_many_answers_are_lost_no_second_service_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with v1_bench(tmp_path, monkeypatch) as bench:
        names = sorted(f"lost-{number:03}" for number in range(_COUNT))
        requests = [bench.request(_OPTIONS, name) for name in names]
        lost = {"method": "POST", "path": "*/services"}
        bench.simulator.world.faults.add("lost-answer", times=None, where=lost)

        first = await asyncio.gather(
            *(bench.aci.apply(request, FakeLease()) for request in requests)
        )
        again = await asyncio.gather(
            *(bench.aci.apply(request, FakeLease()) for request in requests)
        )

        assert again == first
        assert sorted(bench.names()) == names
        # Every create met the fault, so this is how many there were.
        (rule,) = bench.simulator.world.faults.state()
        assert rule["taken"] == _COUNT
