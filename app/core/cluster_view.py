"""What callers are shown of clusters: the same in answers, events and webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.core.cluster import Cluster, ProvisioningError
from app.core.cluster_port import Compute
from app.core.cluster_spec import ClusterSpec
from app.core.deployment import Operation
from app.core.lifecycle import ClusterState
from app.core.view import LatestOperationView


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterView:
    """A cluster as callers see it; no secret is ever in it."""

    id: str
    name: str
    workspace: str
    project: str
    spec: ClusterSpec
    state: ClusterState
    provisioning_state: str | None
    provisioning_errors: tuple[ProvisioningError, ...]
    resource_id: str | None
    managed_by: Literal["slipway"]
    latest_operation: LatestOperationView
    created_by: str
    created_at: datetime
    updated_at: datetime
    links: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeView:
    """A compute that the workspace has at Azure and that is not of this project.

    It can be deployed to if it is a cluster, and is never touched.
    """

    name: str
    workspace: str
    kind: str
    provisioning_state: str
    provisioning_errors: tuple[ProvisioningError, ...]
    location: str | None
    resource_id: str | None
    vm_size: str | None
    agent_count: int | None
    cluster_purpose: str | None
    managed_by: Literal["slipway", "other"]


def view_cluster(
    cluster: Cluster, operation: Operation, *, base_url: str
) -> ClusterView:
    """Return `cluster` with its latest `operation`, links below `base_url`."""
    own = f"{base_url}/v1/workspaces/{cluster.workspace}/clusters/{cluster.name}"
    return ClusterView(
        id=cluster.id,
        name=cluster.name,
        workspace=cluster.workspace,
        project=cluster.project,
        spec=cluster.spec,
        state=cluster.state,
        provisioning_state=cluster.provisioning_state,
        provisioning_errors=cluster.provisioning_errors,
        resource_id=cluster.resource_id,
        managed_by="slipway",
        latest_operation=LatestOperationView(
            id=operation.id,
            kind=operation.kind,
            state=operation.state,
            phase=operation.phase,
            error=operation.error,
        ),
        created_by=cluster.created_by,
        created_at=cluster.created_at,
        updated_at=cluster.updated_at,
        links={
            "self": own,
            "operation": f"{base_url}/v1/operations/{operation.id}",
            "events": f"{own}/events",
        },
    )


def view_compute(compute: Compute, *, workspace: str, installation: str) -> ComputeView:
    """Return a compute at Azure as a list shows it to whoever did not ask for it."""
    return ComputeView(
        name=compute.name,
        workspace=workspace,
        kind=compute.kind,
        provisioning_state=compute.provisioning_state,
        provisioning_errors=compute.provisioning_errors,
        location=compute.location,
        resource_id=compute.resource_id,
        vm_size=compute.vm_size,
        agent_count=compute.agent_count,
        cluster_purpose=compute.cluster_purpose,
        managed_by="slipway" if compute.installation == installation else "other",
    )
