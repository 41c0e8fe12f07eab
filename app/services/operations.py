"""What a caller may do to an operation: cancel it, or try it again."""

from app.core.deployment import Operation
from app.core.errors import StateConflictError
from app.core.lifecycle import OperationKind, OperationState
from app.core.principal import Principal
from app.services import (
    cancellation,
    changes,
    cluster_cancellation,
    endpoint_keys,
    removal,
)
from app.services import clusters as cluster_changes
from app.services.changes import Accepted
from app.services.cluster_planning import ClusterChange
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.storage import clusters, deployments, operations
from app.storage.database import Transaction


async def cancel(
    context: Context, tx: Transaction, operation_id: str, *, principal: Principal
) -> Operation:
    """Cancel an operation of the caller's project; repeating it is harmless."""
    operation = await _locked(tx, operation_id, principal)
    if operation.cluster_id is not None:
        return await cluster_cancellation.cancel(context, tx, operation)
    return await cancellation.cancel(context, tx, operation)


async def repeat(
    context: Context,
    tx: Transaction,
    operation_id: str,
    *,
    options: ChangeOptions,
) -> Operation:
    """Start a new operation that does what a failed or canceled one was to do.

    As `retry`, of whichever subject it is.
    """
    found = await operations.get(tx, operation_id, project=options.principal.project)
    if found.cluster_id is None:
        return (await retry(context, tx, operation_id, options=options)).operation
    ended = await _locked(tx, operation_id, options.principal)
    _check_ended_badly(ended)
    cluster = await clusters.lock(tx, ended.subject_id)
    _check_latest(ended, cluster.latest_operation_id)
    change = ClusterChange(principal=options.principal, request_id=options.request_id)
    accepted = await cluster_changes.repeat(context, tx, ended, change=change)
    return accepted.operation


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
    _check_ended_badly(ended)
    deployment = await deployments.lock(tx, ended.subject_id, project=None)
    _check_latest(ended, deployment.latest_operation_id)
    if ended.kind is OperationKind.DELETE:
        return await removal.delete(
            context,
            tx,
            deployment,
            options=options,
            keep_at_target=ended.keep_at_target,
            retry_of=ended.id,
        )
    if ended.kind is OperationKind.REGENERATE:
        return await endpoint_keys.regenerate_again(
            context, tx, deployment, ended, options=options
        )
    return await changes.repeat(context, tx, deployment, ended, options=options)


def _check_ended_badly(ended: Operation) -> None:
    if ended.state not in {OperationState.FAILED, OperationState.CANCELED}:
        raise StateConflictError(
            f"The operation is {ended.state}; only a failed or canceled one is retried."
        )


def _check_latest(ended: Operation, latest_operation_id: str) -> None:
    if latest_operation_id != ended.id:
        raise StateConflictError(
            "A newer operation was accepted since.",
            remedy="Retry the latest operation.",
        )


async def _locked(
    tx: Transaction, operation_id: str, principal: Principal
) -> Operation:
    """Return the operation, read again once its subject's row is locked."""
    found = await operations.get(tx, operation_id, project=principal.project)
    if found.cluster_id is not None:
        await clusters.lock(tx, found.cluster_id)
    else:
        await deployments.lock(tx, found.subject_id, project=None)
    return await operations.get(tx, operation_id, project=principal.project)
