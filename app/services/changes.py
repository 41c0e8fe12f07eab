"""Accept what a caller asks of a deployment: create it, change it, roll it back."""

import dataclasses
from dataclasses import dataclass

from app.core.deployment import Deployment, Operation, Revision
from app.core.diff import FieldChange, diff
from app.core.errors import (
    NameTakenError,
    NotFoundError,
)
from app.core.event import DeploymentAccepted
from app.core.lifecycle import DeploymentState
from app.core.specs import DeploymentSpec
from app.core.workspace import Workspace
from app.services import admission, followers
from app.services.context import Context
from app.services.events import notify_webhooks, record, tell
from app.services.planning import (
    ChangeOptions,
    Plan,
    first_deployment,
    new_operation,
    new_revision,
    plan_first,
    plan_retry,
    plan_revision,
    plan_rollback,
)
from app.services.preconditions import (
    check_alive,
    check_preconditions,
    check_recreate,
    make_way,
)
from app.services.secrets import Holder, put_away
from app.storage import acceptance, deployments, operations, revisions
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What stands after a request; `is_new` says whether it started something."""

    deployment: Deployment
    operation: Operation
    changes: tuple[FieldChange, ...] = ()
    is_new: bool = True


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
    plan = plan_first(spec, options)
    deployment = first_deployment(context, workspace, name, plan=plan, options=options)
    holder = Holder(deployment_id=deployment.id, principal=options.principal)
    kept = await put_away(context, tx, spec, holder=holder)
    plan = dataclasses.replace(plan, spec=kept.spec)
    operation = new_operation(
        context,
        deployment,
        kind=plan.kind,
        revision=plan.number,
        options=options,
    )
    deployment = dataclasses.replace(
        deployment,
        spec=kept.spec,
        latest_operation_id=operation.id,
        webhook_id=await followers.registered(tx, options.following),
    )
    if workspace.limits.concurrent_operations is None:
        # Nothing can be before it on a new endpoint, so it starts at once.
        operation = dataclasses.replace(operation, admitted_at=deployment.created_at)
    revision = new_revision(deployment, plan, operation)
    told = tell(
        context, deployment, operation=operation, happened=[DeploymentAccepted()]
    )
    stored = await acceptance.create(
        tx,
        deployment,
        revision=revision,
        operation=operation,
        told=told,
        wake_ups=[admission.wake_up(operation)] if operation.admitted_at else [],
    )
    if stored is None:
        raise await _taken(context, tx, deployment)
    await kept.store(tx)
    follows = await followers.follow_new(context, tx, deployment, options.following)
    if stored.is_heard or follows:
        await notify_webhooks(context, tx, deployment, told)
    if operation.admitted_at is None:
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
    check_alive(deployment)
    holder = Holder(
        deployment_id=deployment.id,
        principal=options.principal,
        standing=deployment.spec.target,
    )
    kept = await put_away(context, tx, spec, holder=holder)
    spec = kept.spec
    changes = diff(deployment.spec, spec)
    moved = options.pinned is not None and options.pinned != deployment.model
    serves_it = not changes and not moved
    if serves_it and deployment.state not in _NOTHING_SERVES:
        latest = await operations.get(tx, deployment.latest_operation_id, project=None)
        deployment = await followers.apply(context, tx, deployment, options.following)
        return Accepted(deployment=deployment, operation=latest, is_new=False)
    check_recreate(changes, options)
    await make_way(context, tx, deployment, options)
    await kept.store(tx)
    serving = await _serving(tx, deployment)
    plan = plan_revision(deployment, spec, serving, options=options)
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
    check_alive(deployment)
    past = await revisions.get(tx, deployment.id, number)
    plan = plan_rollback(deployment, past)
    if number == deployment.serving_revision and not plan.changes:
        latest = await operations.get(tx, deployment.latest_operation_id, project=None)
        return Accepted(deployment=deployment, operation=latest, is_new=False)
    check_recreate(plan.changes, options)
    await make_way(context, tx, deployment, options)
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
    check_alive(deployment)
    await make_way(context, tx, deployment, options)
    number = ended.revision or deployment.wanted_revision
    revision = await revisions.get(tx, deployment.id, number)
    plan = plan_retry(deployment, ended, revision)
    return await _accept(
        context, tx, deployment, plan, options=options, retry_of=ended.id
    )


_NOTHING_SERVES = frozenset({DeploymentState.FAILED, DeploymentState.CANCELED})


async def _serving(tx: Transaction, deployment: Deployment) -> Revision | None:
    if deployment.serving_revision is None:
        return None
    return await revisions.get(tx, deployment.id, deployment.serving_revision)


async def _accept(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    plan: Plan,
    *,
    options: ChangeOptions,
    retry_of: str | None = None,
) -> Accepted:
    operation = new_operation(
        context,
        deployment,
        kind=plan.kind,
        revision=plan.number,
        options=options,
    )
    operation = dataclasses.replace(operation, retry_of=retry_of)
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
    await _add(tx, deployment, plan, operation=operation)
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
    tx: Transaction,
    deployment: Deployment,
    plan: Plan,
    *,
    operation: Operation,
) -> None:
    if plan.creates_revision:
        await revisions.add(tx, new_revision(deployment, plan, operation))
    await operations.create(tx, operation)


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
