"""Take a cluster away: whatever runs is canceled, and the removal goes first."""

from app.core.cluster import Cluster
from app.core.cluster_port import UnderlyingAction
from app.core.errors import InUseError, NotFoundError
from app.core.event import ClusterDeleting
from app.core.lifecycle import ClusterState, OperationKind, OperationState
from app.services import admission, cancellation, cluster_cancellation
from app.services.cluster_events import record
from app.services.cluster_planning import (
    AcceptedCluster,
    ClusterChange,
    new_operation,
    removal_kind,
)
from app.services.context import Context
from app.services.deployments import granted
from app.storage import clusters, operations
from app.storage.clusters import ClusterValues
from app.storage.database import Transaction

# More would be a list that nobody reads.
_MOST_NAMED = 20


async def delete(
    context: Context,
    tx: Transaction,
    place: tuple[str, str],
    *,
    underlying: UnderlyingAction | None,
    change: ClusterChange,
) -> AcceptedCluster:
    """Start to take the cluster at `place` away; asked again, show what is under way.

    Raises InUseError, with links, while deployments live on it.
    """
    workspace_name, name = place
    workspace = await granted(tx, workspace_name, principal=change.principal)
    standing = await clusters.lock_by_name(
        tx, project=change.principal.project, workspace_id=workspace.id, name=name
    )
    if standing is None:
        raise NotFoundError(
            "There is no cluster of that name in this workspace that Slipway keeps."
        )
    open_ones = await operations.open_of_cluster(tx, standing.id)
    for running in open_ones:
        if running.kind.is_removal:
            return AcceptedCluster(cluster=standing, operation=running, is_new=False)
    kind = removal_kind(standing.spec, underlying)
    return await remove(context, tx, standing, kind=kind, change=change)


async def remove(
    context: Context,
    tx: Transaction,
    cluster: Cluster,
    *,
    kind: OperationKind,
    change: ClusterChange,
    retry_of: str | None = None,
) -> AcceptedCluster:
    """Let a removal go before whatever else there is of a locked cluster.

    Raises InUseError, with links, while deployments live on it.
    """
    await _check_unused(context, tx, cluster)
    open_ones = await operations.open_of_cluster(tx, cluster.id)
    operation = new_operation(
        context, cluster, kind=kind, change=change, retry_of=retry_of
    )
    await operations.create(tx, operation)
    changed = await record(
        context,
        tx,
        cluster.id,
        values=ClusterValues(
            state=ClusterState.DELETING, latest_operation_id=operation.id
        ),
        operation=operation,
        happened=[ClusterDeleting()],
    )
    for other in open_ones:
        if other.state is OperationState.QUEUED:
            await cluster_cancellation.supersede(context, tx, other)
        else:
            await cancellation.request(context, tx, other)
    await admission.admit(context, tx, operation)
    return AcceptedCluster(cluster=changed, operation=operation)


async def _check_unused(context: Context, tx: Transaction, cluster: Cluster) -> None:
    arm_id = cluster.endpoint_key.partition("/computes/")[0]
    living = await clusters.deployments_on(
        tx, arm_id=arm_id, name=cluster.name, limit=_MOST_NAMED + 1
    )
    if not living:
        return
    more = " and more" if len(living) > _MOST_NAMED else ""
    own = [one for one, project in living[:_MOST_NAMED] if project == cluster.project]
    raise InUseError(
        f"Deployments that live on the cluster: {min(len(living), _MOST_NAMED)}{more}.",
        links={one: f"{context.base_url}/v1/deployments/{one}" for one in own},
    )
