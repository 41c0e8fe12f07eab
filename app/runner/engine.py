"""The task engine: procrastinate's workers, made safe against their own failures."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from app.core.clock import Clock
from app.core.errors import AppError
from app.core.lease import Lease
from app.runner.heartbeat import Heartbeat, HeartbeatLease
from app.runner.manager import FencedJobManager
from app.runner.running import TaskDefinition
from app.runner.tasks import TaskRunner
from app.runner.timing import EngineSettings
from app.storage import workers

_CANCEL_AGAIN_SECONDS = 0.5


class EngineStoppedError(AppError):
    """The engine ended without being asked; the process must end, non-zero.

    A supervisor starts it again; whatever it held is taken over meanwhile.
    """

    code = "engine_stopped"
    title = "The task engine has stopped"
    remedy = "Read the log above it; the supervisor starts the process again."


class Engine:
    """Runs the jobs of `queues`, each with as many at once as its number says.

    A process is one worker to the others: one row, one heartbeat, one lease. It
    needs `settings.pool_size` connections, one to listen and one for the heartbeat
    (6 by default), and an open pool shared with nobody.

    The engine survives a lost database up to `settings.outage_seconds`, with its
    jobs running on. When others hold it for dead (its row is gone) it first stops
    its jobs, then registers anew and goes on.
    """

    def __init__(
        self,
        url: str,
        tasks: Sequence[TaskDefinition],
        *,
        queues: Mapping[str, int],
        clock: Clock,
        settings: EngineSettings,
        sole_worker: bool = False,
    ) -> None:
        self._url = url
        self._tasks = tuple(tasks)
        self._queues = dict(queues)
        self._clock = clock
        self._settings = settings
        self._sole_worker = sole_worker
        self._lease = HeartbeatLease(clock, length_seconds=settings.lease_seconds)

    @property
    def lease(self) -> Lease:
        """What this process may write under; no time is left while it does not run.

        It starts anew only after all jobs of a lost registration have ended.
        """
        return self._lease

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then let go of every job and return.

        Jobs get the drain time to end by themselves; the others are canceled and
        handed back. Raises EngineStoppedError when the engine ends for any other
        reason, or when canceled jobs do not end.
        """
        pool = workers.connection_pool(
            self._url,
            size=self._settings.pool_size,
            patience_seconds=self._settings.pool_timeout_seconds,
        )
        async with pool:
            while not stop.is_set():
                await self._serve_one_registration(pool, stop)

    async def _serve_one_registration(
        self, pool: AsyncConnectionPool, stop: asyncio.Event
    ) -> None:
        heartbeat = Heartbeat(
            self._url,
            self._lease,
            clock=self._clock,
            settings=self._settings,
            sole_worker=self._sole_worker,
        )
        ends = [
            asyncio.create_task(stop.wait()),
            asyncio.create_task(heartbeat.over.wait()),
            asyncio.create_task(self._wait_for_outage(heartbeat)),
        ]
        heartbeat.start()
        is_idle = False
        try:
            await _first([heartbeat.registered, *ends])
            if heartbeat.registered.done():
                await self._work(pool, heartbeat, ends)
            is_idle = True
        finally:
            for end in ends:
                end.cancel()
            await heartbeat.close(unregister=is_idle)
        if not (stop.is_set() or heartbeat.is_lost):
            seconds = self._settings.outage_seconds
            raise EngineStoppedError(
                f"The database was away for {seconds} s, or the heartbeat failed."
            )

    async def _work(
        self,
        pool: AsyncConnectionPool,
        heartbeat: Heartbeat,
        ends: Sequence[asyncio.Task[object]],
    ) -> None:
        connector = PsycopgConnector()
        await connector.open_async(pool)
        manager = FencedJobManager(
            connector, pool, worker_id=heartbeat.registered.result(), clock=self._clock
        )
        runner = TaskRunner(manager, self._lease)
        app = runner.app(connector, self._tasks)
        listener = asyncio.create_task(manager.listen(self._queues))
        repeater = asyncio.create_task(self._repeat_cancellations(runner))
        queue_workers = [
            asyncio.create_task(self._run_worker(app, queue)) for queue in self._queues
        ]
        try:
            await _first([listener, *queue_workers, *ends])
        finally:
            if heartbeat.over.is_set() or self._is_outage(heartbeat):
                runner.abandon()
            try:
                await self._wind_down(queue_workers, listener)
            finally:
                repeater.cancel()

    async def _run_worker(self, app: App, queue: str) -> None:
        await app.run_worker_async(
            queues=[queue],
            name=queue,
            concurrency=self._queues[queue],
            fetch_job_polling_interval=self._settings.fetch_poll_seconds,
            abort_job_polling_interval=self._settings.fetch_poll_seconds,
            shutdown_graceful_timeout=self._settings.drain_seconds,
            install_signal_handlers=False,
        )
        # It returns when a part of it died, as if somebody had asked it to.
        raise EngineStoppedError(f"The worker of queue {queue!r} returned unasked.")

    async def _wind_down(
        self,
        queue_workers: Sequence[asyncio.Task[None]],
        listener: asyncio.Task[None],
    ) -> None:
        for worker in queue_workers:
            worker.cancel()
        await _cancel_surely(listener)
        limit_seconds = self._settings.drain_seconds + self._settings.unwind_seconds
        _, pending = await asyncio.wait(queue_workers, timeout=limit_seconds)
        if pending:
            raise EngineStoppedError("Canceled jobs did not end in time.")
        for part in (listener, *queue_workers):
            if not part.cancelled() and (error := part.exception()):
                raise EngineStoppedError("A part of the engine failed.") from error

    async def _repeat_cancellations(self, runner: TaskRunner) -> None:
        while True:
            await self._clock.sleep(self._settings.cancel_again_seconds)
            runner.repeat_cancellations()

    async def _wait_for_outage(self, heartbeat: Heartbeat) -> None:
        while not self._is_outage(heartbeat):
            await self._clock.sleep(self._settings.heartbeat_seconds)

    def _is_outage(self, heartbeat: Heartbeat) -> bool:
        silent_seconds = self._clock.monotonic() - heartbeat.confirmed_at
        return silent_seconds >= self._settings.outage_seconds


async def _cancel_surely(task: asyncio.Task[None]) -> None:
    # See TaskRunner.repeat_cancellations.
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_SECONDS)


async def _first(events: Iterable[asyncio.Future[Any]]) -> None:
    await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
