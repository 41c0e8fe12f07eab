"""What the rest of Slipway asks of the engine's tables."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from app.storage.database import Database
from app.storage.jobs import (
    Job,
    JobCount,
    count_jobs,
    defer,
    delete_finished,
    request_abort,
    without_live_job,
)

_SOON = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, pool_size=2)
    yield database
    await database.close()


def _job(queueing_lock: str | None = None) -> Job:
    return Job(task="advance", queue="main", args={}, queueing_lock=queueing_lock)


async def _execute(database: Database, statement: str) -> list[tuple[Any, ...]]:
    async with database.transaction() as connection:
        result = await connection.execute(text(statement))
        return [tuple(row) for row in result] if result.returns_rows else []


async def _defer(database: Database, *jobs: Job) -> None:
    async with database.transaction() as connection:
        await defer(connection, jobs)


async def test_a_deferred_job_is_stored_with_all_that_it_says(
    database: Database,
) -> None:
    job = Job(
        task="advance",
        queue="main",
        args={"operation": "op_1"},
        queueing_lock="op_1",
        lock="endpoint",
        priority=3,
        schedule_at=_SOON,
    )

    await _defer(database, job)

    stored = await _execute(
        database,
        "SELECT task_name, queue_name, args, queueing_lock, lock, priority,"
        " scheduled_at, status::text FROM procrastinate_jobs",
    )
    what = ("advance", "main", {"operation": "op_1"})
    assert stored == [(*what, "op_1", "endpoint", 3, _SOON, "todo")]


async def test_a_job_vanishes_with_the_transaction_that_deferred_it(
    database: Database,
) -> None:
    async with database.transaction() as connection:
        await defer(connection, [_job()])
        await connection.rollback()

    async with database.reading() as connection:
        assert await count_jobs(connection) == []


async def test_a_job_whose_queueing_lock_waits_is_left_out(database: Database) -> None:
    await _defer(database, _job("op_1"))

    await _defer(database, _job("op_1"), _job("op_2"), _job("op_2"))

    locks = await _execute(
        database, "SELECT queueing_lock FROM procrastinate_jobs ORDER BY id"
    )
    assert locks == [("op_1",), ("op_2",)]


async def test_a_job_waits_behind_its_running_twin(database: Database) -> None:
    await _defer(database, _job("op_1"))
    await _execute(database, "UPDATE procrastinate_jobs SET status = 'doing'")

    await _defer(database, _job("op_1"))

    statuses = await _execute(
        database, "SELECT status::text FROM procrastinate_jobs ORDER BY id"
    )
    assert statuses == [("doing",), ("todo",)]


async def test_deferring_no_job_is_no_error(database: Database) -> None:
    await _defer(database)

    async with database.reading() as connection:
        assert await count_jobs(connection) == []


async def test_workers_hear_of_a_job_when_it_commits(
    database: Database, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute('LISTEN "procrastinate_queue_v1#main"')

        await _defer(database, _job())

        heard = [
            notice.channel for notice in listener.notifies(timeout=5, stop_after=1)
        ]
    assert heard == ["procrastinate_queue_v1#main"]


async def test_an_abort_is_asked_of_the_running_job_only(database: Database) -> None:
    await _defer(database, _job("op_1"), _job("op_2"))
    await _execute(
        database,
        "UPDATE procrastinate_jobs SET status = 'doing' WHERE queueing_lock = 'op_1'",
    )
    await _defer(database, _job("op_1"))

    async with database.transaction() as connection:
        await request_abort(connection, queueing_lock="op_1")
        await request_abort(connection, queueing_lock="op_2")

    assert await _execute(
        database,
        "SELECT queueing_lock, status::text, abort_requested"
        " FROM procrastinate_jobs ORDER BY id",
    ) == [("op_1", "doing", True), ("op_2", "todo", False), ("op_1", "todo", False)]


async def test_only_waiting_and_running_jobs_are_live(database: Database) -> None:
    await _defer(database, _job("waiting"), _job("running"), _job("ended"))
    for status, lock in (("doing", "running"), ("failed", "ended")):
        await _execute(
            database,
            f"UPDATE procrastinate_jobs SET status = '{status}'"  # noqa: S608
            f" WHERE queueing_lock = '{lock}'",
        )

    async with database.reading() as connection:
        found = await without_live_job(
            connection, {"waiting", "running", "ended", "never deferred"}
        )

    assert found == {"ended", "never deferred"}


async def test_jobs_are_counted_by_queue_and_status(database: Database) -> None:
    other = Job(task="deliver", queue="webhooks", args={})
    await _defer(database, _job(), _job(), other)

    async with database.reading() as connection:
        counts = await count_jobs(connection)

    assert sorted(counts, key=lambda count: count.queue) == [
        JobCount(queue="main", status="todo", count=2),
        JobCount(queue="webhooks", status="todo", count=1),
    ]


async def test_old_ended_jobs_are_deleted_and_no_others(database: Database) -> None:
    await _defer(database, _job("old"), _job("new"), _job("live"))
    await _execute(
        database,
        "UPDATE procrastinate_jobs SET status = 'doing' WHERE queueing_lock <> 'live'",
    )
    await _execute(
        database,
        "UPDATE procrastinate_jobs SET status = 'succeeded' WHERE status = 'doing'",
    )
    await _execute(
        database,
        "UPDATE procrastinate_events SET at = at - interval '2 days' WHERE job_id IN"
        " (SELECT id FROM procrastinate_jobs WHERE queueing_lock <> 'new')",
    )

    async with database.transaction() as connection:
        count = await delete_finished(connection, older_than=timedelta(days=1))

    left = await _execute(
        database, "SELECT queueing_lock FROM procrastinate_jobs ORDER BY id"
    )
    assert (count, left) == (1, [("new",), ("live",)])


async def test_deleting_stops_at_its_limit(database: Database) -> None:
    await _defer(database, *[_job() for _ in range(5)])
    await _execute(database, "UPDATE procrastinate_jobs SET status = 'cancelled'")

    async with database.transaction() as connection:
        counts = [
            await delete_finished(connection, older_than=timedelta(0), limit=3)
            for _ in range(3)
        ]

    assert counts == [3, 2, 0]
