"""What happens to a job on a healthy database, from its start to the engine's end."""

import secrets
from dataclasses import replace
from datetime import timedelta

from app.core.clock import SystemClock
from app.runner.engine import Engine
from app.runner.running import RunningJob, TaskDefinition
from tests.runner.engines import (
    PATIENT,
    QUEUE,
    TASK,
    FakeWork,
    enqueue,
    execute,
    leave_behind,
    make_engine,
    running,
    statuses,
)
from tests.support import eventually


async def test_a_job_runs_with_its_arguments_and_a_lease(database_url: str) -> None:
    leases: list[float] = []

    async def handle(job: RunningJob, key: str, count: int) -> None:
        job.lease.check()
        leases.append(job.lease.remaining_seconds())
        assert (key, count) == ("job", 1)

    engine = make_engine(
        database_url, TaskDefinition(name=TASK, queue=QUEUE, handler=handle)
    )
    await enqueue(database_url, "job")
    execute(
        database_url,
        """UPDATE procrastinate_jobs SET args = args || '{"count": 1}'""",
    )

    async with running(engine):
        await eventually(lambda: statuses(database_url) == [("job", "succeeded")])

    assert 0 < leases[0] <= PATIENT.lease_seconds


async def test_a_notification_starts_a_job_before_the_next_poll(
    database_url: str,
) -> None:
    work = FakeWork()
    work.gate.set()
    engine = make_engine(
        database_url, work, settings=replace(PATIENT, fetch_poll_seconds=60)
    )

    async def starts(key: str) -> bool:
        # The first ones may come before the engine listens, and wait for a later.
        await enqueue(database_url, f"{key}-{secrets.token_hex(4)}")
        return any(started.startswith(key) for started in work.started)

    async with running(engine):
        await eventually(lambda: starts("first"))

        await eventually(lambda: starts("second"))


async def test_a_scheduled_job_starts_when_it_is_due(database_url: str) -> None:
    work = FakeWork()
    work.gate.set()
    due_at = SystemClock().now() + timedelta(seconds=0.5)
    await enqueue(database_url, "job", schedule_at=due_at)

    async with running(make_engine(database_url, work)):
        await eventually(lambda: work.started == ["job"])

        assert SystemClock().now() >= due_at


async def test_jobs_of_one_lock_run_one_after_the_other(database_url: str) -> None:
    work = FakeWork()
    async with running(make_engine(database_url, work)):
        await enqueue(database_url, "first", "second", lock="endpoint")
        await enqueue(database_url, "other")
        # It came last: had the lock let the second go, it had started before.
        await eventually(lambda: work.started == ["first", "other"])
        work.gate.set()

        await eventually(lambda: work.ended == ["first", "other", "second"])


async def test_a_job_that_raises_ends_as_failed_and_stays_so(database_url: str) -> None:
    runs: list[str] = []

    async def handle(_: RunningJob, key: str) -> None:
        runs.append(key)
        raise ValueError(key)

    engine = make_engine(
        database_url, TaskDefinition(name=TASK, queue=QUEUE, handler=handle)
    )

    async with running(engine):
        await enqueue(database_url, "broken", "other")
        await eventually(
            lambda: (
                statuses(database_url) == [("broken", "failed"), ("other", "failed")]
            )
        )

    assert sorted(runs) == ["broken", "other"]


async def test_a_queue_runs_no_more_jobs_at_once_than_its_number(
    database_url: str,
) -> None:
    work = FakeWork()
    engine = make_engine(database_url, work, queues={QUEUE: 2, "other": 1})

    async with running(engine):
        await enqueue(database_url, "a", "b", "c")
        await eventually(lambda: len(work.started) == 2)
        work.gate.set()

        await eventually(lambda: len(work.ended) == 3)


async def test_a_job_that_ends_within_the_drain_is_not_canceled(
    database_url: str,
) -> None:
    work = FakeWork()
    engine = make_engine(
        database_url, work, settings=replace(PATIENT, drain_seconds=10)
    )
    async with running(engine) as stop:
        await enqueue(database_url, "job")
        await eventually(lambda: work.started)

        stop.set()
        work.gate.set()

    assert work.ended == ["job"]
    assert statuses(database_url) == [("job", "succeeded")]


async def test_a_stopping_engine_starts_nothing_new(database_url: str) -> None:
    work = FakeWork()
    engine = make_engine(
        database_url, work, settings=replace(PATIENT, drain_seconds=10)
    )
    async with running(engine) as stop:
        await enqueue(database_url, "running")
        await eventually(lambda: work.started)

        stop.set()
        await enqueue(database_url, "waiting")
        work.gate.set()

    assert statuses(database_url) == [("running", "succeeded"), ("waiting", "todo")]


async def test_the_only_process_goes_on_with_what_it_left_behind(
    database_url: str,
) -> None:
    work = FakeWork()
    leave_behind(database_url, "job")
    # As fresh as after a kill and a quick start.
    execute(database_url, "UPDATE procrastinate_workers SET last_heartbeat = now()")

    async with running(make_engine(database_url, work, sole_worker=True)):
        await eventually(lambda: work.started == ["job"])
        work.gate.set()
        await eventually(lambda: work.ended == ["job"])


async def test_a_stopped_engine_lends_no_lease(database_url: str) -> None:
    work = FakeWork()
    engine: Engine = make_engine(database_url, work)
    assert engine.lease.remaining_seconds() == 0

    async with running(engine):
        await eventually(lambda: engine.lease.remaining_seconds() > 0)

    assert engine.lease.remaining_seconds() == 0
