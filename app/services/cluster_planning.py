"""What a change of a cluster will be, decided before anything is written."""

from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from app.core.cluster import Cluster
from app.core.cluster_port import UnderlyingAction
from app.core.cluster_spec import AnyClusterSpec, AttachCluster, CreateCluster
from app.core.deployment import Operation
from app.core.diff import FieldChange
from app.core.errors import NotSupportedError
from app.core.lifecycle import ClusterState, OperationKind, OperationState
from app.core.principal import Principal
from app.core.workspace import Workspace
from app.services.context import Context
from app.services.planning import SPEC_VERSION, azure_identity

_DEADLINE = timedelta(hours=2)

# Nothing of it can be deployed to: any spec may take the place of the one that is.
NOTHING_STANDS = frozenset({ClusterState.FAILED, ClusterState.CANCELED})


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterChange:
    """Who changes a cluster, and how long that may take."""

    principal: Principal
    request_id: str | None = None
    deadline: timedelta = _DEADLINE


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedCluster:
    """What stands after a request; `is_new` says whether it started something."""

    cluster: Cluster
    operation: Operation
    changes: tuple[FieldChange, ...] = ()
    is_new: bool = True


def endpoint_key(workspace: Workspace, name: str) -> str:
    """Return the remote identity of a compute; raises NotSupportedError.

    Azure tells no two computes apart by the case of their letters.
    """
    return f"{azure_identity(workspace).arm_id}/computes/{name.lower()}"


def kind_of(spec: AnyClusterSpec) -> OperationKind:
    """Return the kind of operation that first makes `spec` stand."""
    match spec:
        case CreateCluster():
            return OperationKind.CLUSTER_CREATE
        case AttachCluster():
            return OperationKind.CLUSTER_ATTACH
        case _:
            assert_never(spec)


def removal_kind(spec: AnyClusterSpec, asked: UnderlyingAction | None) -> OperationKind:
    """Return the kind of operation that takes the cluster away.

    Not asked, what was created is deleted and what was attached is detached. Raises
    NotSupportedError for deleting a cluster that others made: Azure refuses it.
    """
    is_attached = isinstance(spec, AttachCluster)
    if is_attached and asked is UnderlyingAction.DELETE:
        raise NotSupportedError(
            "An attached cluster is not deleted through the workspace.",
            remedy="Detach it (?underlying=detach), and delete it at AKS.",
        )
    if is_attached or asked is UnderlyingAction.DETACH:
        return OperationKind.CLUSTER_DETACH
    return OperationKind.CLUSTER_DELETE


def first_cluster(
    context: Context,
    workspace: Workspace,
    name: str,
    *,
    spec: AnyClusterSpec,
    change: ClusterChange,
) -> Cluster:
    """Return a cluster that waits for its first operation, stored by nobody."""
    now = context.clock.now()
    return Cluster(
        id=context.ids.new("clu"),
        project=change.principal.project,
        workspace_id=workspace.id,
        workspace=workspace.name,
        name=name,
        endpoint_key=endpoint_key(workspace, name),
        state=ClusterState.PENDING,
        spec=spec,
        applied_spec=None,
        provisioning_state=None,
        provisioning_errors=(),
        resource_id=None,
        version=1,
        # The row is born with its first event, `cluster.accepted`.
        sequence=1,
        latest_operation_id="",
        created_by=change.principal.name,
        created_at=now,
        updated_at=now,
    )


def new_operation(
    context: Context,
    cluster: Cluster,
    *,
    kind: OperationKind,
    change: ClusterChange,
    retry_of: str | None = None,
) -> Operation:
    """Return an operation that waits for its job, stored by nobody yet."""
    now = context.clock.now()
    return Operation(
        id=context.ids.new("op"),
        project=cluster.project,
        deployment_id=None,
        cluster_id=cluster.id,
        workspace_id=cluster.workspace_id,
        endpoint_key=cluster.endpoint_key,
        kind=kind,
        state=OperationState.QUEUED,
        phase=None,
        epoch=0,
        spec_version=SPEC_VERSION,
        revision=None,
        previous_revision=None,
        keep_at_target=False,
        retry_of=retry_of,
        error=None,
        cancel_requested_at=None,
        deadline_at=now + change.deadline,
        admitted_at=None,
        started_at=None,
        finished_at=None,
        created_by=change.principal.name,
        created_at=now,
        request_id=change.request_id,
    )
