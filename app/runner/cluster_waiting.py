"""Have a deployment wait for its cluster, or fail at once where waiting is no use."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from app.core.aks_options import AksOptions
from app.core.cluster import Cluster
from app.core.cluster_port import ClusterPort, Compute, ComputePhase
from app.core.deployment import Operation
from app.core.lifecycle import ClusterState, Phase
from app.core.workspace import AzureMlWorkspace
from app.runner.arrivals import Arrivals
from app.runner.cluster_failures import (
    cluster_failed,
    no_cluster,
    no_kubernetes,
    not_becoming,
)
from app.runner.ledger import Ledger
from app.runner.records import persistently
from app.runner.work import OperationFailedError, Work
from app.services.cluster_planning import endpoint_key
from app.storage import clusters
from app.storage.database import Transaction

# Ours are looked at in the database alone, whose records another job keeps.
_LOOK_SECONDS = 2.0
_LONGEST_LOOK_SECONDS = 15.0
_SERVES_MODELS = frozenset({"AKS", "Kubernetes"})
_UNDER_WAY = frozenset(
    {ClusterState.PENDING, ClusterState.CREATING, ClusterState.UPDATING}
)
_NEVER = frozenset({ClusterState.FAILED, ClusterState.CANCELED, ClusterState.DELETING})


class ClusterWaiting:
    """Waits until the cluster of a revision can be deployed to."""

    def __init__(self, work: Work, ledger: Ledger, arrivals: Arrivals) -> None:
        self._work = work
        self._ledger = ledger
        self._arrivals = arrivals

    def steps(self) -> Mapping[Phase, Callable[[], Awaitable[None]]]:
        """Return the phase of waiting; none where the target needs no cluster."""
        options, port = self._ledger.subject.revision.spec.target, self._work.clusters
        if not isinstance(options, AksOptions) or port is None:
            return {}
        return {Phase.PROVISION: partial(self.wait, port, options.compute_target_name)}

    async def wait(self, port: ClusterPort, name: str) -> None:
        """Return once the cluster stands.

        One that Slipway makes is waited for through its record, any other by looking
        at Azure. Raises OperationFailedError if it never will stand.
        """
        told = ""
        pause = _LOOK_SECONDS
        while (line := await self._obstacle(port, name)) is not None:
            if line != told:
                await self._ledger.progress(line)
            told = line
            await self._work.context.clock.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_LOOK_SECONDS)
        if told:
            await self._ledger.progress(f"the cluster {name} is there")

    async def _obstacle(self, port: ClusterPort, name: str) -> str | None:
        """Return what is still to be waited for; None once nothing is."""
        found = await self._kept(name)
        if found is not None:
            cluster, operation = found
            if cluster.state in _UNDER_WAY:
                azure = cluster.provisioning_state
                said = f"{cluster.state}, {azure} at Azure" if azure else cluster.state
                return f"waiting for the cluster {name}: {said}"
            if cluster.state in _NEVER:
                error = operation.error
                cause = None if error is None else error.cause or error.message
                raise OperationFailedError(not_becoming(name, cluster.state, cause))
        workspace = self._ledger.subject.workspace
        seen = await self._arrivals.insist(lambda: port.find(workspace, name))
        return _read(seen, name)

    async def _kept(self, name: str) -> tuple[Cluster, Operation] | None:
        """Return the record of the cluster, of whichever project, if it is ours."""
        workspace = self._ledger.subject.workspace
        if not isinstance(workspace.identity, AzureMlWorkspace):
            return None
        key = endpoint_key(workspace, name)

        async def read(tx: Transaction) -> tuple[Cluster, Operation] | None:
            cluster = await clusters.at_endpoint(tx, key)
            if cluster is None:
                return None
            return await clusters.get(tx, cluster.id, project=None)

        return await persistently(self._work, read)


def _read(seen: Compute, name: str) -> str | None:
    match seen.phase:
        case ComputePhase.MISSING:
            raise OperationFailedError(no_cluster(name))
        case ComputePhase.FAILED:
            raise OperationFailedError(cluster_failed(seen))
        case ComputePhase.DELETING:
            failure = not_becoming(name, "being deleted", None)
            raise OperationFailedError(failure)
        case ComputePhase.CHANGING:
            return f"waiting for the cluster {name} ({seen.provisioning_state})"
        case ComputePhase.READY:
            pass
    if seen.kind not in _SERVES_MODELS:
        raise OperationFailedError(no_kubernetes(seen))
    return None
