"""What callers are shown: the same shapes in answers, events and webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.conditions import Condition
from app.core.deployment import (
    Deployment,
    Operation,
    Revision,
    Traffic,
    name_at_target,
)
from app.core.failure import Failure
from app.core.lifecycle import (
    DeploymentState,
    OperationKind,
    OperationState,
    Phase,
)
from app.core.specs import DeploymentSpec
from app.core.target import ResolvedModel
from app.core.workspace import Limits, Workspace, WorkspaceIdentity


@dataclass(frozen=True, kw_only=True, slots=True)
class AzureView:
    """Azure's own word for the state, beside ours."""

    state: str | None
    correlation_id: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LatestOperationView:
    """The operation that was accepted last, in short."""

    id: str
    kind: OperationKind
    state: OperationState
    phase: Phase | None
    error: Failure | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentView:
    """A deployment as callers see it; no secret is ever in it."""

    id: str
    name: str
    workspace: str
    project: str
    spec: DeploymentSpec
    state: DeploymentState
    conditions: tuple[Condition, ...]
    serving: bool | None
    wanted_revision: int
    serving_revision: int | None
    scoring_uri: str | None
    swagger_uri: str | None
    model: ResolvedModel | None
    traffic: tuple[Traffic, ...]
    azure: AzureView
    latest_operation: LatestOperationView
    created_by: str
    created_at: datetime
    updated_at: datetime
    links: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationView:
    """An operation as callers see it; success is `state` = succeeded."""

    id: str
    kind: OperationKind
    deployment: str | None
    cluster: str | None = None
    project: str
    state: OperationState
    phase: Phase | None
    revision: int | None
    retry_of: str | None
    cancel_requested_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime
    error: Failure | None
    created_by: str
    created_at: datetime
    links: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionView:
    """One immutable revision; `azure_name` is its name at the target."""

    number: int
    spec: DeploymentSpec
    azure_name: str
    model: ResolvedModel | None
    serving: bool
    created_by: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspaceView:
    """A workspace as callers see it."""

    name: str
    project: str
    identity: WorkspaceIdentity
    limits: Limits
    projects: tuple[str, ...] | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    links: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class EventView:
    """The one envelope, in lists, streams and webhooks alike."""

    id: str
    type: str
    timestamp: datetime
    sequence: int
    data: Mapping[str, Any]


def view_deployment(
    deployment: Deployment, operation: Operation, *, base_url: str
) -> DeploymentView:
    """Return `deployment` with its latest `operation`, links below `base_url`."""
    own = f"{base_url}/v1/deployments/{deployment.id}"
    links = {
        "self": own,
        "by_name": (
            f"{base_url}/v1/workspaces/{deployment.workspace}"
            f"/deployments/{deployment.name}"
        ),
        "operation": f"{base_url}/v1/operations/{operation.id}",
        "events": f"{own}/events",
        "revisions": f"{own}/revisions",
        "logs": f"{own}/logs",
        "invocations": f"{own}/invocations",
    }
    return DeploymentView(
        id=deployment.id,
        name=deployment.name,
        workspace=deployment.workspace,
        project=deployment.project,
        spec=deployment.spec,
        state=deployment.state,
        conditions=deployment.conditions,
        serving=deployment.serving,
        wanted_revision=deployment.wanted_revision,
        serving_revision=deployment.serving_revision,
        scoring_uri=deployment.scoring_uri,
        swagger_uri=deployment.swagger_uri,
        model=deployment.model,
        traffic=deployment.traffic,
        azure=AzureView(
            state=deployment.azure_state, correlation_id=_correlation_id(operation)
        ),
        latest_operation=LatestOperationView(
            id=operation.id,
            kind=operation.kind,
            state=operation.state,
            phase=operation.phase,
            error=operation.error,
        ),
        created_by=deployment.created_by,
        created_at=deployment.created_at,
        updated_at=deployment.updated_at,
        links=links,
    )


def view_operation(operation: Operation, *, base_url: str) -> OperationView:
    """Return `operation` with its links below `base_url`."""
    own = f"{base_url}/v1/operations/{operation.id}"
    return OperationView(
        id=operation.id,
        kind=operation.kind,
        deployment=operation.deployment_id,
        cluster=operation.cluster_id,
        project=operation.project,
        state=operation.state,
        phase=operation.phase,
        revision=operation.revision,
        retry_of=operation.retry_of,
        cancel_requested_at=operation.cancel_requested_at,
        started_at=operation.started_at,
        finished_at=operation.finished_at,
        deadline_at=operation.deadline_at,
        error=operation.error,
        created_by=operation.created_by,
        created_at=operation.created_at,
        links={
            "self": own,
            **_subject_link(operation, base_url),
            "cancel": f"{own}/cancel",
            "retry": f"{own}/retry",
        },
    )


def _subject_link(operation: Operation, base_url: str) -> Mapping[str, str]:
    if operation.deployment_id is None:
        return {"cluster": f"{base_url}/v1/clusters/{operation.cluster_id}"}
    return {"deployment": f"{base_url}/v1/deployments/{operation.deployment_id}"}


def _correlation_id(operation: Operation) -> str | None:
    """Return the id by which Azure's support finds what went wrong last."""
    known = operation.error.evidence.correlation_ids if operation.error else ()
    return known[-1] if known else None


def view_revision(
    revision: Revision, *, name: str, serving: int | None
) -> RevisionView:
    """Return a revision of the deployment `name`; number `serving` serves."""
    return RevisionView(
        number=revision.number,
        spec=revision.spec,
        azure_name=name_at_target(name, revision),
        model=revision.model,
        serving=revision.number == serving,
        created_by=revision.created_by,
        created_at=revision.created_at,
    )


def view_workspace(workspace: Workspace, *, base_url: str) -> WorkspaceView:
    """Return `workspace` with its links below `base_url`."""
    own = f"{base_url}/v1/workspaces/{workspace.name}"
    return WorkspaceView(
        name=workspace.name,
        project=workspace.project,
        identity=workspace.identity,
        limits=workspace.limits,
        projects=workspace.projects,
        created_by=workspace.created_by,
        created_at=workspace.created_at,
        updated_at=workspace.updated_at,
        links={"self": own},
    )
