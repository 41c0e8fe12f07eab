"""The port to a workspace's computes, as far as clusters are concerned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from app.core.cluster import ProvisioningError
from app.core.cluster_spec import AnyClusterSpec
from app.core.failure import Failure
from app.core.lease import Lease
from app.core.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterMark:
    """Who made a compute; compared before anything of ours is touched."""

    installation: str
    cluster: str
    operation: str
    epoch: int


class ComputePhase(StrEnum):
    """What one look at a compute can find."""

    MISSING = "missing"
    CHANGING = "changing"
    READY = "ready"
    FAILED = "failed"
    DELETING = "deleting"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compute:
    """One look at a compute: our phase beside Azure's own word for its state.

    `installation`, `cluster` and `operation` are what its mark says, None where it has
    none; `spec_fingerprint` what it was last asked to be. `kind` is Azure's
    computeType.
    """

    name: str
    kind: str
    phase: ComputePhase
    provisioning_state: str
    provisioning_errors: tuple[ProvisioningError, ...] = ()
    is_attached: bool = False
    location: str | None = None
    resource_id: str | None = None
    vm_size: str | None = None
    agent_count: int | None = None
    cluster_purpose: str | None = None
    installation: str | None = None
    cluster: str | None = None
    operation: str | None = None
    spec_fingerprint: str | None = None
    retry_after_seconds: float | None = None
    failure: Failure | None = None

    def is_marked_by(self, mark: ClusterMark) -> bool:
        """Say whether the very cluster of `mark` is what stands there."""
        return (self.installation, self.cluster) == (mark.installation, mark.cluster)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterRequest:
    """One cluster to create, attach or change.

    `secrets` holds, by the name of the option, what its secrets stand for just now.
    `may_replace` says that the cluster never stood: what an earlier operation left
    failed is deleted first.
    """

    workspace: Workspace
    name: str
    spec: AnyClusterSpec
    mark: ClusterMark
    may_replace: bool
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def fingerprint(self) -> str:
        """Return a hash of everything that is wanted, secrets included."""
        wanted = [asdict(self.spec), sorted(self.secrets.items())]
        return sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


class UnderlyingAction(StrEnum):
    """What becomes of the AKS cluster when its compute goes."""

    DELETE = "delete"
    DETACH = "detach"


class ClusterPort(Protocol):
    """The computes of a workspace at Azure."""

    async def find(self, workspace: Workspace, name: str) -> Compute:
        """Look at one compute; never changes anything. Raises TargetError."""
        ...

    async def find_all(self, workspace: Workspace) -> Sequence[Compute]:
        """Look at every compute of the workspace, by name. Raises TargetError."""
        ...

    async def apply(self, request: ClusterRequest, lease: Lease) -> Compute:
        """Start to make the compute as asked, or find that this was done; return it.

        However often it is called, by whichever worker, one compute comes of it: it
        looks by name and compares the mark first. While Azure is at work on it, it is
        only looked at: call again once it is READY with another fingerprint, or
        MISSING.
        Raises TargetError: `name_taken_at_target` for a compute that is not ours,
        which is never touched.
        """
        ...

    async def remove(
        self,
        workspace: Workspace,
        name: str,
        action: UnderlyingAction,
        *,
        mark: ClusterMark,
        lease: Lease,
    ) -> Compute:
        """Start to take our compute away and return what is left of it.

        Missing, or not ours, is success with the phase MISSING and nothing touched.
        Raises TargetError.
        """
        ...
