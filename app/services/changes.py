"""Accept what a caller asks of a deployment: create it, change it, roll it back."""

import dataclasses
from dataclasses import dataclass
from datetime import timedelta

from app.core.deployment import Deployment, Operation, Revision
from app.core.diff import FieldChange, diff, strongest, with_in_place_fields
from app.core.errors import (
    NameTakenError,
    NotFoundError,
    OperationInProgressError,
    PreconditionError,
    RequiresRecreateError,
    RevisionConflictError,
    StateConflictError,
)
from app.core.event import DeploymentAccepted
from app.core.lifecycle import DeploymentState, OperationKind, OperationState
from app.core.option import Effect
from app.core.principal import Principal
from app.core.specs import DeploymentSpec, LocalOptions
from app.core.target import ResolvedModel
from app.core.workspace import Workspace
from app.services import admission, cancellation, followers
from app.services.context import Context
from app.services.events import announce, record
from app.services.followers import Following
from app.storage import deployments, operations, revisions
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues

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
class Accepted:
    """What stands after a request; `is_new` says whether it started something."""

    deployment: Deployment
    operation: Operation
    changes: tuple[FieldChange, ...] = ()
    is_new: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """One change, decided: which revision, by which kind of operation."""

    kind: OperationKind
    spec: DeploymentSpec
    number: int
    slot: str
    model: ResolvedModel | None
    creates_revision: bool
    changes: tuple[FieldChange, ...]


async def create(
    context: Context,
    tx: Transaction,
    workspace: Workspace,
    name: str,
    *,
    spec: DeploymentSpec,
    options: ChangeOptions,
) -> Accepted:
    """Store a new deployment with its first revision, event and job.

    Raises NameTakenError if the name lives, or its place at the target is taken.
    """
    plan = _Plan(
        kind=OperationKind.DEPLOY,
        spec=spec,
        number=1,
        slot="r1",
        model=options.pinned,
        creates_revision=True,
        changes=(),
    )
    deployment = _first(context, workspace, name, plan=plan, options=options)
    operation = _operation(context, deployment, plan, options=options)
    deployment = dataclasses.replace(
        deployment,
        latest_operation_id=operation.id,
        webhook_id=await followers.registered(tx, options.following),
    )
    if not await deployments.create(tx, deployment):
        raise await _taken(context, tx, deployment)
    if options.following is not None:
        await followers.set_one_off(context, tx, deployment, options.following)
    await _add(context, tx, deployment, plan, operation=operation)
    await announce(
        context, tx, deployment, operation=operation, happened=[DeploymentAccepted()]
    )
    await admission.admit(context, tx, operation)
    return Accepted(deployment=deployment, operation=operation)


async def revise(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    spec: DeploymentSpec,
    *,
    options: ChangeOptions,
) -> Accepted:
    """Make `spec` what is wanted of a locked `deployment`.

    Returns the present state with `is_new` False when it already is. Raises the
    conflicts of API.md: revision, recreate, operation in progress, deleting.
    """
    check_preconditions(deployment, options)
    _check_alive(deployment)
    changes = diff(deployment.spec, spec)
    moved = options.pinned is not None and options.pinned != deployment.model
    serves_it = not changes and not moved
    if serves_it and deployment.state not in _NOTHING_SERVES:
        latest = await operations.get(tx, deployment.latest_operation_id, project=None)
        deployment = await followers.apply(context, tx, deployment, options.following)
        return Accepted(deployment=deployment, operation=latest, is_new=False)
    _check_recreate(changes, options)
    await _make_way(context, tx, deployment, options)
    plan = await _plan_revision(tx, deployment, spec, changes=changes, options=options)
    return await _accept(context, tx, deployment, plan, options=options)


async def roll_back(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    number: int,
    *,
    options: ChangeOptions,
) -> Accepted:
    """Make revision `number` what is wanted of a locked `deployment` again.

    Its model and options come back; counts, tags and description stay as they are.
    """
    check_preconditions(deployment, options)
    _check_alive(deployment)
    past = await revisions.get(tx, deployment.id, number)
    spec = with_in_place_fields(past.spec, deployment.spec)
    changes = diff(deployment.spec, spec)
    if number == deployment.serving_revision and not changes:
        latest = await operations.get(tx, deployment.latest_operation_id, project=None)
        return Accepted(deployment=deployment, operation=latest, is_new=False)
    _check_recreate(changes, options)
    await _make_way(context, tx, deployment, options)
    is_the_past_one = spec == past.spec
    following = deployment.last_revision + 1
    plan = _Plan(
        kind=OperationKind.ROLLBACK,
        spec=spec,
        number=number if is_the_past_one else following,
        slot=past.slot if is_the_past_one else f"r{following}",
        model=past.model,
        creates_revision=not is_the_past_one,
        changes=changes,
    )
    return await _accept(context, tx, deployment, plan, options=options)


async def repeat(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    ended: Operation,
    *,
    options: ChangeOptions,
) -> Accepted:
    """Try an ended change of a locked `deployment` again, with its pinned model."""
    _check_alive(deployment)
    await _make_way(context, tx, deployment, options)
    number = ended.revision or deployment.wanted_revision
    revision = await revisions.get(tx, deployment.id, number)
    plan = _Plan(
        kind=ended.kind,
        spec=revision.spec,
        number=number,
        slot=revision.slot,
        model=revision.model,
        creates_revision=False,
        changes=diff(deployment.spec, revision.spec),
    )
    return await _accept(
        context, tx, deployment, plan, options=options, retry_of=ended.id
    )


