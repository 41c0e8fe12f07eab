"""The sign of life of this process, and its right to take over from the dead."""

import asyncio
import math
import threading
from collections.abc import Callable
from contextlib import suppress

import psycopg
import structlog

from app.core.clock import Clock
from app.core.lease import LeaseLostError
from app.runner.timing import EngineSettings
from app.storage import workers

_LOG = structlog.get_logger(__name__)


class HeartbeatLease:
    """A lease that only a confirmed heartbeat makes longer.

    It is counted from before the heartbeat was sent, so it ends before any other
    worker can find that heartbeat too old, whatever the confirmation took.
    """

    def __init__(self, clock: Clock, *, length_seconds: float) -> None:
        self._clock = clock
        self._length_seconds = length_seconds
        self._ends_at = -math.inf

    def remaining_seconds(self) -> float:
        """Return what is left of it, never below zero."""
        return max(0.0, self._ends_at - self._clock.monotonic())

    def check(self) -> None:
        """Return while some of it is left; raise LeaseLostError after that."""
        if self.remaining_seconds() == 0:
            raise LeaseLostError(
                "No heartbeat of this worker was confirmed in time; "
                "another worker may have taken its operations over."
            )

    def renew(self, *, sent_at: float) -> None:
        """Count it anew from `sent_at`, a reading of the monotonic clock."""
        self._ends_at = sent_at + self._length_seconds

    def expire(self) -> None:
        """End it now."""
        self._ends_at = -math.inf


class Heartbeat:
    """One registration of this process as a worker, kept alive until it is over.

    It runs in a thread of its own on a connection of its own, so that neither a busy
    event loop nor an exhausted pool makes a living process look dead. While the
    database is away it tries again after each pause; the worker's row tells
    afterwards whether its jobs are still its own (`app.storage.workers`).

    It takes the jobs of stalled workers over, but only when its own heart has beaten
    on one connection for three stall limits; never its own jobs. With `sole_worker`
    nobody else can be alive, and all jobs are taken over at once, when it registers.
    """

    def __init__(
        self,
        url: str,
        lease: HeartbeatLease,
        *,
        clock: Clock,
        settings: EngineSettings,
        sole_worker: bool,
    ) -> None:
        self._url = url
        self._lease = lease
        self._clock = clock
        self._settings = settings
        self._sole_worker = sole_worker
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._closing = threading.Event()
        self._unregisters = False
        self._worker_id: int | None = None
        self.registered: asyncio.Future[int] = self._loop.create_future()
        """The worker's id, once its row is there."""
        self.over = asyncio.Event()
        """Set when this registration has ended, asked or not."""
        self.is_lost = False
        """Whether it ended because the row was gone, and the jobs with it."""
        self.confirmed_at = clock.monotonic()
        """When the last confirmed heartbeat was sent, by the monotonic clock."""

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    async def close(self, *, unregister: bool) -> None:
        """End the heartbeat and the lease.

        `unregister` is for a worker whose jobs have all ended: jobs it still holds
        are taken over at once. Otherwise the row stays until it is found stalled.
        """
        self._unregisters = unregister
        self._closing.set()
        await asyncio.to_thread(self._thread.join, self._settings.stall_seconds)
        self._lease.expire()

    def _run(self) -> None:
        try:
            while not (self._closing.is_set() or self.is_lost):
                self._beat_on_one_connection()
        finally:
            self._lease.expire()
            self._tell(self.over.set)

    def _beat_on_one_connection(self) -> None:
        patience_seconds = self._settings.stall_seconds / 2
        try:
            with workers.connect(
                self._url, patience_seconds=patience_seconds
            ) as connection:
                if self._worker_id is None:
                    self._worker_id = self._register(connection)
                self._beat_until_over(connection, self._worker_id)
        except psycopg.Error as error:
            _LOG.warning(
                "heartbeat_failed", worker_id=self._worker_id, error=str(error)
            )
            # No growing pauses: the others, back sooner, wait only the trial time
            # for this heartbeat before they take its jobs.
            self._closing.wait(self._settings.heartbeat_seconds)

    def _register(self, connection: psycopg.Connection) -> int:
        sent_at = self._clock.monotonic()
        worker_id = workers.register(connection)
        if self._sole_worker:
            self._rescue(connection, worker_id, everyone=True)
        self._confirm(sent_at)
        _LOG.info("worker_registered", worker_id=worker_id)
        self._tell(lambda: self.registered.set_result(worker_id))
        return worker_id

    def _beat_until_over(self, connection: psycopg.Connection, worker_id: int) -> None:
        # A new connection may lead to another server, which may lack the latest
        # heartbeats of the others: the trial begins anew with each.
        trial_began_at = self._clock.monotonic()
        while not self._closing.wait(self._settings.heartbeat_seconds):
            sent_at = self._clock.monotonic()
            pause_seconds = workers.beat(connection, worker_id=worker_id)
            if pause_seconds is None:
                self.is_lost = True
                _LOG.warning("worker_lost", worker_id=worker_id)
                return
            self._confirm(sent_at)
            if pause_seconds > self._settings.stall_seconds:
                trial_began_at = sent_at
                _LOG.warning(
                    "heartbeat_paused", worker_id=worker_id, seconds=pause_seconds
                )
            if sent_at - trial_began_at >= self._settings.trial_seconds:
                self._rescue_stalled(connection, worker_id)
        if self._unregisters:
            workers.unregister(connection, worker_id=worker_id)

    def _confirm(self, sent_at: float) -> None:
        self._lease.renew(sent_at=sent_at)
        self.confirmed_at = sent_at

    def _rescue_stalled(self, connection: psycopg.Connection, worker_id: int) -> None:
        try:
            self._rescue(connection, worker_id, everyone=False)
        except (
            psycopg.errors.DeadlockDetected,
            psycopg.errors.QueryCanceled,
        ) as error:
            # It waited for somebody's transaction; the heartbeat must not.
            _LOG.warning("rescue_postponed", worker_id=worker_id, error=str(error))

    def _rescue(
        self, connection: psycopg.Connection, worker_id: int, *, everyone: bool
    ) -> None:
        count = workers.rescue(
            connection,
            worker_id=worker_id,
            stall_seconds=self._settings.stall_seconds,
            everyone=everyone,
        )
        if count:
            _LOG.warning("jobs_rescued", worker_id=worker_id, count=count)

    def _tell(self, callback: Callable[[], object]) -> None:
        # A loop that is closed has nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)
