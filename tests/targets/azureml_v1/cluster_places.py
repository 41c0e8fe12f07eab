"""The clusters of a simulated workspace, through the real azureml-core."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import SystemClock
from app.core.cluster_port import ClusterMark, ClusterRequest, Compute, ComputePhase
from app.core.cluster_spec import AnyClusterSpec
from app.core.workspace import Workspace
from app.simulator.clusters import Cluster, Clusters
from app.simulator.server import Simulator
from app.targets.azure_rest import AzureRest
from app.targets.azure_transport import azure_client
from app.targets.azureml_v1.clusters import AzureClusters
from app.targets.azureml_v1.sdk_pool import SdkPool
from tests.fakes import FakeLease
from tests.simulating import running_simulator
from tests.support import eventually
from tests.targets.azure_stores import FakeTokens, azure_workspace

# A cluster that takes Azure twenty minutes is there after a quarter of a second.
SPEED = 4800.0
RESOURCE_ID = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/ml/providers"
    "/Microsoft.ContainerService/managedClusters/theirs"
)


@dataclass(frozen=True, kw_only=True)
class ClusterPlace:
    """The adapter, and the simulated Azure behind it."""

    clusters: AzureClusters
    simulator: Simulator

    @property
    def workspace(self) -> Workspace:
        return azure_workspace(next(iter(self.simulator.world.workspaces.values())))

    def request(
        self,
        name: str,
        spec: AnyClusterSpec,
        *,
        secrets: Mapping[str, str] | None = None,
        operation: str = "op_1",
        cluster: str = "clu_1",
        may_replace: bool = True,
    ) -> ClusterRequest:
        return ClusterRequest(
            workspace=self.workspace,
            name=name,
            spec=spec,
            mark=mark(operation, cluster),
            secrets=secrets or {},
            may_replace=may_replace,
        )

    async def apply(self, request: ClusterRequest) -> Compute:
        return await self.clusters.apply(request, FakeLease())

    async def settled(self, name: str) -> Compute:
        """The compute once Azure is not at work on it any more."""
        seen: list[Compute] = []

        async def is_settled() -> bool:
            seen.append(await self.clusters.find(self.workspace, name))
            busy = {ComputePhase.CHANGING, ComputePhase.DELETING}
            return seen[-1].phase not in busy

        await eventually(is_settled)
        return seen[-1]

    def state(self, name: str) -> Cluster | None:
        place = next(iter(self.simulator.world.workspaces.values()))
        return place.part(Clusters).find(name)

    def writes(self, name: str, method: str = "PUT") -> list[Any]:
        """The bodies of the writes to one compute, in order."""
        seen = self.simulator.world.journal.seen(method, f"/computes/{name}")
        return [json.loads(one.body) if one.body else one.query for one in seen]


def mark(operation: str = "op_1", cluster: str = "clu_1") -> ClusterMark:
    return ClusterMark(installation="i", cluster=cluster, operation=operation, epoch=1)


@asynccontextmanager
async def cluster_place(
    directory: Path,
) -> AsyncIterator[ClusterPlace]:
    async with running_simulator(speed=SPEED, rate_limits=False) as simulator:
        tokens = FakeTokens(simulator.world)
        pool = SdkPool(directory / "sdk")
        await pool.start()
        with pytest.MonkeyPatch.context() as environment:
            # The children and the client read them from this process.
            for name, value in simulator.environment().items():
                environment.setenv(name, value)
            try:
                async with azure_client(simulator.environment()) as client:
                    rest = AzureRest(client, tokens, clock=SystemClock())
                    clusters = AzureClusters(rest, pool, tokens)
                    yield ClusterPlace(clusters=clusters, simulator=simulator)
            finally:
                await pool.close()
