"""The v1 targets on a simulator, through the real azureml-core in its children."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import SystemClock
from app.core.specs import AnyTargetOptions
from app.core.target import (
    ApplyRequest,
    Handle,
    Mark,
    Observation,
    ObservedPhase,
    ResolvedModel,
)
from app.core.workspace import AzureMlWorkspace, Workspace
from app.simulator.artifacts import ArtifactStore
from app.simulator.clusters import Clusters
from app.simulator.model_registry import ModelRegistry
from app.simulator.server import Simulator
from app.simulator.services import ServiceBook, ServiceRecord
from app.simulator.world import SUBSCRIPTION, SimulatedWorkspace
from app.targets.azure_observer import AzureObserver
from app.targets.azure_paths import azure_identity
from app.targets.azure_poller import Intervals
from app.targets.azure_rest import AzureRest
from app.targets.azure_transport import azure_client
from app.targets.azureml_v1.build_log import BuildLogs
from app.targets.azureml_v1.changes import V1Changes
from app.targets.azureml_v1.last_words import LastWords
from app.targets.azureml_v1.sdk_pool import SdkPool
from app.targets.azureml_v1.services import V1Services
from app.targets.azureml_v1.target import AciTarget, AksTarget, V1Parts, V1Target
from app.targets.scoring import HttpScorer
from tests.fakes import FakeLease
from tests.simulating import running_simulator
from tests.targets.azure_stores import FakeTokens, azure_workspace

CLUSTER = "cluster-1"

_DESCRIPTION = b"""\
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    python_version: 3.11.7
mlflow_version: 3.15.0
"""
_CONDA = b"""\
channels:
- conda-forge
dependencies:
- python=3.11.7
- pip<=24.0
- pip:
  - mlflow==3.15.0
  - scikit-learn==1.7.2
name: mlflow-env
"""


@dataclass(frozen=True, kw_only=True)
class V1Bench:
    """Two targets, a simulator, and what the tests ask of them."""

    simulator: Simulator
    aci: V1Target
    aks: V1Target
    pool: SdkPool
    workspaces: dict[str, Workspace] = field(default_factory=dict)

    def place(self, name: str = "prod") -> SimulatedWorkspace:
        return self.simulator.world.workspace(SUBSCRIPTION, "ml", name)

    def place_identity(self, name: str) -> AzureMlWorkspace:
        return azure_identity(self.workspaces[name])

    def target(self, options: AnyTargetOptions) -> V1Target:
        return self.aci if options.kind == "aci" else self.aks

    def record(self, name: str, workspace: str = "prod") -> ServiceRecord | None:
        return self.place(workspace).part(ServiceBook).find(name)

    def names(self, workspace: str = "prod") -> list[str]:
        return [one.name for one in self.place(workspace).part(ServiceBook).all()]

    def writes(self, method: str, ending: str) -> list[Any]:
        """The JSON bodies that arrived with `method` at paths that end so."""
        return [
            json.loads(bytes(one.body))
            for one in self.simulator.world.journal.seen(method)
            if one.path.endswith(ending)
        ]

    def request(
        self,
        options: AnyTargetOptions,
        name: str = "diabetes-1",
        **changed: Any,  # noqa: ANN401 - any field of the request
    ) -> ApplyRequest:
        workspace = changed.pop("workspace", "prod")
        mark = Mark(
            installation="inst_1",
            deployment=f"dep_{name}",
            revision=changed.pop("revision", 1),
            operation=changed.pop("operation", "op_1"),
            epoch=1,
        )
        request = ApplyRequest(
            workspace=self.workspaces[workspace],
            deployment_name=name,
            endpoint=f"mms/{name}",
            slot="r1",
            mark=mark,
            options=options,
            model=model("1"),
            tags={"team": "research"},
            properties={"origin": "tests"},
            description="A model",
            handle=None,
        )
        return replace(request, **changed)

    async def settled(self, target: V1Target, handle: Handle) -> Observation:
        """The first look at which the service is not starting any more."""
        while True:
            seen = await target.observe(handle)
            if seen.phase is not ObservedPhase.STARTING:
                return seen

    async def up(self, request: ApplyRequest) -> Handle:
        """Apply, and wait until it is ready."""
        target = self.target(request.options)
        handle = await target.apply(request, FakeLease())
        seen = await self.settled(target, handle)
        assert seen.phase is ObservedPhase.READY, seen
        return handle


def model(version: str) -> ResolvedModel:
    return ResolvedModel(
        name="diabetes", version=version, uri=f"models:/diabetes/{version}"
    )


def add_models(place: SimulatedWorkspace) -> None:
    """Register two versions: one that points at an asset, one at files."""
    store, registry = place.part(ArtifactStore), place.part(ModelRegistry)
    for folder in ("up1", "up2"):
        for name, content in {"MLmodel": _DESCRIPTION, "conda.yaml": _CONDA}.items():
            store.write("LocalUpload", folder, f"model/{name}", content)
    asset = registry.add_asset("diabetes", [{"prefix": "LocalUpload/up1/model"}], {})
    registry.register("diabetes", f"aml://asset/{asset.id}")
    registry.register("diabetes", "aml://artifactId/LocalUpload/up2/model")


def add_cluster(place: SimulatedWorkspace) -> None:
    """Have a cluster in the workspace, ready at once."""
    clusters = place.part(Clusters)
    clusters.put(CLUSTER, {"properties": {"computeType": "AKS", "properties": {}}})


@asynccontextmanager
async def v1_bench(
    directory: Path, environment: pytest.MonkeyPatch, *, speed: float = 1000.0
) -> AsyncIterator[V1Bench]:
    """Both targets on a simulator of their own; `environment` is pytest's monkeypatch.

    Time runs fast there, and looks are made as often as it takes.
    """
    async with running_simulator(
        speed=speed, rate_limits=False, latencies={"cluster-create": 0.0}
    ) as simulator:
        for name, value in simulator.environment().items():
            environment.setenv(name, value)
        places = list(simulator.world.workspaces.values())
        for place in places:
            add_models(place)
            add_cluster(place)
        workspaces = {place.name: azure_workspace(place) for place in places}
        async with _targets(simulator, directory, workspaces) as bench:
            yield bench


@asynccontextmanager
async def _targets(
    simulator: Simulator, directory: Path, workspaces: Mapping[str, Workspace]
) -> AsyncIterator[V1Bench]:
    clock, tokens = SystemClock(), FakeTokens(simulator.world)
    by_id = {one.id: one for one in workspaces.values()}

    async def find(workspace_id: str) -> Workspace:
        return by_id[workspace_id]

    pool = SdkPool(directory / "sdk")
    await pool.start()
    try:
        async with (
            azure_client() as client,
            HttpScorer() as scorer,
            BuildLogs() as build_logs,
        ):
            rest = AzureRest(client, tokens, clock=clock)
            intervals = Intervals(shortest_seconds=0.05, longest_seconds=0.2)
            observer = AzureObserver(rest, clock=clock, intervals=intervals)
            services = V1Services(rest)
            parts = V1Parts(
                services=services,
                changes=V1Changes(services, pool, tokens, clock=clock),
                observer=observer,
                build_logs=build_logs,
                last_words=LastWords(services, build_logs),
                scorer=scorer,
                find_workspace=find,
            )
            yield V1Bench(
                simulator=simulator,
                aci=AciTarget(parts),
                aks=AksTarget(parts),
                pool=pool,
                workspaces=dict(workspaces),
            )
            await observer.close()
    finally:
        await pool.close()
