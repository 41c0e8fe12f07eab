"""kill -9 of the service while it makes a cluster at Azure: one compute, live."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.crash.azure_service import AzureSlipway, azure_slipway
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_PATH = "/v1/workspaces/prod/clusters/aks-1"
_PUT = {"method": "PUT", "path": "*/computes/aks-1"}
_A_CLUSTER_SECONDS = 3600.0


async def test_a_cluster_outlives_a_kill_at_each_of_its_steps(
    server_dir: Path,
) -> None:
    # Time stands almost still at Azure until it is moved.
    async with azure_slipway(server_dir, speed=1.0) as azure:
        faults = azure.simulator.world.faults
        # The compute is made, its maker not told, and its look for it held up.
        faults.add("lost-answer", where=_PUT)
        look = {"method": "GET", "path": "*/computes/aks-1"}
        faults.add("slow", times=None, after=1, where=look, parameters={"seconds": 120})
        await azure.service.start()
        await azure.declare()
        answer = await azure.service.client.put(_PATH, json={})
        assert answer.status_code == 202, answer.text
        await eventually(lambda: _puts(azure), within_seconds=60)
        await azure.service.kill()
        faults.clear()

        await azure.service.start(failpoint="cluster.applied")
        assert await azure.service.died() == -signal.SIGKILL

        azure.simulator.world.clock.skip(_A_CLUSTER_SECONDS)
        await azure.service.start()
        found = await _ended(azure)

        told = await azure.service.client.get(f"{_PATH}/events?limit=200")
        numbers = [event["sequence"] for event in told.json()["items"]]
        assert found["state"] == "live"
        assert found["latest_operation"]["state"] == "succeeded"
        assert _puts(azure) == 1
        assert numbers == list(range(1, len(numbers) + 1))
        await _delete(azure)


async def _delete(azure: AzureSlipway) -> None:
    answer = await azure.service.client.delete(_PATH)
    assert answer.status_code == 202, answer.text
    await eventually(lambda: azure.count("DELETE", "*/computes/aks-1"))
    azure.simulator.world.clock.skip(_A_CLUSTER_SECONDS)

    async def is_gone() -> bool:
        shown = await azure.service.client.get(_PATH)
        return shown.status_code == 404

    await eventually(is_gone, within_seconds=60)


def _puts(azure: AzureSlipway) -> int:
    return azure.count("PUT", "*/computes/aks-1")


async def _ended(azure: AzureSlipway) -> dict[str, Any]:
    """The cluster once its latest operation has ended."""

    async def look() -> dict[str, Any] | None:
        found = dict((await azure.service.client.get(_PATH)).json())
        running = found["latest_operation"]["state"] in {"queued", "running"}
        return None if running else found

    return await eventually(look, within_seconds=90) or {}
