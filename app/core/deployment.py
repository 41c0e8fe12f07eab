"""Frozen snapshots of the records: deployments, revisions and operations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.conditions import Condition
from app.core.failure import Failure
from app.core.lifecycle import (
    DeploymentState,
    OperationKind,
    OperationState,
    Phase,
)
from app.core.specs import DeploymentSpec, LocalOptions
from app.core.target import Handle, ResolvedModel


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """How many percent of an endpoint's calls one revision gets."""

    revision: int
    percent: int
    azure_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """What a caller asked for under one name, and what stands of it.

    `version` rises with every write and `sequence` with every event;
    `wanted_revision` is what was last asked and not given up, `serving_revision`
    what answers callers. `endpoint_key` is the remote identity that serializes.
    """

    id: str
    project: str
    workspace_id: str
    workspace: str
    name: str
    endpoint_key: str
    state: DeploymentState
    spec: DeploymentSpec
    conditions: tuple[Condition, ...]
    serving: bool | None
    wanted_revision: int
    serving_revision: int | None
    last_revision: int
    version: int
    sequence: int
    scoring_uri: str | None
    swagger_uri: str | None
    model: ResolvedModel | None
    traffic: tuple[Traffic, ...]
    azure_state: str | None
    latest_operation_id: str
    webhook_id: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """An immutable numbered copy of a spec, and where the target has it.

    `slot` is its name at the target; `model` is None until it was resolved.
    """

    deployment_id: str
    number: int
    spec: DeploymentSpec
    slot: str
    model: ResolvedModel | None
    handle: Handle | None
    project: str
    created_by: str
    created_at: datetime


def name_at_target(deployment_name: str, revision: Revision) -> str:
    """Return what `revision` is called at its target, whether it is there or not.

    A v1 web service is one thing for all revisions, named as the deployment.
    """
    match revision.spec.target:
        case LocalOptions():
            return revision.slot
        case AciOptions() | AksOptions():
            return deployment_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One change of a deployment or a cluster; a terminal one never changes again.

    `epoch` counts the workers that took it up: every write of a worker names the
    epoch it started with. `previous_revision` is what served when it was accepted.
    `keep_at_target` makes a delete forget without touching anything.
    """

    id: str
    project: str
    deployment_id: str | None
    workspace_id: str
    endpoint_key: str
    kind: OperationKind
    state: OperationState
    phase: Phase | None
    epoch: int
    spec_version: int
    revision: int | None
    previous_revision: int | None
    keep_at_target: bool
    retry_of: str | None
    error: Failure | None
    cancel_requested_at: datetime | None
    deadline_at: datetime
    admitted_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    created_by: str
    created_at: datetime
    request_id: str | None = None
    checkpoint: Mapping[str, str] = field(default_factory=dict)
    cluster_id: str | None = None

    @property
    def subject_id(self) -> str:
        """Return the id of the deployment, or else the cluster, that it changes."""
        return self.deployment_id or self.cluster_id or ""
