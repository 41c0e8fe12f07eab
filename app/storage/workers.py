"""What a worker process writes into procrastinate's tables, on its own connections.

The row in `procrastinate_workers` is the token of ownership: whoever takes a
worker's jobs deletes that row in the same statement. While it stands, nobody has.
Every comparison of times is made by the database's clock.

A job that changes hands gets a new row, for the row's id is known to its former
worker and procrastinate's own functions ask for nothing else: a worker that was
only frozen would settle the new owner's run. The new row's priority is one higher,
so that it does not queue behind later jobs of its lock. The old one becomes
`aborted`, which no function revives (`failed` can be retried).
"""

import math
from collections.abc import Collection

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from app.storage.database import psycopg_url

_LIMIT_STATEMENTS = "SELECT set_config('statement_timeout', %s, false)"

_REGISTER = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"

_UNREGISTER = "DELETE FROM procrastinate_workers WHERE id = %(worker_id)s"

_BEAT = """
WITH mine AS (
    SELECT id, last_heartbeat FROM procrastinate_workers
    WHERE id = %(worker_id)s FOR UPDATE
)
UPDATE procrastinate_workers AS worker SET last_heartbeat = now()
FROM mine WHERE worker.id = mine.id
RETURNING extract(epoch FROM now() - mine.last_heartbeat)::float
"""

# Ends each statement that picks jobs as `taken`. A waiting twin of the same
# queueing lock does the work of a new row; a request to abort was for the old run.
_GIVE_NEW_ROWS = sql.SQL("""
closed AS (
    UPDATE procrastinate_jobs AS job
    SET status = 'aborted', abort_requested = false, worker_id = NULL,
        attempts = job.attempts + 1
    FROM taken WHERE job.id = taken.id
    RETURNING job.*
), renewed AS (
    INSERT INTO procrastinate_jobs
        (queue_name, task_name, priority, lock, queueing_lock, args, attempts)
    SELECT queue_name, task_name, priority + 1, lock, queueing_lock, args, attempts
    FROM closed
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
)
SELECT count(*) FROM closed
""")

# Locked rows are skipped: another rescuer or the worker itself is at them, and the
# next round looks again. The last condition on `dead` is against clocks that jump:
# a rescuer whose own heartbeat looks old has no say about others.
_RESCUE = sql.SQL("""
WITH dead AS (
    SELECT worker.id FROM procrastinate_workers AS worker
    WHERE worker.id <> %(worker_id)s
      AND (
          %(everyone)s
          OR worker.last_heartbeat < now() - make_interval(secs => %(stall)s)
      )
      AND EXISTS (
          SELECT FROM procrastinate_workers AS mine
          WHERE mine.id = %(worker_id)s
            AND mine.last_heartbeat >= now() - make_interval(secs => %(stall)s)
      )
    FOR UPDATE SKIP LOCKED
), buried AS (
    DELETE FROM procrastinate_workers AS worker USING dead WHERE worker.id = dead.id
), taken AS (
    SELECT id FROM procrastinate_jobs
    WHERE status = 'doing'
      AND (worker_id IS NULL OR worker_id IN (SELECT id FROM dead))
    FOR UPDATE SKIP LOCKED
), {give_new_rows}
""").format(give_new_rows=_GIVE_NEW_ROWS)

_FINISH = """
UPDATE procrastinate_jobs
SET status = %(status)s::procrastinate_job_status, abort_requested = false,
    worker_id = NULL, attempts = attempts + 1
WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
"""

_HAND_BACK = sql.SQL("""
WITH taken AS (
    SELECT id FROM procrastinate_jobs
    WHERE id = %(job_id)s AND worker_id = %(worker_id)s AND status = 'doing'
    FOR UPDATE
), {give_new_rows}
""").format(give_new_rows=_GIVE_NEW_ROWS)

_HAND_BACK_UNHELD = sql.SQL("""
WITH taken AS (
    SELECT id FROM procrastinate_jobs
    WHERE worker_id = %(worker_id)s AND status = 'doing'
      AND queue_name = ANY(%(queues)s) AND id <> ALL(%(held)s)
    FOR UPDATE
), {give_new_rows}
""").format(give_new_rows=_GIVE_NEW_ROWS)


