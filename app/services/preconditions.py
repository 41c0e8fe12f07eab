"""What must hold before a change of a deployment is accepted."""

from app.core.deployment import Deployment
from app.core.diff import FieldChange, strongest
from app.core.errors import (
    OperationInProgressError,
    PreconditionError,
    RequiresRecreateError,
    RevisionConflictError,
    StateConflictError,
)
from app.core.lifecycle import DeploymentState, OperationState
from app.core.option import Effect
from app.services import cancellation
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.storage import operations
from app.storage.database import Transaction


def check_preconditions(deployment: Deployment, options: ChangeOptions) -> None:
    """Raise if the caller decided on another revision than the one that stands."""
    stands = deployment.wanted_revision
    if options.if_match is not None and stands not in options.if_match:
        raise PreconditionError(f"Revision {stands} stands, not the one in If-Match.")
    if options.expected_revision not in {None, stands}:
        raise RevisionConflictError(f"Revision {stands} stands.")


def check_alive(deployment: Deployment) -> None:
    """Raise StateConflictError for a deployment that is deleted, or about to be."""
    if deployment.state in {DeploymentState.DELETING, DeploymentState.DELETED}:
        raise StateConflictError(
            f"The deployment is {deployment.state}.",
            remedy="Wait until its name is free and create it again.",
        )


def check_recreate(changes: tuple[FieldChange, ...], options: ChangeOptions) -> None:
    """Raise RequiresRecreateError for an interruption that the caller did not allow."""
    if strongest(changes) is Effect.RECREATE and not options.allow_recreate:
        pointers = [c.pointer for c in changes if c.effect is Effect.RECREATE]
        raise RequiresRecreateError(
            f"Changing {', '.join(pointers)} means deleting and creating again."
        )


async def make_way(
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
