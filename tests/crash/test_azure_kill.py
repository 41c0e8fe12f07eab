"""kill -9 of the service at each step of a deployment to Azure: one service, live."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.simulator.faults import Faults
from tests.crash.azure_service import AzureSlipway, azure_slipway
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_NAME = "diabetes"
_FOR_LONG = {"seconds": 120}
# Image, scheduling and start of a service.
_A_DEPLOYMENT_SECONDS = 600.0


def _registering(faults: Faults) -> None:
    """Have the version made, its maker not told, and its look for it held up."""
    faults.add("lost-answer", where={"path": "*/model-versions/create"})
    search = {"path": "*/model-versions/search"}
    faults.add("slow", times=None, after=1, where=search, parameters=_FOR_LONG)


def _uploading(faults: Faults) -> None:
    upload = {"method": "PUT", "path": "*/LocalUpload/*"}
    faults.add("slow", where=upload, parameters=_FOR_LONG)


def _creating(faults: Faults) -> None:
    """Have the service made, its maker not told, and its look for it held up."""
    faults.add("lost-answer", where={"method": "POST", "path": "*/services"})
    look = {"method": "GET", "path": f"*/services/{_NAME}"}
    faults.add("slow", times=None, after=1, where=look, parameters=_FOR_LONG)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When the service is killed: by itself at a failpoint, or as Azure sees it."""

    failpoint: str | None = None
    arrange: Callable[[Faults], None] = lambda _: None
    is_reached: Callable[[AzureSlipway], object] = lambda _: True


# Each kill hits what the one before it left, in the order of a deployment.
_MOMENTS = {
    "registered, not told": Moment(
        arrange=_registering, is_reached=lambda azure: azure.versions()
    ),
    "registered, not recorded": Moment(failpoint="resolve.done"),
    "uploading": Moment(
        arrange=_uploading,
        is_reached=lambda azure: azure.count("PUT", "*/LocalUpload/*"),
    ),
    "created, not told": Moment(
        arrange=_creating, is_reached=lambda azure: azure.services()
    ),
    "created, not recorded": Moment(failpoint="deploy.applied"),
    # Only who polls asks for all services.
    "polling": Moment(is_reached=lambda azure: azure.count("GET", "*/services")),
    "verifying": Moment(failpoint="verify"),
    "serving, not recorded": Moment(failpoint="shift.moved"),
}


async def test_a_deployment_outlives_a_kill_at_each_of_its_steps(
    server_dir: Path,
) -> None:
    # Time stands almost still at Azure until it is moved.
    async with azure_slipway(server_dir, speed=1.0) as azure:
        uri = azure.logged_model()
        for number, (name, moment) in enumerate(_MOMENTS.items()):
            moment.arrange(azure.simulator.world.faults)
            if name == "verifying":
                azure.simulator.world.clock.skip(_A_DEPLOYMENT_SECONDS)
            await azure.service.start(failpoint=moment.failpoint)
            if number == 0:
                await azure.declare()
                await azure.put(_NAME, uri)
            await _killed(azure, moment)
            azure.simulator.world.faults.clear()

        await azure.service.start()
        found = await azure.ended(_NAME)

        operation = found["latest_operation"]
        assert (found["state"], operation["state"]) == ("live", "succeeded")
        assert azure.services() == [_NAME]
        assert azure.versions() == [f"{_NAME}-model:1"]
        assert azure.count("POST", "*/services") == 1
        assert azure.count("POST", "*/model-versions/create") == 1
        told = [event["sequence"] for event in await azure.service_events(_NAME)]
        assert told == list(range(1, len(told) + 1))


async def _killed(azure: AzureSlipway, moment: Moment) -> None:
    """Return once the service was killed at the moment."""
    if moment.failpoint is not None:
        assert await azure.service.died() == -signal.SIGKILL
        return
    await eventually(lambda: moment.is_reached(azure), within_seconds=60)
    await azure.service.kill()
