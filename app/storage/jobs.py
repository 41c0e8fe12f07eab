"""The engine's jobs as the rest of Slipway sees them: wake-ups, never records.

All statements run in the caller's transaction, so that a record and the job which
acts on it are committed together. The tables are procrastinate's (3.10); what its
workers write there is in `app.storage.workers`.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.target import JsonValue

# One parameter, whatever the number of jobs: one statement, parsed once.
_INSERTION = """
INSERT INTO procrastinate_jobs
    (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
SELECT queue, task, priority, lock, queueing_lock, args, schedule_at
FROM jsonb_to_recordset(CAST(:jobs AS jsonb)) AS job (
    queue text, task text, priority integer, lock text, queueing_lock text,
    args jsonb, schedule_at timestamptz
){beside}
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""

_REQUEST_ABORT = """
UPDATE procrastinate_jobs SET abort_requested = true
WHERE queueing_lock = :queueing_lock AND status = 'doing' AND NOT abort_requested
"""

_WITHOUT_LIVE_JOB = """
SELECT unnest(CAST(:queueing_locks AS text[]))
EXCEPT
SELECT queueing_lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing')
"""

_COUNT = """
SELECT queue_name AS queue, status::text AS status, count(*) AS count
FROM procrastinate_jobs GROUP BY queue_name, status
"""

_DELETE_FINISHED = """
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT job.id FROM procrastinate_jobs AS job
    WHERE job.status NOT IN ('todo', 'doing')
      AND NOT EXISTS (
          SELECT FROM procrastinate_events AS event
          WHERE event.job_id = job.id AND event.at > now() - :older_than
      )
    LIMIT :limit
)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A wake-up to be stored; `args` names records by id and holds nothing else.

    One job of a `queueing_lock` waits at a time, one of a `lock` runs at a time.
    Of several waiting, the highest `priority` starts first, then the oldest.
    """

    task: str
    queue: str
    args: dict[str, JsonValue]
    queueing_lock: str | None = None
    lock: str | None = None
    priority: int = 0
    schedule_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobCount:
    """How many jobs of one queue stand in one of procrastinate's states."""

    queue: str
    status: str
    count: int


def insertion(*, beside: str | None = None) -> str:
    """Return the SQL that stores `:jobs`, as `rows` writes them.

    Inside a larger statement: once for each row of the part named `beside`.
    """
    return _INSERTION.format(beside=f", {beside}" if beside else "")


_DEFER = text(insertion())


def rows(jobs: Sequence[Job]) -> str:
    """Return `jobs` as the one parameter of `insertion`."""
    return json.dumps([asdict(job) for job in jobs], default=datetime.isoformat)


async def defer(connection: AsyncConnection, jobs: Sequence[Job]) -> None:
    """Store `jobs` in one statement; workers hear of them when it commits.

    A job whose `queueing_lock` already waits is left out: that one does its work.
    """
    if not jobs:
        return
    await connection.execute(_DEFER, {"jobs": rows(jobs)})


async def request_abort(connection: AsyncConnection, *, queueing_lock: str) -> None:
    """Wake the running job of `queueing_lock`, if there is one, when it commits.

    A waiting job is left alone: it finds what is asked in its record when it starts.
    """
    await connection.execute(text(_REQUEST_ABORT), {"queueing_lock": queueing_lock})


async def without_live_job(
    connection: AsyncConnection, queueing_locks: Collection[str]
) -> set[str]:
    """Return those of `queueing_locks` for which no job waits or runs."""
    found = await connection.scalars(
        text(_WITHOUT_LIVE_JOB), {"queueing_locks": list(queueing_locks)}
    )
    return set(found)


async def count_jobs(connection: AsyncConnection) -> Sequence[JobCount]:
    """Return the number of jobs by queue and state, without the empty ones."""
    rows = await connection.execute(text(_COUNT))
    return [JobCount(**row) for row in rows.mappings()]


async def delete_finished(
    connection: AsyncConnection, *, older_than: timedelta, limit: int = 1000
) -> int:
    """Delete up to `limit` jobs that ended `older_than` ago; return how many.

    Fewer than `limit` means that none is left.
    """
    result = await connection.execute(
        text(_DELETE_FINISHED), {"older_than": older_than, "limit": limit}
    )
    return result.rowcount
