"""Stop an operation of a cluster: at once while it waits, else by asking its worker."""

from app.core.deployment import Operation
from app.core.errors import StateConflictError
from app.core.event import ClusterCanceled
from app.core.failure import Failure
from app.core.lifecycle import ClusterState, OperationState
from app.services import admission, cancellation
from app.services.cluster_events import record
from app.services.context import Context
from app.storage import clusters, operations
from app.storage.clusters import ClusterValues
from app.storage.database import Transaction
from app.storage.operations import OperationValues


async def cancel(context: Context, tx: Transaction, operation: Operation) -> Operation:
    """Cancel `operation`; its cluster's row must be locked by this transaction.

    As `app.services.cancellation.cancel`. A removal is not taken back: what was asked
    of Azure goes on there.
    """
    if operation.kind.is_removal and operation.state is OperationState.RUNNING:
        raise StateConflictError(
            "A removal that has begun is not taken back.",
            remedy="Wait for it, then create or attach the cluster again.",
        )
    match operation.state:
        case OperationState.CANCELED:
            return operation
        case OperationState.SUCCEEDED | OperationState.FAILED:
            raise StateConflictError(
                f"The operation has already {operation.state}.",
                remedy="Change or delete the cluster instead.",
            )
        case OperationState.QUEUED:
            return await _end(context, tx, operation, cancellation.canceled())
        case OperationState.RUNNING:
            return await cancellation.request(context, tx, operation)


async def supersede(
    context: Context, tx: Transaction, operation: Operation
) -> Operation:
    """End a waiting operation because a newer request took its place."""
    return await _end(context, tx, operation, cancellation.superseded())


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
    cluster = await clusters.lock(tx, operation.subject_id)
    values = ClusterValues()
    if cluster.latest_operation_id == ended.id:
        values = values_when_given_up(
            cluster.state, ended, failed_as=ClusterState.CANCELED
        )
        if cluster.applied_spec is not None:
            values["spec"] = cluster.applied_spec
    await record(
        context,
        tx,
        cluster.id,
        values=values,
        operation=ended,
        happened=[ClusterCanceled(detail=failure.message)],
    )
    await admission.admit_next(context, tx, operation.workspace_id)
    return ended


def values_when_given_up(
    state: ClusterState, ended: Operation, *, failed_as: ClusterState
) -> ClusterValues:
    """Return what a cluster becomes when a change of it came to nothing.

    One that stands stays live; one that is being deleted stays so, unless it is the
    removal itself that ended.
    """
    match state:
        case ClusterState.LIVE | ClusterState.UPDATING:
            return ClusterValues(state=ClusterState.LIVE)
        case ClusterState.DELETING if ended.kind.is_removal:
            return ClusterValues(state=ClusterState.FAILED)
        case ClusterState.DELETING | ClusterState.DELETED:
            return ClusterValues()
        case _:
            return ClusterValues(state=failed_as)
