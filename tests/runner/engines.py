"""Engines in a hurry, a handler that waits, and a look at the engine's tables."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from app.core.clock import SystemClock
from app.runner.engine import Engine
from app.runner.running import AbortReason, RunningJob, TaskDefinition
from app.runner.timing import EngineSettings
from app.storage.database import Database
from app.storage.jobs import Job, defer
from tests.support import eventually

# Short enough to wait for, long enough for a busy machine to keep a heart beating.
FAST = EngineSettings(
    heartbeat_seconds=0.1,
    stall_seconds=1.2,
    lease_margin_seconds=0.1,
    fetch_poll_seconds=0.1,
    drain_seconds=0.1,
    unwind_seconds=5,
    outage_seconds=20,
    pool_timeout_seconds=1,
)
# A stall limit that no test reaches.
PATIENT = replace(FAST, stall_seconds=60)
# How many jobs a worker process runs at once.
SLOTS = 25
TASK = "work"
QUEUE = "main"


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """One row of the engine's table; `key` is the job's only argument."""

    key: str
    status: str
    worker_id: int | None


class FakeWork:
    """A handler whose jobs wait at `gate` and leave a note of all that happens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.started: list[str] = []
        self.ended: list[str] = []
        self.canceled: list[tuple[str, AbortReason | None]] = []

    async def handle(self, job: RunningJob, key: str) -> None:
        """Wait until the gate opens."""
        self.started.append(key)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.canceled.append((key, job.abort_reason))
            raise
        self.ended.append(key)


def make_engine(
    url: str,
    work: FakeWork | TaskDefinition,
    *,
    settings: EngineSettings = PATIENT,
    queues: Mapping[str, int] | None = None,
    sole_worker: bool = False,
) -> Engine:
    """Return an engine for one task."""
    if isinstance(work, FakeWork):
        work = TaskDefinition(name=TASK, queue=QUEUE, handler=work.handle)
    return Engine(
        url,
        [work],
        queues=queues or {QUEUE: 100},
        clock=SystemClock(),
        settings=settings,
        sole_worker=sole_worker,
    )


@asynccontextmanager
async def running(*engines: Engine) -> AsyncIterator[asyncio.Event]:
    """Let engines run side by side and end well; setting the event ends them."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for engine in engines:
            group.create_task(engine.run(stop))
        yield stop
        stop.set()


async def enqueue(
    url: str,
    *keys: str,
    lock: str | None = None,
    schedule_at: datetime | None = None,
) -> None:
    """Store one job for each key, under the key as its queueing lock."""
    database = Database(url, pool_size=1)
    async with database.transaction() as connection:
        await defer(
            connection,
            [
                Job(
                    task=TASK,
                    queue=QUEUE,
                    args={"key": key},
                    queueing_lock=key,
                    lock=lock,
                    schedule_at=schedule_at,
                )
                for key in keys
            ],
        )
    await database.close()


def job_rows(url: str) -> list[JobRow]:
    """Return all jobs, oldest first."""
    with (
        psycopg.connect(url) as connection,
        connection.cursor(row_factory=class_row(JobRow)) as cursor,
    ):
        return cursor.execute(
            "SELECT args->>'key' AS key, status, worker_id"
            " FROM procrastinate_jobs ORDER BY id"
        ).fetchall()


def statuses(url: str) -> list[tuple[str, str]]:
    """Return the key and the status of all jobs, oldest first."""
    return [(row.key, row.status) for row in job_rows(url)]


def worker_ids(url: str) -> list[int]:
    """Return the ids of all registered workers."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT id FROM procrastinate_workers ORDER BY id")
        return [row[0] for row in rows]


def execute(url: str, statement: str) -> None:
    """Run a statement and commit it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def leave_behind(url: str, key: str) -> None:
    """Store a job that a worker took which then died, long ago."""
    execute(
        url,
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"  # noqa: S608
        " VALUES (now() - interval '1 hour') RETURNING id)"
        " INSERT INTO procrastinate_jobs"
        " (queue_name, task_name, args, queueing_lock, status, worker_id)"
        f" SELECT '{QUEUE}', '{TASK}', jsonb_build_object('key', '{key}'), '{key}',"
        " 'doing', id FROM dead",
    )


async def until_trusted(url: str, work: FakeWork) -> None:
    """Return when the only engine's heart has beaten long enough to judge others."""
    leave_behind(url, "trust")
    await eventually(lambda: "trust" in work.started)
