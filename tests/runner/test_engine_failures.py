"""The engine goes on where it safely can, and ends the process where it cannot."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from app.core.clock import SystemClock
from app.core.lease import LeaseLostError
from app.runner.engine import EngineStoppedError
from app.runner.heartbeat import Heartbeat, HeartbeatLease
from app.runner.running import AbortReason, RunningJob, TaskDefinition
from app.storage.data_directory import DataDirectory
from app.storage.embedded import EmbeddedPostgres, guest_group
from app.storage.migrations import upgrade
from tests.runner.engines import (
    FAST,
    PATIENT,
    QUEUE,
    TASK,
    FakeWork,
    enqueue,
    execute,
    job_rows,
    leave_behind,
    make_engine,
    running,
    statuses,
)
from tests.support import eventually


@pytest.fixture
def server(server_dir: Path) -> Iterator[EmbeddedPostgres]:
    """A server of this test's own, which it may stop and start."""
    with DataDirectory(server_dir / "own", guest_group=guest_group()) as directory:
        server = EmbeddedPostgres(directory.path, settings={"fsync": "off"})
        yield server
        server.stop()


async def test_an_engine_one_of_whose_workers_fails_ends_with_an_error(
    database_url: str,
) -> None:
    work = FakeWork()
    engine = make_engine(database_url, work, queues={QUEUE: 5, "other": 5})
    run = asyncio.create_task(engine.run(asyncio.Event()))
    await enqueue(database_url, "job")
    await eventually(lambda: work.started)

    execute(database_url, "ALTER FUNCTION procrastinate_fetch_job_v2 RENAME TO another")
    # Not wait_for: it would cancel, and so end, what should end by itself.
    await asyncio.wait([run], timeout=10)
    assert run.done()
    with pytest.raises(EngineStoppedError) as caught:
        await run

    assert "procrastinate_fetch_job_v2" in str(_first_cause(caught.value))
    assert work.canceled == [("job", AbortReason.SHUTDOWN)]
    assert statuses(database_url) == [("job", "aborted"), ("job", "todo")]


def _first_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


async def test_an_engine_goes_on_when_all_its_connections_are_cut(
    database_url: str,
) -> None:
    work = FakeWork()
    async with running(make_engine(database_url, work)):
        await enqueue(database_url, "before")
        await eventually(lambda: work.started)

        execute(
            database_url,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name LIKE 'slipway-%' AND datname = current_database()",
        )
        await enqueue(database_url, "after")
        await eventually(lambda: work.started == ["before", "after"])
        work.gate.set()
        await eventually(lambda: len(work.ended) == 2)

    assert work.canceled == []


async def test_an_engine_without_a_database_ends_with_an_error(
    database_url: str,
) -> None:
    url = database_url.replace("port=5432", "port=9")
    engine = make_engine(url, FakeWork(), settings=replace(PATIENT, outage_seconds=0.5))

    with pytest.raises(EngineStoppedError, match=r"0\.5 s"):
        await asyncio.wait_for(engine.run(asyncio.Event()), 10)


async def test_an_engine_that_lost_its_database_for_too_long_lets_go_of_its_jobs(
    database_url: str, server_url: str
) -> None:
    work = FakeWork()
    engine = make_engine(
        database_url, work, settings=replace(PATIENT, outage_seconds=1)
    )
    run = asyncio.create_task(engine.run(asyncio.Event()))
    await enqueue(database_url, "job")
    await eventually(lambda: work.started)

    _shut(database_url, server_url)
    with pytest.raises(EngineStoppedError, match="away"):
        await asyncio.wait_for(run, 10)

    _open(database_url, server_url)
    assert work.canceled == [("job", AbortReason.LOST)]
    assert statuses(database_url) == [("job", "doing")]


async def test_a_job_that_ends_without_a_database_is_settled_when_it_is_back(
    database_url: str, server_url: str
) -> None:
    work = FakeWork()
    settings = replace(PATIENT, pool_timeout_seconds=0.3)
    async with running(make_engine(database_url, work, settings=settings)):
        await enqueue(database_url, "job")
        await eventually(lambda: work.started)

        _shut(database_url, server_url)
        work.gate.set()
        await eventually(lambda: work.ended)
        await _pass_seconds(2 * settings.pool_timeout_seconds)
        _open(database_url, server_url)

        await eventually(lambda: statuses(database_url) == [("job", "succeeded")])


