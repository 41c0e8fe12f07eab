"""Workspaces of the simulated Azure with small models in them, and their tokens."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.core.model_uri import parse_model_uri
from app.core.target import Mark, ResolvedModel, ResolveRequest
from app.core.workspace import AzureMlWorkspace, Limits, Workspace
from app.simulator.artifacts import ArtifactStore
from app.simulator.mlflow_fields import Fields
from app.simulator.mlflow_tracking import Tracking, artifact_container
from app.simulator.model_registry import ModelRegistry, RegisteredModel
from app.simulator.server import Simulator
from app.simulator.tokens import Tokens
from app.simulator.world import CLIENT_ID, SimulatedWorkspace, World
from app.targets.azure_network import network_of
from app.targets.mlflow_store import AzureWay, MlflowStore
from app.targets.model_files import FileLimits
from app.targets.store_pool import PoolSettings
from app.targets.tokens import AccessToken
from tests.fakes import FakeLease
from tests.simulating import running_simulator

DESCRIPTION = b"flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
_AUDIENCE = "https://management.azure.com"


@dataclass
class FakeTokens:
    """A source of the simulator's tokens; those of `first` come before all others."""

    world: World
    first: list[AccessToken] = field(default_factory=list)
    forgotten: list[AccessToken] = field(default_factory=list)

    async def token(self, workspace: AzureMlWorkspace) -> AccessToken:
        del workspace
        return self.first[0] if self.first else self.issued()

    async def forget(self, workspace: AzureMlWorkspace, rejected: AccessToken) -> None:
        del workspace
        self.forgotten.append(rejected)
        if rejected in self.first:
            self.first.remove(rejected)

    def issued(self, *, seconds: int = 3600) -> AccessToken:
        """Return a token that is good for so long."""
        value = self.world.part(Tokens).issue(
            CLIENT_ID, _AUDIENCE, lifetime_seconds=seconds
        )
        return AccessToken(value=value, expires_at=time.time() + seconds)


def azure_workspace(place: SimulatedWorkspace) -> Workspace:
    """Return the simulated workspace as Slipway knows it."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return Workspace(
        id=f"ws_{place.name}",
        name=place.name,
        project="default",
        identity=AzureMlWorkspace(
            kind="azureml",
            subscription_id=place.subscription,
            resource_group=place.group,
            workspace_name=place.name,
            region=place.region,
        ),
        limits=Limits(),
        projects=None,
        created_by="tests",
        created_at=now,
        updated_at=now,
    )


def logged_run(place: SimulatedWorkspace, **files: bytes) -> str:
    """Return a new run with a model in its artifacts, at the path `model`."""
    run = place.part(Tracking).create_run(Fields({}))
    for name, content in {"MLmodel": DESCRIPTION, **files}.items():
        put(place, run.id, f"model/{name}", content)
    return run.id


def put(place: SimulatedWorkspace, run_id: str, path: str, content: bytes) -> None:
    """Add a file to a run's artifacts."""
    place.part(ArtifactStore).write(
        "ExperimentRun", artifact_container(run_id), path, content
    )


def registered(
    place: SimulatedWorkspace, name: str, run_id: str, *, path: str = "model"
) -> RegisteredModel:
    """Return a new version whose files are those of the run."""
    files = f"ExperimentRun/{artifact_container(run_id)}/{path}"
    models = place.part(ModelRegistry)
    asset = models.add_asset(name, [{"prefix": files}], {})
    return models.register(name, f"aml://asset/{asset.id}", run_id=run_id)


def resolved(name: str, version: int) -> ResolvedModel:
    return ResolvedModel(
        name=name, version=str(version), uri=f"models:/{name}/{version}"
    )


@dataclass(frozen=True, kw_only=True)
class AzureStores:
    """The adapter, and the simulated Azure with two workspaces."""

    adapter: MlflowStore
    simulator: Simulator
    tokens: FakeTokens
    directory: Path

    @property
    def prod(self) -> SimulatedWorkspace:
        return next(iter(self.simulator.world.workspaces.values()))

    @property
    def dev(self) -> SimulatedWorkspace:
        return list(self.simulator.world.workspaces.values())[1]

    async def find(self, uri: str) -> ResolvedModel | None:
        return await self.adapter.find(azure_workspace(self.prod), parse_model_uri(uri))

    async def resolve(
        self, run_id: str, name: str, *, operation: str = "op_1"
    ) -> ResolvedModel:
        request = ResolveRequest(
            workspace=azure_workspace(self.prod),
            uri=parse_model_uri(f"runs:/{run_id}/model"),
            register_as=name,
            tags={"team": "research"},
            mark=Mark(
                installation="i",
                deployment="d",
                revision=1,
                operation=operation,
                epoch=1,
            ),
        )
        return await self.adapter.resolve(request, FakeLease())

    def forget_everything(self) -> None:
        """Be as at the start, but for the children."""
        self.simulator.world.reset()
        self.tokens.first.clear()
        self.tokens.forgotten.clear()

    async def fetch(self, place: SimulatedWorkspace, model: ResolvedModel) -> Path:
        destination = self.directory / f"fetched-{time.monotonic_ns()}"
        await self.adapter.fetch(azure_workspace(place), model, destination)
        return destination

    def requests(self, part: str) -> list[str]:
        journal = self.simulator.world.journal
        return [f"{one.method} {one.host}{one.path}" for one in journal.seen(path=part)]


@asynccontextmanager
async def azure_stores(directory: Path) -> AsyncIterator[AzureStores]:
    """Yield a simulated Azure and an adapter that keeps at most two children."""
    async with running_simulator(rate_limits=False) as simulator:
        tokens = FakeTokens(simulator.world)
        network = network_of(simulator.environment())
        adapter = MlflowStore(
            directory / "children",
            local_stores=[],
            azure=AzureWay(tokens=tokens, network=lambda: network),
            limits=FileLimits(max_bytes=5000, max_files=20),
            pool=PoolSettings(max_children=2, spare_delay_seconds=0),
        )
        await adapter.start()
        try:
            yield AzureStores(
                adapter=adapter, simulator=simulator, tokens=tokens, directory=directory
            )
        finally:
            await adapter.close()
