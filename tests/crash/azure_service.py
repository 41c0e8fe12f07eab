"""A real `slipway serve` whose Azure is a simulator in the test's own process."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx

from app.simulator.model_registry import ModelRegistry
from app.simulator.server import Simulator
from app.simulator.services import ServiceBook, ServiceRecord
from app.simulator.world import SUBSCRIPTION, SimulatedWorkspace
from tests.models import StoreOnDisk
from tests.service import Service
from tests.simulating import running_simulator
from tests.support import eventually
from tests.targets.azure_stores import logged_run

MODEL = b"""\
flavors:
  python_function:
    env:
      conda: conda.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.7
mlflow_version: 3.15.0
"""
CONDA = b"""\
channels: [conda-forge]
dependencies:
- python=3.11.7
- pip
- pip: [mlflow==3.15.0, scikit-learn==1.7.2]
name: mlflow-env
"""
# An image and a start in three seconds: long enough for a look in between.
SPEED = 200.0
_LIVE_SECONDS = 90.0


@dataclass(frozen=True, kw_only=True)
class AzureSlipway:
    """A service that is started and killed at will, and the Azure that stays."""

    service: Service
    simulator: Simulator

    def place(self, name: str = "prod") -> SimulatedWorkspace:
        """The simulated workspace."""
        return self.simulator.world.workspace(SUBSCRIPTION, "ml", name)

    def record(self, name: str, workspace: str = "prod") -> ServiceRecord | None:
        """The service at Azure, if there is one."""
        return self.place(workspace).part(ServiceBook).find(name)

    def services(self, workspace: str = "prod") -> list[str]:
        """The names of all services at Azure."""
        found = self.place(workspace).part(ServiceBook).all()
        return sorted(one.name for one in found)

    def versions(self, workspace: str = "prod") -> list[str]:
        """All registered models, as `name:version`."""
        found = self.place(workspace).part(ModelRegistry).models()
        return sorted(one.id for one in found)

    def count(self, method: str, pattern: str) -> int:
        """How many requests with this method went to paths of this pattern."""
        seen = self.simulator.world.journal.seen(method)
        return sum(fnmatchcase(one.path, pattern) for one in seen)

    def logged_model(self, workspace: str = "prod", *, conda: bytes = CONDA) -> str:
        """The URI of a new run's model."""
        files = {"MLmodel": MODEL, "conda.yaml": conda}
        return f"runs:/{logged_run(self.place(workspace), **files)}/model"

    async def declare(self, name: str = "prod") -> None:
        """PUT the workspace, as a platform engineer does."""
        place = self.place(name)
        body = {
            "kind": "azureml",
            "subscription_id": place.subscription,
            "resource_group": place.group,
            "workspace_name": place.name,
            "region": place.region,
        }
        answer = await self.service.client.put(f"/v1/workspaces/{name}", json=body)
        assert answer.status_code in {200, 201}, answer.text

    async def put(self, name: str, uri: str, workspace: str = "prod") -> None:
        """PUT a deployment of a model to `aci`."""
        body = {
            "model": {"uri": uri},
            "target": {"kind": "aci", "cpu_cores": 1, "memory_gb": 1},
            "verify": {"mode": "required", "input": {"inputs": [[1.0, 2.0]]}},
        }
        path = f"/v1/workspaces/{workspace}/deployments/{name}"
        answer = await self.service.client.put(path, json=body)
        assert answer.status_code == 202, answer.text

    async def deployment(self, name: str, workspace: str = "prod") -> dict[str, Any]:
        """The deployment as GET shows it."""
        path = f"/v1/workspaces/{workspace}/deployments/{name}"
        return dict((await self.service.client.get(path)).json())

    async def service_events(self, name: str) -> list[dict[str, Any]]:
        """All events of a deployment in `prod`, in order."""
        found = await self.deployment(name)
        path = f"/v1/deployments/{found['id']}/events"
        answer = await self.service.client.get(path, params={"limit": 200})
        return list(answer.json()["items"])

    async def ended(self, name: str, workspace: str = "prod") -> dict[str, Any]:
        """The deployment once its latest operation has ended."""

        async def look() -> dict[str, Any] | None:
            found = await self.deployment(name, workspace)
            running = found["latest_operation"]["state"] in {"queued", "running"}
            return None if running else found

        return await eventually(look, within_seconds=_LIVE_SECONDS) or {}


@asynccontextmanager
async def azure_slipway(
    directory: Path,
    *,
    speed: float = SPEED,
    latencies: Mapping[str, float] | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[AzureSlipway]:
    """Lend a service that was not started yet, and the simulator that it will meet."""
    data_dir = directory / "data"
    data_dir.mkdir()
    data_dir.chmod(0o711)
    async with (
        running_simulator(
            speed=speed, rate_limits=False, latencies=latencies
        ) as simulator,
        httpx.AsyncClient(timeout=30, trust_env=False) as client,
    ):
        service = Service(
            data_dir=data_dir,
            store=StoreOnDisk(directory=data_dir / "mlflow", runs={}),
            settings={
                **simulator.environment(),
                "SLIPWAY_LOCAL_ENABLED": "false",
                **(settings or {}),
            },
            client=client,
        )
        try:
            yield AzureSlipway(service=service, simulator=simulator)
        finally:
            if service.process is not None and service.process.returncode is None:
                await service.kill()
