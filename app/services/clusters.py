"""Accept what a caller asks of a cluster: make it, change it, take it away."""

import dataclasses

from app.core.cluster import Cluster
from app.core.cluster_spec import RESERVED_NAMES, AnyClusterSpec
from app.core.deployment import Operation
from app.core.diff import cluster_diff, strongest
from app.core.errors import (
    FieldProblem,
    InvalidError,
    NameTakenError,
    OperationInProgressError,
    RequiresRecreateError,
    StateConflictError,
)
from app.core.event import ClusterAccepted
from app.core.lifecycle import ClusterState, OperationKind
from app.core.option import Effect
from app.core.secret import secrets_of
from app.core.workspace import Workspace
from app.services import admission
from app.services.cluster_events import announce, record
from app.services.cluster_planning import (
    NOTHING_STANDS,
    AcceptedCluster,
    ClusterChange,
    first_cluster,
    kind_of,
    new_operation,
)
from app.services.cluster_removal import remove
from app.services.context import Context
from app.services.deployments import granted
from app.services.secrets import Holder, references
from app.storage import clusters, operations
from app.storage.clusters import ClusterValues
from app.storage.database import Transaction

# More would be a list that nobody reads.
_MOST_NAMED = 20


def check(name: str, spec: AnyClusterSpec) -> None:
    """Raise InvalidError for whatever can be known to be wrong without Azure."""
    problems = list(spec.problems())
    for option, secret in secrets_of(spec).items():
        problems.extend(secret.problems(f"/{option}"))
    if name.lower() in RESERVED_NAMES:
        problems.append(
            FieldProblem(
                pointer="/path/cluster",
                code="reserved_name",
                detail="is a name that Azure ML keeps for itself",
            )
        )
    if problems:
        raise InvalidError("The cluster cannot be made like this.", fields=problems)


async def put(
    context: Context,
    tx: Transaction,
    place: tuple[str, str],
    *,
    spec: AnyClusterSpec,
    change: ClusterChange,
) -> AcceptedCluster:
    """Make the cluster at `place` (workspace, name) be as asked, or leave it alone.

    Two concurrent creations end as one: the second finds what the first one made.
    """
    workspace_name, name = place
    workspace = await granted(tx, workspace_name, principal=change.principal)
    standing = await _lock(tx, workspace, name, change)
    if standing is None:
        created = await _create(context, tx, workspace, name, spec=spec, change=change)
        if created is not None:
            return created
        # A concurrent PUT of the same name came first: it is committed by now.
        standing = await _lock(tx, workspace, name, change)
    if standing is None:
        raise NameTakenError(
            "Another project keeps the compute of this name.",
            remedy="Deploy to it as it is, or choose another name.",
        )
    return await _revise(context, tx, standing, spec, change=change)


async def repeat(
    context: Context, tx: Transaction, ended: Operation, *, change: ClusterChange
) -> AcceptedCluster:
    """Try again what a failed or canceled operation of a cluster was to do."""
    cluster = await clusters.lock(tx, ended.subject_id)
    if ended.kind.is_removal:
        return await remove(
            context, tx, cluster, kind=ended.kind, change=change, retry_of=ended.id
        )
    if cluster.state not in NOTHING_STANDS:
        raise StateConflictError(
            f"The cluster is {cluster.state} as it was before the change.",
            remedy="Send the change again with PUT.",
        )
    return await _accept(
        context,
        tx,
        cluster,
        values=ClusterValues(state=ClusterState.PENDING),
        operation=new_operation(
            context, cluster, kind=ended.kind, change=change, retry_of=ended.id
        ),
    )


async def _create(
    context: Context,
    tx: Transaction,
    workspace: Workspace,
    name: str,
    *,
    spec: AnyClusterSpec,
    change: ClusterChange,
) -> AcceptedCluster | None:
    """Store a new cluster with its event and job; None if its place is taken."""
    cluster = first_cluster(context, workspace, name, spec=spec, change=change)
    holder = Holder(cluster_id=cluster.id, principal=change.principal, pointer="")
    kept = await references(context, tx, spec, holder=holder)
    spec = dataclasses.replace(spec, **kept.by_field)  # type: ignore[arg-type]
    operation = new_operation(context, cluster, kind=kind_of(spec), change=change)
    cluster = dataclasses.replace(cluster, spec=spec, latest_operation_id=operation.id)
    if not await clusters.create(tx, cluster):
        return None
    await kept.store(tx)
    await operations.create(tx, operation)
    await announce(
        context, tx, cluster, operation=operation, happened=[ClusterAccepted()]
    )
    await admission.admit(context, tx, operation)
    return AcceptedCluster(cluster=cluster, operation=operation)


async def _revise(
    context: Context,
    tx: Transaction,
    standing: Cluster,
    spec: AnyClusterSpec,
    *,
    change: ClusterChange,
) -> AcceptedCluster:
    if standing.state is ClusterState.DELETING:
        raise StateConflictError(
            "The cluster is being deleted.",
            remedy="Wait until its name is free and create it again.",
        )
    holder = Holder(
        cluster_id=standing.id,
        principal=change.principal,
        standing=standing.spec,
        pointer="",
    )
    kept = await references(context, tx, spec, holder=holder)
    spec = dataclasses.replace(spec, **kept.by_field)  # type: ignore[arg-type]
    changes = cluster_diff(standing.spec, spec)
    is_down = standing.state in NOTHING_STANDS
    if not changes and not is_down:
        latest = await operations.get(tx, standing.latest_operation_id, project=None)
        return AcceptedCluster(cluster=standing, operation=latest, is_new=False)
    if strongest(changes) is Effect.RECREATE and not is_down:
        fixed = [c.pointer or "/mode" for c in changes if c.effect is Effect.RECREATE]
        raise RequiresRecreateError(
            f"What a cluster has for its life cannot be changed: {', '.join(fixed)}.",
            remedy="Make another cluster, or delete this one and create it again.",
        )
    await _refuse_while_busy(context, tx, standing)
    await kept.store(tx)
    kind = kind_of(spec) if is_down else OperationKind.CLUSTER_UPDATE
    values = ClusterValues(spec=spec)
    if is_down:
        values["state"] = ClusterState.PENDING
    operation = new_operation(context, standing, kind=kind, change=change)
    accepted = await _accept(context, tx, standing, values=values, operation=operation)
    return dataclasses.replace(accepted, changes=changes)


async def _accept(
    context: Context,
    tx: Transaction,
    cluster: Cluster,
    *,
    values: ClusterValues,
    operation: Operation,
) -> AcceptedCluster:
    await operations.create(tx, operation)
    values["latest_operation_id"] = operation.id
    changed = await record(
        context,
        tx,
        cluster.id,
        values=values,
        operation=operation,
        happened=[ClusterAccepted()],
    )
    await admission.admit(context, tx, operation)
    return AcceptedCluster(cluster=changed, operation=operation)


async def _refuse_while_busy(
    context: Context, tx: Transaction, cluster: Cluster
) -> None:
    open_ones = await operations.open_of_cluster(tx, cluster.id)
    if open_ones:
        raise OperationInProgressError(
            "An operation of this cluster is in progress.",
            remedy="Wait for it, or cancel it.",
            links={"operation": f"{context.base_url}/v1/operations/{open_ones[0].id}"},
        )


async def _lock(
    tx: Transaction, workspace: Workspace, name: str, change: ClusterChange
) -> Cluster | None:
    return await clusters.lock_by_name(
        tx, project=change.principal.project, workspace_id=workspace.id, name=name
    )
