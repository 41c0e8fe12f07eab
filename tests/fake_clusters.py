"""A typed fake of a workspace's computes, and a worker's house that has them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from app.core.cluster import Cluster, ProvisioningError
from app.core.cluster_port import (
    ClusterMark,
    ClusterRequest,
    Compute,
    ComputePhase,
    UnderlyingAction,
)
from app.core.cluster_spec import AnyClusterSpec, CreateCluster
from app.core.deployment import Operation
from app.core.failure import FailureCode, TargetError
from app.core.lease import Lease
from app.core.workspace import AzureMlWorkspace, Limits, Workspace
from app.runner.operations import OperationRunner
from app.runner.running import AbortReason
from app.runner.work import Work
from app.services import cluster_removal, clusters
from app.services import operations as operation_changes
from app.services.cluster_planning import AcceptedCluster, ClusterChange
from app.services.context import Context
from app.storage import clusters as records
from app.storage import events, operations, workspaces
from tests.building import OPTIONS, PRINCIPAL, Building, built
from tests.fakes import failure

CHANGE = ClusterChange(principal=PRINCIPAL, request_id="req_t")
AZURE = AzureMlWorkspace(
    kind="azureml",
    subscription_id="11111111-2222-3333-4444-555555555555",
    resource_group="ml",
    workspace_name="prod",
    region="eastus2",
)


@dataclass
class FakeClusters:
    """Computes in memory: what is asked of them, and what becomes of them.

    `holding` leaves them as they are until it is cleared; `outcome` is what an asked
    one becomes; `broken` is raised instead of an answer; `gate` is waited for before
    an answer to a write that was done.
    """

    computes: dict[str, Compute] = field(default_factory=dict)
    puts: list[ClusterRequest] = field(default_factory=list)
    removed: list[tuple[str, UnderlyingAction]] = field(default_factory=list)
    broken: list[TargetError] = field(default_factory=list)
    outcome: ComputePhase = ComputePhase.READY
    holding: bool = False
    lost_answers: int = 0
    errors: tuple[ProvisioningError, ...] = ()

    async def find(self, workspace: Workspace, name: str) -> Compute:
        del workspace
        if self.broken:
            raise self.broken.pop(0)
        seen = self.computes.get(name.lower()) or _missing(name)
        if seen.phase is ComputePhase.CHANGING and not self.holding:
            self.computes[name.lower()] = replace(
                seen,
                phase=self.outcome,
                provisioning_state="Succeeded"
                if self.outcome is ComputePhase.READY
                else "Failed",
                provisioning_errors=self.errors,
                resource_id=f"/aks/{name}",
            )
        if seen.phase is ComputePhase.DELETING and not self.holding:
            del self.computes[name.lower()]
        return seen

    async def find_all(self, workspace: Workspace) -> Sequence[Compute]:
        del workspace
        if self.broken:
            raise self.broken.pop(0)
        return list(self.computes.values())

    async def apply(self, request: ClusterRequest, lease: Lease) -> Compute:
        lease.check()
        seen = await self.find(request.workspace, request.name)
        if seen.phase is not ComputePhase.MISSING:
            if not seen.is_marked_by(request.mark):
                raise TargetError(failure(FailureCode.NAME_TAKEN_AT_TARGET))
            is_left = seen.operation != request.mark.operation
            if seen.phase is ComputePhase.FAILED and is_left and request.may_replace:
                return self._go(seen)
            is_same = seen.spec_fingerprint == request.fingerprint
            if is_same or seen.phase is not ComputePhase.READY:
                return seen
        self.puts.append(request)
        self.computes[request.name.lower()] = Compute(
            name=request.name,
            kind="AKS",
            phase=ComputePhase.CHANGING,
            provisioning_state="Creating",
            installation=request.mark.installation,
            cluster=request.mark.cluster,
            operation=request.mark.operation,
            spec_fingerprint=request.fingerprint,
            retry_after_seconds=0.01,
        )
        if self.lost_answers:
            self.lost_answers -= 1
            raise TargetError(failure(FailureCode.TARGET_UNAVAILABLE), transient=True)
        return self.computes[request.name.lower()]

    async def remove(
        self,
        workspace: Workspace,
        name: str,
        action: UnderlyingAction,
        *,
        mark: ClusterMark,
        lease: Lease,
    ) -> Compute:
        lease.check()
        seen = await self.find(workspace, name)
        if seen.phase is ComputePhase.MISSING or not seen.is_marked_by(mark):
            return _missing(name)
        if seen.phase in {ComputePhase.CHANGING, ComputePhase.DELETING}:
            return seen
        self.removed.append((name, action))
        return self._go(seen)

    def _go(self, seen: Compute) -> Compute:
        going = replace(
            seen, phase=ComputePhase.DELETING, provisioning_state="Deleting"
        )
        self.computes[seen.name.lower()] = going
        return going

    def add(self, name: str, phase: ComputePhase, **changes: Any) -> None:  # noqa: ANN401
        """Have a compute that nobody asked for."""
        theirs = Compute(
            name=name,
            kind="AKS",
            phase=phase,
            provisioning_state=phase.value.title(),
            retry_after_seconds=0.01,
        )
        self.computes[name.lower()] = replace(theirs, **changes)


def _missing(name: str) -> Compute:
    return Compute(
        name=name, kind="", phase=ComputePhase.MISSING, provisioning_state=""
    )


@dataclass(kw_only=True)
class ClusterHouse:
    """The use cases of clusters on top, one worker's runner below."""

    building: Building
    workspace: Workspace
    clusters: FakeClusters = field(default_factory=FakeClusters)

    @property
    def context(self) -> Context:
        return self.building.context

    def work(self) -> Work:
        return replace(self.building.work(), clusters=self.clusters)

    async def put(
        self,
        spec: AnyClusterSpec | None = None,
        *,
        name: str = "aks-1",
        change: ClusterChange = CHANGE,
    ) -> AcceptedCluster:
        async with self.context.database.transaction() as tx:
            return await clusters.put(
                self.context,
                tx,
                (self.workspace.name, name),
                spec=spec or CreateCluster(),
                change=change,
            )

    async def delete(
        self, name: str = "aks-1", underlying: UnderlyingAction | None = None
    ) -> AcceptedCluster:
        async with self.context.database.transaction() as tx:
            return await cluster_removal.delete(
                self.context,
                tx,
                (self.workspace.name, name),
                underlying=underlying,
                change=CHANGE,
            )

    async def cancel(self, operation: Operation) -> Operation:
        async with self.context.database.transaction() as tx:
            return await operation_changes.cancel(
                self.context, tx, operation.id, principal=PRINCIPAL
            )

    async def retry(self, operation: Operation) -> Operation:
        async with self.context.database.transaction() as tx:
            return await operation_changes.repeat(
                self.context, tx, operation.id, options=OPTIONS
            )

    async def advance(
        self, operation: Operation, *, reason: AbortReason | None = None
    ) -> None:
        await OperationRunner(self.work()).advance(
            self.building.job(reason), operation_id=operation.id
        )

    async def live(self, spec: AnyClusterSpec | None = None) -> Cluster:
        accepted = await self.put(spec)
        await self.advance(accepted.operation)
        return await self.cluster(accepted)

    async def cluster(self, accepted: AcceptedCluster) -> Cluster:
        async with self.context.database.reading() as connection:
            found, _ = await records.get(connection, accepted.cluster.id, project=None)
        return found

    async def operation(self, operation: Operation) -> Operation:
        async with self.context.database.reading() as connection:
            return await operations.get(connection, operation.id, project=None)

    async def story(self, cluster: Cluster) -> list[str]:
        """The types of the cluster's events in order, progress left out."""
        async with self.context.database.reading() as connection:
            told = await events.of_cluster(connection, cluster.id, after=0, limit=200)
        assert [event.sequence for event in told] == list(range(1, len(told) + 1))
        return [
            event.type.removeprefix("cluster.")
            for event in told
            if event.type != "cluster.progress"
        ]


@asynccontextmanager
async def cluster_house(database_url: str) -> AsyncIterator[ClusterHouse]:
    async with built(database_url) as building:
        workspace = await add_azure_workspace(building.context)
        yield ClusterHouse(building=building, workspace=workspace)


async def add_azure_workspace(context: Context, name: str = "azure") -> Workspace:
    now = context.clock.now()
    workspace = Workspace(
        id=context.ids.new("ws"),
        name=name,
        project="default",
        identity=AZURE,
        limits=Limits(),
        projects=None,
        created_by="tests",
        created_at=now,
        updated_at=now,
    )
    async with context.database.transaction() as tx:
        assert await workspaces.create(tx, workspace)
    return workspace


async def canceled(task: "asyncio.Task[None]") -> None:
    """Cancel `task` as the engine does and wait for what it makes of it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
