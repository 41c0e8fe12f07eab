"""What a caller may do to an operation: cancel it, or try it again."""

from app.core.deployment import Operation
from app.core.errors import StateConflictError
from app.core.lifecycle import OperationKind, OperationState
from app.core.principal import Principal
from app.services import cancellation, changes, removal
from app.services.changes import Accepted
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.storage import deployments, operations
from app.storage.database import Transaction


async def cancel(
    context: Context, tx: Transaction, operation_id: str, *, principal: Principal
) -> Operation:
    """Cancel an operation of the caller's project; repeating it is harmless."""
    operation = await _locked(tx, operation_id, principal)
    return await cancellation.cancel(context, tx, operation)


async def retry(
    context: Context,
    tx: Transaction,
    operation_id: str,
    *,
    options: ChangeOptions,
) -> Accepted:
    """Start a new operation that does what a failed or canceled one was to do.

    The pinned model version stays the same. Raises StateConflictError unless it is
    the deployment's latest operation and ended without success.
    """
    ended = await _locked(tx, operation_id, options.principal)
    if ended.state not in {OperationState.FAILED, OperationState.CANCELED}:
        raise StateConflictError(
            f"The operation is {ended.state}; only a failed or canceled one is retried."
        )
    deployment = await deployments.lock(tx, ended.deployment_id, project=None)
    if deployment.latest_operation_id != ended.id:
        raise StateConflictError(
            "A newer operation was accepted since.",
            remedy="Retry the deployment's latest operation.",
        )
    if ended.kind is OperationKind.DELETE:
        return await removal.delete(
            context,
            tx,
            deployment,
            options=options,
            keep_at_target=ended.keep_at_target,
            retry_of=ended.id,
        )
    return await changes.repeat(context, tx, deployment, ended, options=options)


async def _locked(
    tx: Transaction, operation_id: str, principal: Principal
) -> Operation:
    """Return the operation, read again once its deployment's row is locked."""
    found = await operations.get(tx, operation_id, project=principal.project)
    await deployments.lock(tx, found.deployment_id, project=None)
    return await operations.get(tx, operation_id, project=principal.project)