def check_preconditions(deployment: Deployment, options: ChangeOptions) -> None:
    """Raise if the caller decided on another revision than the one that stands."""
    stands = deployment.wanted_revision
    if options.if_match is not None and stands not in options.if_match:
        raise PreconditionError(f"Revision {stands} stands, not the one in If-Match.")
    if options.expected_revision not in {None, stands}:
        raise RevisionConflictError(f"Revision {stands} stands.")


_NOTHING_SERVES = frozenset({DeploymentState.FAILED, DeploymentState.CANCELED})


def _check_alive(deployment: Deployment) -> None:
    if deployment.state in {DeploymentState.DELETING, DeploymentState.DELETED}:
        raise StateConflictError(
            f"The deployment is {deployment.state}.",
            remedy="Wait until its name is free and create it again.",
        )


def _check_recreate(changes: tuple[FieldChange, ...], options: ChangeOptions) -> None:
    if strongest(changes) is Effect.RECREATE and not options.allow_recreate:
        pointers = [c.pointer for c in changes if c.effect is Effect.RECREATE]
        raise RequiresRecreateError(
            f"Changing {', '.join(pointers)} means deleting and creating again."
        )


async def _make_way(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    options: ChangeOptions,
) -> None:
    """Refuse while something runs; with ?queue=true, supersede what only waits."""
    open_ones = await operations.open_of_deployment(tx, deployment.id)
    if open_ones and not options.queue:
        raise OperationInProgressError(
            "An operation of this deployment is in progress.",
            links={"operation": f"{context.base_url}/v1/operations/{open_ones[0].id}"},
        )
    for waiting in open_ones:
        if waiting.state is OperationState.QUEUED and waiting.admitted_at is None:
            await cancellation.supersede(context, tx, waiting)


async def _plan_revision(
    tx: Transaction,
    deployment: Deployment,
    spec: DeploymentSpec,
    *,
    changes: tuple[FieldChange, ...],
    options: ChangeOptions,
) -> _Plan:
    following = deployment.last_revision + 1
    kind = OperationKind.DEPLOY
    slot, model = f"r{following}", options.pinned
    if deployment.serving_revision is not None:
        kind = OperationKind.UPDATE
        serving = await revisions.get(tx, deployment.id, deployment.serving_revision)
        is_same_model = options.pinned in {None, serving.model}
        effect = strongest(diff(serving.spec, spec))
        if is_same_model and effect in {None, Effect.IN_PLACE}:
            slot, model = serving.slot, serving.model
    return _Plan(
        kind=kind,
        spec=spec,
        number=following,
        slot=slot,
        model=model,
        creates_revision=True,
        changes=changes,
    )


async def _accept(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    plan: _Plan,
    *,
    options: ChangeOptions,
    retry_of: str | None = None,
) -> Accepted:
    operation = _operation(
        context, deployment, plan, options=options, retry_of=retry_of
    )
    values = DeploymentValues(
        spec=plan.spec,
        wanted_revision=plan.number,
        last_revision=max(deployment.last_revision, plan.number),
        latest_operation_id=operation.id,
    )
    if deployment.state in _NOTHING_SERVES:
        values["state"] = DeploymentState.PENDING
    if options.following is not None:
        values["webhook_id"] = await followers.registered(tx, options.following)
        # Before the event is recorded: whoever is to follow hears of this change.
        await followers.set_one_off(context, tx, deployment, options.following)
    await _add(context, tx, deployment, plan, operation=operation)
    changed = await record(
        context,
        tx,
        deployment.id,
        values=values,
        operation=operation,
        happened=[DeploymentAccepted()],
    )
    await admission.admit(context, tx, operation)
    return Accepted(deployment=changed, operation=operation, changes=plan.changes)


async def _add(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    plan: _Plan,
    *,
    operation: Operation,
) -> None:
    if plan.creates_revision:
        revision = Revision(
            deployment_id=deployment.id,
            number=plan.number,
            spec=plan.spec,
            slot=plan.slot,
            model=plan.model,
            handle=None,
            project=deployment.project,
            created_by=operation.created_by,
            created_at=context.clock.now(),
        )
        await revisions.add(tx, revision)
    await operations.create(tx, operation)


def _first(
    context: Context,
    workspace: Workspace,
    name: str,
    *,
    plan: _Plan,
    options: ChangeOptions,
) -> Deployment:
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


def _operation(
    context: Context,
    deployment: Deployment,
    plan: _Plan,
    *,
    options: ChangeOptions,
    retry_of: str | None = None,
) -> Operation:
    now = context.clock.now()
    return Operation(
        id=context.ids.new("op"),
        project=deployment.project,
        deployment_id=deployment.id,
        workspace_id=deployment.workspace_id,
        endpoint_key=deployment.endpoint_key,
        kind=plan.kind,
        state=OperationState.QUEUED,
        phase=None,
        epoch=0,
        spec_version=SPEC_VERSION,
        revision=plan.number,
        previous_revision=deployment.serving_revision,
        keep_at_target=False,
        retry_of=retry_of,
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


async def _taken(
    context: Context, tx: Transaction, deployment: Deployment
) -> NameTakenError:
    try:
        standing = await deployments.id_by_name(
            tx,
            project=deployment.project,
            workspace=deployment.workspace,
            name=deployment.name,
        )
    except NotFoundError:
        return NameTakenError("The place at the target is taken by another project.")
    return NameTakenError(
        "A deployment of this name lives in this workspace.",
        links={"deployment": f"{context.base_url}/v1/deployments/{standing}"},
    )
