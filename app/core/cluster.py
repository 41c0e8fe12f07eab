"""Frozen snapshot of a cluster's record: an AKS compute of one workspace."""

from dataclasses import dataclass
from datetime import datetime

from app.core.cluster_spec import AnyClusterSpec, ClusterSpec
from app.core.lifecycle import ClusterState


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvisioningError:
    """One of Azure's reasons why a cluster is not as it was asked for."""

    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """What a caller asked for under one name, and what Azure says of it.

    `spec` is what is wanted, `applied_spec` what was last known to stand at Azure:
    None until the cluster was live. `resource_id` is the AKS cluster below the
    compute. `endpoint_key` is the remote identity that serializes; `version` rises
    with every write and `sequence` with every event.
    """

    id: str
    project: str
    workspace_id: str
    workspace: str
    name: str
    endpoint_key: str
    state: ClusterState
    spec: ClusterSpec
    applied_spec: ClusterSpec | None
    provisioning_state: str | None
    provisioning_errors: tuple[ProvisioningError, ...]
    resource_id: str | None
    version: int
    sequence: int
    latest_operation_id: str
    created_by: str
    created_at: datetime
    updated_at: datetime

    @property
    def standing_spec(self) -> AnyClusterSpec:
        """Return what stands at Azure as far as is known, else what is wanted."""
        return self.applied_spec or self.spec
