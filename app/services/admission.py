"""Who may start: first on its endpoint, and a free slot in its workspace."""

from app.core.deployment import Operation
from app.services import tasks
from app.services.context import Context
from app.storage import jobs, operations
from app.storage.database import Transaction
from app.storage.jobs import Job

# How many waiting operations one finished operation can let in: its slot, its
# endpoint's next, and a few that an earlier crash may have left behind.
_BATCH = 8


async def admit(context: Context, tx: Transaction, operation: Operation) -> bool:
    """Give a newly accepted operation its job, if it may start now."""
    if not await operations.may_start(tx, operation):
        return False
    return await _start(context, tx, operation)


def wake_up(operation: Operation) -> Job:
    """Return the job of an admitted operation."""
    return tasks.advance(operation.id, operation.endpoint_key)


async def admit_next(context: Context, tx: Transaction, workspace_id: str) -> int:
    """Give jobs to as many waiting operations of the workspace as may start.

    Called in every transaction that ends an operation, and by the resync.
    """
    admitted = 0
    for operation in await operations.waiting(
        tx, workspace_id=workspace_id, limit=_BATCH
    ):
        if not await operations.has_free_slot(tx, workspace_id):
            break
        admitted += await _start(context, tx, operation)
    return admitted


async def _start(context: Context, tx: Transaction, operation: Operation) -> bool:
    if not await operations.admit(tx, operation.id, at=context.clock.now()):
        return False
    await jobs.defer(tx, [wake_up(operation)])
    return True
