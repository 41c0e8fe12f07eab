"""The statements that procrastinate's workers send, fenced by our ownership."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial

import psycopg
import structlog
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Notification, Status
from procrastinate.manager import (
    JobManager,
    NotificationCallback,
    get_channel_for_queues,
)
from psycopg_pool import AsyncConnectionPool
from typing_extensions import override

from app.core.clock import Clock
from app.storage import workers
from app.storage.database import is_unavailable

_LOG = structlog.get_logger(__name__)
_PAUSE_SECONDS = 1.0


class FencedJobManager(JobManager):
    """Lets all workers of one process act as one, registered by its heartbeat.

    A job is settled only while its row is still this worker's; a settlement is
    repeated until the database has confirmed it, for a row forgotten as `doing` by a
    live worker would never be rescued. An absent database stops no worker: fetching
    and listening go on when it is back.
    """

    def __init__(
        self,
        connector: BaseConnector,
        pool: AsyncConnectionPool,
        *,
        worker_id: int,
        clock: Clock,
    ) -> None:
        super().__init__(connector)
        self._pool = pool
        self._worker_id = worker_id
        self._clock = clock
        self._held: set[int] = set()
        self._unsure_queues: set[str] = set()
        self._callbacks: dict[str, NotificationCallback] = {}
        self.is_abandoned = False

    def abandon(self) -> None:
        """Fetch and settle nothing any more: the jobs are somebody else's."""
        self.is_abandoned = True

    @override
    async def register_worker(self) -> int:
        """Return the id under which the heartbeat registered this process."""
        return self._worker_id

    @override
    async def unregister_worker(self, worker_id: int) -> None:
        """Leave the row to the heartbeat: other workers of the process need it."""

    @override
    async def update_heartbeat(self, worker_id: int) -> None:
        """Leave it to the heartbeat's own thread."""

    @override
    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Delete none: a worker's row goes in one statement with its jobs."""
        return []

    @override
    async def fetch_job(
        self, queues: Iterable[str] | None, worker_id: int
    ) -> Job | None:
        """Take the next job, or none while the database is away."""
        if self.is_abandoned:
            return None
        names = set(queues or ())
        try:
            if names & self._unsure_queues:
                await self._hand_back_unheld(names)
            job = await super().fetch_job(queues, worker_id)
        except (ConnectorException, psycopg.Error) as error:
            cause = error.__cause__ or error
            # The row that the fetch refers to is gone: the heartbeat finds it out.
            is_lost = isinstance(cause, psycopg.errors.ForeignKeyViolation)
            if not (is_lost or is_unavailable(cause)):
                raise
            self._unsure_queues |= names
            _LOG.warning("fetch_failed", queues=sorted(names), error=str(cause))
            return None
        if job is not None and job.id is not None:
            self._held.add(job.id)
        return job

    @override
    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """Return the running jobs to be woken; none while the database is away."""
        try:
            return await super().list_jobs_to_abort_async(queue)
        except ConnectorException as error:
            if is_unavailable(error.__cause__ or error):
                return ()
            raise

    @override
    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """End the job if it is still ours; kept, as all ended ones, for a while."""
        finish = partial(workers.finish, worker_id=self._worker_id, status=status.value)
        await self._settle(job, finish)

    @override
    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Put the job back in its queue at once if it is still ours."""
        await self._settle(job, partial(workers.hand_back, worker_id=self._worker_id))

    @override
    async def listen_for_jobs(
        self,
        *,
        on_notification: NotificationCallback,
        queues: Iterable[str] | None = None,
    ) -> None:
        """Have `listen` pass a worker what concerns its queues, until canceled."""
        for channel in get_channel_for_queues(queues):
            self._callbacks[channel] = on_notification
        await asyncio.Event().wait()

    async def listen(self, queues: Iterable[str]) -> None:
        """Hear for all workers on one connection, and connect again when it breaks.

        What was missed in between is found by their polls.
        """
        while True:
            try:
                await super().listen_for_jobs(
                    on_notification=self._pass_on, queues=list(queues)
                )
            except ConnectorException as error:
                _LOG.warning("listen_failed", error=str(error.__cause__))
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _pass_on(self, *, channel: str, notification: Notification) -> None:
        if callback := self._callbacks.get(channel):
            await callback(channel=channel, notification=notification)

    async def _hand_back_unheld(self, queues: set[str]) -> None:
        async with self._pool.connection() as connection:
            await workers.hand_back_unheld(
                connection, queues, worker_id=self._worker_id, held=self._held
            )
        self._unsure_queues -= queues

    async def _settle(
        self, job: Job, write: Callable[[psycopg.AsyncConnection, int], Awaitable[bool]]
    ) -> None:
        job_id = job.id or 0  # A job that was fetched has one.
        while not self.is_abandoned:
            try:
                async with self._pool.connection() as connection:
                    is_ours = await write(connection, job_id)
            except psycopg.Error as error:
                _LOG.info("settle_failed", job_id=job_id, error=str(error))
                await self._clock.sleep(_PAUSE_SECONDS)
            else:
                if not is_ours:
                    _LOG.warning("job_not_ours", job_id=job_id)
                break
        self._held.discard(job_id)