def _shut(url: str, server_url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    execute(server_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    execute(
        server_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"  # noqa: S608
        f" WHERE datname = '{name}'",
    )


def _open(url: str, server_url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    execute(server_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_an_engine_without_a_database_can_still_be_stopped(
    database_url: str,
) -> None:
    engine = make_engine(database_url.replace("port=5432", "port=9"), FakeWork())
    stop = asyncio.Event()
    run = asyncio.create_task(engine.run(stop))

    stop.set()

    await asyncio.wait_for(run, 10)


async def test_a_job_whose_fetch_got_no_answer_is_started_after_all(
    database_url: str,
) -> None:
    work = FakeWork()
    engine = make_engine(database_url, work)
    async with running(engine):
        await enqueue(database_url, "running")
        await eventually(lambda: work.started)
        with psycopg.connect(database_url) as blocker:
            blocker.execute("LOCK TABLE procrastinate_jobs")
            fetching = await eventually(lambda: _find_fetch(database_url))
            # As if the server had taken the job, and then the connection broke.
            blocker.execute(
                "INSERT INTO procrastinate_jobs"
                " (queue_name, task_name, args, queueing_lock, status, worker_id)"
                " SELECT queue_name, task_name, '{\"key\": \"lost\"}', 'lost', status,"
                " worker_id FROM procrastinate_jobs"
            )
            execute(database_url, f"SELECT pg_terminate_backend({fetching})")
            blocker.commit()

        await eventually(lambda: work.started == ["running", "lost"])
        work.gate.set()

    assert sorted(statuses(database_url)) == [
        ("lost", "aborted"),
        ("lost", "succeeded"),
        ("running", "succeeded"),
    ]


def _find_fetch(url: str) -> int | None:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database() AND query LIKE '%fetch_job%'"
        ).fetchone()
        return None if row is None else int(row[0])


async def test_a_busy_event_loop_stops_no_heartbeat(database_url: str) -> None:
    leases: list[float] = []

    async def handle(job: RunningJob, key: str) -> None:  # noqa: ARG001
        end = time.monotonic() + 2 * FAST.stall_seconds
        while time.monotonic() < end:
            pass
        leases.append(job.lease.remaining_seconds())

    task = TaskDefinition(name=TASK, queue=QUEUE, handler=handle)
    judge = Heartbeat(
        database_url,
        HeartbeatLease(SystemClock(), length_seconds=1),
        clock=SystemClock(),
        settings=FAST,
        sole_worker=False,
    )
    judge.start()
    leave_behind(database_url, "trust")
    await eventually(lambda: len(job_rows(database_url)) == 2)
    execute(database_url, "DELETE FROM procrastinate_jobs")

    async with running(make_engine(database_url, task, settings=FAST)):
        await enqueue(database_url, "busy")
        await eventually(lambda: statuses(database_url) == [("busy", "succeeded")])
    await judge.close(unregister=True)

    assert leases[0] > 0


@pytest.mark.slow
async def test_no_job_changes_hands_in_an_outage_longer_than_the_stall_limit(
    server: EmbeddedPostgres,
) -> None:
    url = await asyncio.to_thread(server.start)
    await asyncio.to_thread(upgrade, url)
    works = FakeWork(), FakeWork()
    engines = [
        make_engine(url, work, settings=FAST, queues={QUEUE: 2}) for work in works
    ]
    async with running(*engines):
        await enqueue(url, "a", "b", "c", "d")
        await eventually(lambda: [len(work.started) for work in works] == [2, 2])
        leave_behind(url, "trust")
        await eventually(lambda: ("trust", "todo") in statuses(url))
        before = job_rows(url)

        await asyncio.to_thread(server.stop)
        await eventually(lambda: not any(e.lease.remaining_seconds() for e in engines))
        with pytest.raises(LeaseLostError):
            engines[0].lease.check()
        await _pass_seconds(1.3 * FAST.stall_seconds)
        await asyncio.to_thread(server.start)
        await eventually(lambda: all(e.lease.remaining_seconds() for e in engines))
        await _pass_seconds(1.3 * FAST.stall_seconds)

        assert job_rows(url) == before
        for work in works:
            work.gate.set()
        await eventually(lambda: sum(len(work.ended) for work in works) == 5)
        await eventually(
            lambda: {status for _, status in statuses(url)} == {"aborted", "succeeded"}
        )

    assert [work.canceled for work in works] == [[], []]


async def _pass_seconds(seconds: float) -> None:
    end = time.monotonic() + seconds
    await eventually(lambda: time.monotonic() > end)
