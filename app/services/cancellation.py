"""Stop an operation: at once while it waits, by asking its worker once it runs."""

from app.core.deployment import Deployment, Operation
from app.core.errors import StateConflictError
from app.core.event import DeploymentCanceled
from app.core.failure import Blame, Failure, FailureCode
from app.core.lifecycle import DeploymentState, OperationState
from app.services import admission
from app.services.context import Context
from app.services.events import record
from app.storage import deployments, jobs, operations, revisions
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues
from app.storage.operations import OperationValues


async def cancel(context: Context, tx: Transaction, operation: Operation) -> Operation:
    """Cancel `operation`; its deployment's row must be locked by this transaction.

    Repeating it is harmless. One that runs ends once its worker has removed what it
    had made. Raises StateConflictError for one that succeeded or failed.
    """
    match operation.state:
        case OperationState.CANCELED:
            return operation
        case OperationState.SUCCEEDED | OperationState.FAILED:
            raise StateConflictError(
                f"The operation has already {operation.state}.",
                remedy="Roll back or delete the deployment instead.",
            )
        case OperationState.QUEUED:
            return await _end(context, tx, operation, canceled())
        case OperationState.RUNNING:
            return await request(context, tx, operation)


async def supersede(
    context: Context, tx: Transaction, operation: Operation
) -> Operation:
    """End a waiting operation because a newer request took its place."""
    return await _end(context, tx, operation, superseded())


async def request(context: Context, tx: Transaction, operation: Operation) -> Operation:
    """Ask the worker of a running operation to stop and clean up.

    The column decides; the engine's abort only wakes the job that reads it.
    """
    if operation.cancel_requested_at is not None:
        return operation
    asked = await operations.change(
        tx,
        operation.id,
        OperationValues(cancel_requested_at=context.clock.now()),
        epoch=None,
    )
    await jobs.request_abort(tx, queueing_lock=operation.id)
    return asked


async def values_when_given_up(
    tx: Transaction, deployment: Deployment, *, state: DeploymentState
) -> DeploymentValues:
    """Return what a deployment becomes when a change of it came to nothing.

    Whatever served before is wanted again; where nothing serves it becomes `state`.
    A deployment that is being deleted stays so.
    """
    values = DeploymentValues()
    if deployment.serving_revision is not None:
        serving = await revisions.get(tx, deployment.id, deployment.serving_revision)
        values["wanted_revision"] = serving.number
        values["spec"] = serving.spec
        if deployment.state is DeploymentState.UPDATING:
            values["state"] = DeploymentState.LIVE
    elif deployment.state is not DeploymentState.DELETING:
        values["state"] = state
    return values


async def _end(
    context: Context, tx: Transaction, operation: Operation, failure: Failure
) -> Operation:
    ended = await operations.change(
        tx,
        operation.id,
        OperationValues(
            state=OperationState.CANCELED,
            error=failure,
            finished_at=context.clock.now(),
        ),
        epoch=None,
    )
    deployment = await deployments.lock(tx, operation.subject_id, project=None)
    await record(
        context,
        tx,
        deployment.id,
        values=await _values_without(tx, deployment, operation),
        operation=ended,
        happened=[DeploymentCanceled(detail=failure.message)],
    )
    await admission.admit_next(context, tx, operation.workspace_id)
    return ended


async def _values_without(
    tx: Transaction, deployment: Deployment, ended: Operation
) -> DeploymentValues:
    """Return what the deployment becomes once `ended` never ran."""
    if deployment.latest_operation_id != ended.id:
        return DeploymentValues()
    ahead = await operations.open_of_deployment(tx, deployment.id)
    wanted = [other.revision for other in ahead if other.revision is not None]
    if not wanted:
        return await values_when_given_up(
            tx, deployment, state=DeploymentState.CANCELED
        )
    # What runs ahead of it decides the state; its revision is wanted again.
    revision = await revisions.get(tx, deployment.id, wanted[-1])
    return DeploymentValues(wanted_revision=revision.number, spec=revision.spec)


def canceled() -> Failure:
    """Return why an operation ended that never started."""
    return Failure(
        code=FailureCode.CANCELED,
        message="The operation was canceled before it started.",
        remedy="Send the request again, or retry the operation.",
        retryable=True,
        blame=Blame.CALLER,
    )


def superseded() -> Failure:
    """Return why an operation ended whose place a newer one took."""
    return Failure(
        code=FailureCode.SUPERSEDED,
        message="A newer request took the place of this one before it started.",
        remedy="Follow the newer operation.",
        retryable=False,
        blame=Blame.CALLER,
    )
