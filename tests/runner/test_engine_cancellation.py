"""Why a job is canceled, what it may do about it, and where it goes on."""

import asyncio
from dataclasses import replace

import pytest
from typing_extensions import override

from app.runner.engine import EngineStoppedError
from app.runner.running import AbortReason, RunningJob, TaskDefinition
from app.storage.database import Database
from app.storage.jobs import request_abort
from tests.runner.engines import (
    PATIENT,
    QUEUE,
    TASK,
    FakeWork,
    enqueue,
    execute,
    job_rows,
    make_engine,
    running,
    statuses,
    worker_ids,
)
from tests.support import eventually


async def _abort(url: str, key: str) -> None:
    database = Database(url, pool_size=1)
    async with database.transaction() as connection:
        await request_abort(connection, queueing_lock=key)
    await database.close()


class _CleaningWork(FakeWork):
    """Cleans up after an abort, for as long as the gate is shut."""

    @override
    async def handle(self, job: RunningJob, key: str) -> None:
        self.started.append(key)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.canceled.append((key, job.abort_reason))
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        async with asyncio.timeout(30):
            await self.gate.wait()
        self.ended.append(key)


class _DeafWork(FakeWork):
    """Answers the second cancellation only."""

    @override
    async def handle(self, job: RunningJob, key: str) -> None:
        self.started.append(key)
        for _ in range(2):
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.canceled.append((key, job.abort_reason))
        task = asyncio.current_task()
        assert task is not None
        assert task.uncancel() == 0
        await self.gate.wait()
        self.ended.append(key)


class _StubbornWork(FakeWork):
    """Takes no cancellation for an answer until the gate opens."""

    @override
    async def handle(self, job: RunningJob, key: str) -> None:
        self.started.append(key)
        while not self.gate.is_set():
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.canceled.append((key, job.abort_reason))


async def test_an_abort_wakes_a_job_which_then_cleans_up_to_its_end(
    database_url: str,
) -> None:
    work = _CleaningWork()
    async with running(make_engine(database_url, work)):
        await enqueue(database_url, "job")
        await eventually(lambda: work.started == ["job"])

        await _abort(database_url, "job")
        await eventually(lambda: work.canceled, within_seconds=1)
        work.gate.set()
        await eventually(lambda: statuses(database_url) == [("job", "succeeded")])

    assert work.canceled == [("job", AbortReason.USER_REQUEST)]
    assert work.ended == ["job"]


async def test_a_cancellation_that_got_lost_is_repeated_until_it_is_answered(
    database_url: str,
) -> None:
    work = _DeafWork()
    engine = make_engine(
        database_url, work, settings=replace(PATIENT, cancel_again_seconds=0.1)
    )
    async with running(engine):
        await enqueue(database_url, "job", "later")
        await eventually(lambda: len(work.started) == 2)

        await _abort(database_url, "job")
        await eventually(lambda: len(work.canceled) == 2)
        # This one is repeated as well; by then the first has been left in peace.
        await _abort(database_url, "later")
        await eventually(lambda: len(work.canceled) == 4)
        work.gate.set()
        await eventually(lambda: work.ended == ["job", "later"])

    assert [key for key, _ in work.canceled] == ["job", "job", "later", "later"]


async def test_a_second_abort_leaves_the_cleaning_job_alone(database_url: str) -> None:
    work = _CleaningWork()
    async with running(make_engine(database_url, work)):
        await enqueue(database_url, "job", "later")
        await eventually(lambda: len(work.started) == 2)
        await _abort(database_url, "job")
        await eventually(lambda: work.canceled)

        await _abort(database_url, "job")
        # What is asked later is heard later: the second request was heard by then.
        await _abort(database_url, "later")
        await eventually(lambda: ("later", AbortReason.USER_REQUEST) in work.canceled)
        work.gate.set()

    assert [key for key, _ in work.canceled] == ["job", "later"]


