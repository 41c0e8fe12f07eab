"""What nobody asked for and must be done all the same, once in a while."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from app.core.errors import AppError
from app.core.lease import Lease
from app.runner.work import Work
from app.services import admission, tasks
from app.services.idempotency import prune_before
from app.storage import (
    deliveries,
    idempotency,
    jobs,
    operations,
    queries,
    revisions,
)
from app.storage.database import Transaction

_LOG = structlog.get_logger(__name__)

RESYNC_EVERY_SECONDS = 60.0
PRUNE_EVERY_SECONDS = 3600.0
REAP_EVERY_SECONDS = 30.0

_JOBS_KEPT_FOR = timedelta(days=1)
_QUERIES_KEPT_FOR = timedelta(minutes=5)
# A delivery this late has lost its job: the schedule itself adds no more jitter.
_DELIVERY_LATE_BY = timedelta(minutes=2)


class Housekeeping:
    """The safety nets: each turns an error of the engine or a crash into a delay."""

    def __init__(self, work: Work, lease: Lease) -> None:
        self._work = work
        self._lease = lease

    async def run(self) -> None:
        """Do each chore at its own pace until canceled."""
        await asyncio.gather(
            self._repeat(self.resync, RESYNC_EVERY_SECONDS),
            self._repeat(self.prune, PRUNE_EVERY_SECONDS),
            self._repeat(self.reap, REAP_EVERY_SECONDS),
        )

    async def resync(self) -> None:
        """Give a job again to everything that should have one and has none.

        Admitted operations, operations that could be admitted, and deliveries whose
        time has come.
        """
        context = self._work.context
        late = context.clock.now() - _DELIVERY_LATE_BY
        async with context.database.transaction() as tx:
            for workspace_id in await operations.workspaces_with_waiting(tx):
                await admission.admit_next(context, tx, workspace_id)
            await self._wake_operations(tx)
            due = [delivery.id for delivery in await deliveries.due(tx, before=late)]
            forgotten = await jobs.without_live_job(tx, due)
            await jobs.defer(tx, [tasks.deliver(item) for item in sorted(forgotten)])
        if forgotten:
            _LOG.warning("deliveries_resynced", count=len(forgotten))

    async def prune(self) -> None:
        """Delete what has outlived its use: finished jobs, keys, queries."""
        context = self._work.context
        now = context.clock.now()
        keys_before, secrets_before = prune_before(now)
        async with context.database.transaction() as tx:
            await idempotency.prune(
                tx, keys_before=keys_before, secrets_before=secrets_before
            )
            await queries.prune(tx, before=now - _QUERIES_KEPT_FOR)
        deleted = 1
        while deleted:
            async with context.database.transaction() as tx:
                deleted = await jobs.delete_finished(tx, older_than=_JOBS_KEPT_FOR)

    async def reap(self) -> None:
        """Remove revisions that a failed clean-up left at their target.

        Only those of deployments without an open operation that share no slot with
        what serves; each is read again under its endpoint's lock.
        """
        context = self._work.context
        async with context.database.reading() as connection:
            left_over = await revisions.left_over(connection, list(self._work.targets))
        for endpoint_key, revision in left_over:
            target = self._work.target(revision.spec.target.kind)
            async with self._work.locks.held(endpoint_key):
                async with context.database.reading() as connection:
                    is_still = await revisions.is_left_over(connection, revision)
                if not is_still or revision.handle is None:
                    continue
                await target.delete(revision.handle, self._lease)
                async with context.database.transaction() as tx:
                    await revisions.set_handle(
                        tx, revision.deployment_id, revision.number, None
                    )
            _LOG.info("revision_reaped", deployment_id=revision.deployment_id)

    async def _wake_operations(self, tx: Transaction) -> None:
        admitted = await operations.admitted_and_open(tx)
        asleep = await jobs.without_live_job(tx, [item.id for item in admitted])
        again = [
            tasks.advance(item.id, item.endpoint_key)
            for item in admitted
            if item.id in asleep
        ]
        await jobs.defer(tx, again)
        if again:
            _LOG.warning("operations_resynced", count=len(again))

    async def _repeat(self, chore: Callable[[], Awaitable[None]], every: float) -> None:
        while True:
            try:
                await chore()
            except AppError as error:
                _LOG.warning(
                    "chore_interrupted", chore=chore.__name__, reason=error.code
                )
            await asyncio.sleep(every)
