"""One cluster's story: the snapshots from which its examples are taken."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from app.api import story
from app.core.cluster import Cluster, ProvisioningError
from app.core.cluster_port import Compute, ComputePhase
from app.core.cluster_spec import CreateCluster
from app.core.cluster_view import ComputeView, view_compute
from app.core.deployment import Operation
from app.core.failure import FailureCode
from app.core.lifecycle import ClusterState, OperationKind, OperationState, Phase
from app.services.cluster_events import cluster_json
from app.services.events import operation_json

_ID = "clu_01kanzq4w0s5d0bx1m3q7r8e2h"
_SPEC = CreateCluster()
_COMPUTE = TypeAdapter(ComputeView)
_OPERATION_OF: Mapping[ClusterState, OperationState] = {
    ClusterState.PENDING: OperationState.QUEUED,
    ClusterState.CREATING: OperationState.RUNNING,
    ClusterState.LIVE: OperationState.SUCCEEDED,
    ClusterState.UPDATING: OperationState.RUNNING,
    ClusterState.FAILED: OperationState.FAILED,
    ClusterState.CANCELED: OperationState.CANCELED,
    ClusterState.DELETING: OperationState.RUNNING,
    ClusterState.DELETED: OperationState.SUCCEEDED,
}
_KIND_OF: Mapping[ClusterState, OperationKind] = {
    ClusterState.UPDATING: OperationKind.CLUSTER_UPDATE,
    ClusterState.DELETING: OperationKind.CLUSTER_DELETE,
    ClusterState.DELETED: OperationKind.CLUSTER_DELETE,
}
_AZURE: Mapping[ClusterState, str] = {
    ClusterState.CREATING: "Creating",
    ClusterState.LIVE: "Succeeded",
    ClusterState.UPDATING: "Updating",
    ClusterState.FAILED: "Failed",
    ClusterState.DELETING: "Deleting",
}


def cluster(state: ClusterState) -> dict[str, Any]:
    """Return the cluster in `state`, as answers show it."""
    return cluster_json(story.BASE, _cluster(state), _operation(state))


def operation(state: ClusterState) -> dict[str, Any]:
    """Return the operation that brought it into `state`, as answers show it."""
    return operation_json(story.BASE, _operation(state))


def event_data() -> dict[str, Any]:
    """Return `data` of an event of the cluster."""
    live = ClusterState.LIVE
    return {"cluster": cluster(live), "operation": operation(live)}


def compute() -> dict[str, Any]:
    """Return a compute that others made, as lists show it."""
    seen = Compute(
        name="shared-aks",
        kind="AKS",
        phase=ComputePhase.READY,
        provisioning_state="Succeeded",
        is_attached=True,
        location="eastus2",
        resource_id=_resource_id("shared-aks"),
        vm_size="Standard_D3_v2",
        agent_count=3,
        cluster_purpose="FastProd",
    )
    shown = view_compute(seen, workspace="prod", installation="")
    return dict(_COMPUTE.dump_python(shown, mode="json"))


def _cluster(state: ClusterState) -> Cluster:
    stands = state in {ClusterState.LIVE, ClusterState.UPDATING}
    error = ProvisioningError(
        code="QuotaExceeded", message="12 more cores exceed the quota of eastus2."
    )
    return Cluster(
        id=_ID,
        project="default",
        workspace_id="ws_01kanzq4w0g7p5zn9t4e1x0d3w",
        workspace="prod",
        name="aks-1",
        endpoint_key=f"{story.AZUREML_IDENTITY.arm_id}/computes/aks-1",
        state=state,
        spec=_SPEC,
        applied_spec=_SPEC if stands else None,
        provisioning_state=_AZURE.get(state),
        provisioning_errors=(error,) if state is ClusterState.FAILED else (),
        resource_id=_resource_id("aks-1") if stands else None,
        version=3,
        sequence=5,
        latest_operation_id=story.OPERATION,
        created_by="ci",
        created_at=story.STARTED_AT,
        updated_at=story.ENDED_AT,
    )


def _operation(state: ClusterState) -> Operation:
    base = story.operation(_OPERATION_OF[state])
    failed = story.failure(FailureCode.CLUSTER_FAILED)
    runs = base.state is OperationState.RUNNING
    return replace(
        base,
        deployment_id=None,
        cluster_id=_ID,
        endpoint_key=f"{story.AZUREML_IDENTITY.arm_id}/computes/aks-1",
        kind=_KIND_OF.get(state, OperationKind.CLUSTER_CREATE),
        phase=Phase.PROVISION if runs else None,
        revision=None,
        deadline_at=story.STARTED_AT + timedelta(hours=2),
        error=failed if state is ClusterState.FAILED else base.error,
    )


def _resource_id(name: str) -> str:
    group = story.AZUREML_IDENTITY
    return (
        f"/subscriptions/{group.subscription_id}/resourceGroups/{group.resource_group}"
        f"/providers/Microsoft.ContainerService/managedClusters/{name}"
    )