async def test_a_job_that_an_abort_stopped_starts_anew(database_url: str) -> None:
    work = FakeWork()
    async with running(make_engine(database_url, work)):
        await enqueue(database_url, "job")
        await eventually(lambda: work.started)

        await _abort(database_url, "job")
        await eventually(lambda: work.started == ["job", "job"])
        work.gate.set()
        await eventually(lambda: work.ended == ["job"])

    assert statuses(database_url) == [("job", "aborted"), ("job", "succeeded")]


async def test_a_question_that_was_aborted_is_not_asked_again(
    database_url: str,
) -> None:
    work = FakeWork()
    question = TaskDefinition(
        name=TASK, queue=QUEUE, handler=work.handle, retry_on_shutdown=False
    )
    async with running(make_engine(database_url, question)):
        await enqueue(database_url, "job")
        await eventually(lambda: work.started)

        await _abort(database_url, "job")

        await eventually(lambda: statuses(database_url) == [("job", "aborted")])


async def test_an_engine_that_stops_hands_each_job_back_once(database_url: str) -> None:
    work = FakeWork()
    async with running(make_engine(database_url, work)) as stop:
        await enqueue(database_url, "a", "b")
        await eventually(lambda: len(work.started) == 2)

        stop.set()

    assert sorted(work.canceled) == [
        ("a", AbortReason.SHUTDOWN),
        ("b", AbortReason.SHUTDOWN),
    ]
    rows = [(row.key, row.status, row.worker_id) for row in job_rows(database_url)]
    assert sorted(rows) == [
        ("a", "aborted", None),
        ("a", "todo", None),
        ("b", "aborted", None),
        ("b", "todo", None),
    ]
    assert worker_ids(database_url) == []


async def test_a_question_is_not_handed_back_by_an_engine_that_stops(
    database_url: str,
) -> None:
    work = FakeWork()
    question = TaskDefinition(
        name=TASK, queue=QUEUE, handler=work.handle, retry_on_shutdown=False
    )
    async with running(make_engine(database_url, question)) as stop:
        await enqueue(database_url, "job")
        await eventually(lambda: work.started)

        stop.set()

    assert statuses(database_url) == [("job", "aborted")]


async def test_an_engine_whose_jobs_do_not_end_says_so_and_keeps_their_rows(
    database_url: str,
) -> None:
    work = _StubbornWork()
    engine = make_engine(
        database_url, work, settings=replace(PATIENT, unwind_seconds=0.2)
    )
    stop = asyncio.Event()
    run = asyncio.create_task(engine.run(stop))
    await enqueue(database_url, "job")
    await eventually(lambda: work.started)

    stop.set()
    with pytest.raises(EngineStoppedError):
        await run

    [row] = job_rows(database_url)
    assert (row.status, [row.worker_id]) == ("doing", worker_ids(database_url))
    assert engine.lease.remaining_seconds() == 0
    work.gate.set()


async def test_an_engine_that_others_hold_for_dead_stops_its_jobs_and_goes_on(
    database_url: str,
) -> None:
    work = FakeWork()
    # What has been lost is not given the time to drain.
    settings = replace(PATIENT, drain_seconds=30)
    async with running(make_engine(database_url, work, settings=settings)):
        await enqueue(database_url, "lost")
        await eventually(lambda: work.started)
        [former_id] = worker_ids(database_url)

        execute(database_url, "DELETE FROM procrastinate_workers")
        await eventually(lambda: work.canceled == [("lost", AbortReason.LOST)])
        await enqueue(database_url, "next")
        await eventually(lambda: work.started == ["lost", "next"])

        # Its row is for a rescue to settle, not for the one who lost it.
        assert statuses(database_url) == [("lost", "doing"), ("next", "doing")]
        assert worker_ids(database_url) != [former_id]
        work.gate.set()


async def test_an_engine_that_is_canceled_hands_its_jobs_back(
    database_url: str,
) -> None:
    work = FakeWork()
    run = asyncio.create_task(make_engine(database_url, work).run(asyncio.Event()))
    await enqueue(database_url, "job")
    await eventually(lambda: work.started)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert statuses(database_url) == [("job", "aborted"), ("job", "todo")]