def connect(url: str, *, patience_seconds: float) -> psycopg.Connection:
    """Open a connection that gives a dead server up after `patience_seconds`."""
    conninfo = _conninfo(url, "slipway-heartbeat", patience_seconds)
    connection = psycopg.connect(conninfo, autocommit=True)
    milliseconds = str(math.ceil(patience_seconds * 1000))
    connection.execute(_LIMIT_STATEMENTS, (milliseconds,))
    return connection


def connection_pool(
    url: str, *, size: int, patience_seconds: float
) -> AsyncConnectionPool:
    """Return a pool, not yet open, of one to `size` connections in autocommit."""
    return AsyncConnectionPool(
        _conninfo(url, "slipway-engine", patience_seconds),
        open=False,
        min_size=1,
        max_size=size,
        timeout=patience_seconds,
        # Its pauses double up to this: they must not outlast a short outage by much.
        reconnect_timeout=patience_seconds,
        configure=_set_autocommit,
        check=AsyncConnectionPool.check_connection,
    )


def register(connection: psycopg.Connection) -> int:
    """Make a row for this process and return its id; its heartbeat is now."""
    worker_id: int = connection.execute(_REGISTER).fetchall()[0][0]
    return worker_id


def unregister(connection: psycopg.Connection, *, worker_id: int) -> None:
    """Delete the worker's row; jobs that it still holds are anyone's at once."""
    connection.execute(_UNREGISTER, {"worker_id": worker_id})


def beat(connection: psycopg.Connection, *, worker_id: int) -> float | None:
    """Write a heartbeat; return the seconds since the one before.

    `None` says that the row is gone and the worker's jobs with it.
    """
    row = connection.execute(_BEAT, {"worker_id": worker_id}).fetchone()
    return None if row is None else float(row[0])


def rescue(
    connection: psycopg.Connection,
    *,
    worker_id: int,
    stall_seconds: float,
    everyone: bool = False,
) -> int:
    """Take the jobs of all workers without a heartbeat for `stall_seconds`.

    One statement for any number of jobs; returns that number. Jobs of no worker are
    taken too, those of `worker_id` never. `everyone` is for a process that knows
    that no other is alive: it takes the jobs of workers with a fresh heartbeat too.
    """
    values = {
        "worker_id": worker_id,
        "stall": stall_seconds,
        "everyone": everyone,
    }
    count: int = connection.execute(_RESCUE, values).fetchall()[0][0]
    return count


async def finish(
    connection: psycopg.AsyncConnection, job_id: int, *, worker_id: int, status: str
) -> bool:
    """End a job that this worker still holds; return whether it did."""
    values = {"job_id": job_id, "worker_id": worker_id, "status": status}
    cursor = await connection.execute(_FINISH, values)
    return cursor.rowcount == 1


async def hand_back(
    connection: psycopg.AsyncConnection, job_id: int, *, worker_id: int
) -> bool:
    """Put a job that this worker still holds back in its queue, as a new row."""
    cursor = await connection.execute(
        _HAND_BACK, {"job_id": job_id, "worker_id": worker_id}
    )
    return await cursor.fetchone() == (1,)


async def hand_back_unheld(
    connection: psycopg.AsyncConnection,
    queues: Collection[str],
    *,
    worker_id: int,
    held: Collection[int],
) -> None:
    """Put back the jobs of `queues` that this worker got and does not know of.

    A fetch whose answer was lost with its connection leaves such a job: a live
    worker's own, so that nobody would ever rescue it.
    """
    values = {"worker_id": worker_id, "queues": list(queues), "held": list(held)}
    await connection.execute(_HAND_BACK_UNHELD, values)


def _conninfo(url: str, name: str, patience_seconds: float) -> str:
    # Without the last two a connection into the void blocks for minutes.
    seconds = math.ceil(patience_seconds)
    return make_conninfo(
        psycopg_url(url),
        application_name=name,
        connect_timeout=max(2, seconds),
        tcp_user_timeout=math.ceil(patience_seconds * 1000),
        keepalives_idle=max(1, seconds),
    )


async def _set_autocommit(connection: psycopg.AsyncConnection) -> None:
    await connection.set_autocommit(True)
