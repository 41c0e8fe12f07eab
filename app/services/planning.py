"""What a change will be, decided before anything is written."""

from dataclasses import dataclass
from datetime import timedelta

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.deployment import Deployment, Operation, Revision
from app.core.diff import FieldChange, diff, strongest, with_in_place_fields
from app.core.errors import NotSupportedError
from app.core.lifecycle import DeploymentState, OperationKind, OperationState
from app.core.option import Effect
from app.core.principal import Principal
from app.core.specs import DeploymentSpec, LocalOptions
from app.core.target import ResolvedModel
from app.core.workspace import AzureMlWorkspace, MlflowWorkspace, Workspace
from app.services.context import Context
from app.services.followers import Following

# Raised when an operation's stored form changes: a worker puts back what is newer.
SPEC_VERSION = 1

_DEFAULT_DEADLINE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeOptions:
    """How a change is to be made; `pinned` is what a moving URI names just now.

    `if_match` holds the revisions that the caller allows; None allows every one.
    """

    principal: Principal
    request_id: str | None = None
    deadline: timedelta = _DEFAULT_DEADLINE
    queue: bool = False
    allow_recreate: bool = False
    expected_revision: int | None = None
    if_match: frozenset[int] | None = None
    following: Following | None = None
    pinned: ResolvedModel | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One change, decided: which revision, by which kind of operation."""

    kind: OperationKind
    spec: DeploymentSpec
    number: int
    slot: str
    model: ResolvedModel | None
    creates_revision: bool
    changes: tuple[FieldChange, ...]


def plan_first(spec: DeploymentSpec, options: ChangeOptions) -> Plan:
    """Return the plan of a deployment that does not exist yet."""
    return Plan(
        kind=OperationKind.DEPLOY,
        spec=spec,
        number=1,
        slot="r1",
        model=options.pinned,
        creates_revision=True,
        changes=(),
    )


def plan_revision(
    deployment: Deployment,
    spec: DeploymentSpec,
    serving: Revision | None,
    *,
    options: ChangeOptions,
) -> Plan:
    """Return the plan that makes `spec` wanted beside what is `serving`.

    A change that the target takes in place keeps the slot and the model of what
    serves; any other gets a slot of its own.
    """
    following = deployment.last_revision + 1
    slot, model = f"r{following}", options.pinned
    if serving is not None and options.pinned in {None, serving.model}:
        effect = strongest(diff(serving.spec, spec))
        if effect in {None, Effect.IN_PLACE}:
            slot, model = serving.slot, serving.model
    return Plan(
        kind=OperationKind.DEPLOY if serving is None else OperationKind.UPDATE,
        spec=spec,
        number=following,
        slot=slot,
        model=model,
        creates_revision=True,
        changes=diff(deployment.spec, spec),
    )


def plan_rollback(deployment: Deployment, past: Revision) -> Plan:
    """Return the plan that makes `past` wanted again.

    It is that very revision where nothing else would differ, else a new one with
    its model and options and today's counts, tags and description.
    """
    spec = with_in_place_fields(past.spec, deployment.spec)
    is_the_past_one = spec == past.spec
    following = deployment.last_revision + 1
    return Plan(
        kind=OperationKind.ROLLBACK,
        spec=spec,
        number=past.number if is_the_past_one else following,
        slot=past.slot if is_the_past_one else f"r{following}",
        model=past.model,
        creates_revision=not is_the_past_one,
        changes=diff(deployment.spec, spec),
    )


def plan_retry(deployment: Deployment, ended: Operation, revision: Revision) -> Plan:
    """Return the plan that does again what `ended` was to do with `revision`."""
    return Plan(
        kind=ended.kind,
        spec=revision.spec,
        number=revision.number,
        slot=revision.slot,
        model=revision.model,
        creates_revision=False,
        changes=diff(deployment.spec, revision.spec),
    )


def first_deployment(
    context: Context,
    workspace: Workspace,
    name: str,
    *,
    plan: Plan,
    options: ChangeOptions,
) -> Deployment:
    """Return a deployment that waits for its first operation, stored by nobody."""
    now = context.clock.now()
    project = options.principal.project
    return Deployment(
        id=context.ids.new("dep"),
        project=project,
        workspace_id=workspace.id,
        workspace=workspace.name,
        name=name,
        endpoint_key=endpoint_key(plan.spec, workspace, name, project=project),
        state=DeploymentState.PENDING,
        spec=plan.spec,
        conditions=(),
        serving=None,
        wanted_revision=plan.number,
        serving_revision=None,
        last_revision=plan.number,
        version=1,
        # The row is born with its first event, `deployment.accepted`.
        sequence=1,
        scoring_uri=None,
        swagger_uri=None,
        model=plan.model,
        traffic=(),
        azure_state=None,
        latest_operation_id="",
        webhook_id=None,
        created_by=options.principal.name,
        created_at=now,
        updated_at=now,
    )


def endpoint_key(
    spec: DeploymentSpec, workspace: Workspace, name: str, *, project: str
) -> str:
    """Return the remote identity that serializes and is unique until deleted.

    A local endpoint is this installation's own, so its key names project,
    workspace and deployment; see DESIGN section 3 for Azure's.
    """
    match spec.target:
        case LocalOptions():
            return f"local/{project}/{workspace.name}/{name}"
        case AciOptions() | AksOptions():
            # At Azure both are web services of one workspace, with one set of names.
            return f"{azure_identity(workspace).arm_id}/mms/{name}"


def azure_identity(workspace: Workspace) -> AzureMlWorkspace:
    """Return where at Azure a workspace is; NotSupportedError for any other kind."""
    match workspace.identity:
        case AzureMlWorkspace():
            return workspace.identity
        case MlflowWorkspace():
            raise NotSupportedError(
                f"The workspace {workspace.name} is not one of Azure.",
                remedy="Deploy to a workspace of kind azureml, or on target local.",
            )


def new_operation(
    context: Context,
    deployment: Deployment,
    *,
    kind: OperationKind,
    revision: int | None,
    options: ChangeOptions,
) -> Operation:
    """Return an operation that waits for its job, stored by nobody yet."""
    now = context.clock.now()
    return Operation(
        id=context.ids.new("op"),
        project=deployment.project,
        deployment_id=deployment.id,
        workspace_id=deployment.workspace_id,
        endpoint_key=deployment.endpoint_key,
        kind=kind,
        state=OperationState.QUEUED,
        phase=None,
        epoch=0,
        spec_version=SPEC_VERSION,
        revision=revision,
        previous_revision=deployment.serving_revision,
        keep_at_target=False,
        retry_of=None,
        error=None,
        cancel_requested_at=None,
        deadline_at=now + options.deadline,
        admitted_at=None,
        started_at=None,
        finished_at=None,
        created_by=options.principal.name,
        created_at=now,
        request_id=options.request_id,
    )


def new_revision(deployment: Deployment, plan: Plan, operation: Operation) -> Revision:
    """Return the revision that the plan makes, stored by nobody yet."""
    return Revision(
        deployment_id=deployment.id,
        number=plan.number,
        spec=plan.spec,
        slot=plan.slot,
        model=plan.model,
        handle=None,
        project=deployment.project,
        created_by=operation.created_by,
        created_at=operation.created_at,
    )
