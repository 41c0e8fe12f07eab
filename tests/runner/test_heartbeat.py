"""The lease ends in time, and only a heart that beat on judges others."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg
import pytest

from app.core.clock import SystemClock
from app.core.lease import LeaseLostError
from app.runner.heartbeat import Heartbeat, HeartbeatLease
from app.runner.timing import EngineSettings
from tests.runner.engines import (
    FAST,
    PATIENT,
    execute,
    leave_behind,
    statuses,
    worker_ids,
)
from tests.support import eventually

# There is no other worker here to be mistaken for dead.
_QUICK = replace(FAST, stall_seconds=0.5)


@dataclass
class FrozenClock:
    """A clock that stands until it is set."""

    seconds: float = 100.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@asynccontextmanager
async def _beating(
    url: str,
    *,
    settings: EngineSettings = PATIENT,
    sole_worker: bool = False,
    lease: HeartbeatLease | None = None,
) -> AsyncIterator[Heartbeat]:
    clock = SystemClock()
    heartbeat = Heartbeat(
        url,
        lease or HeartbeatLease(clock, length_seconds=settings.lease_seconds),
        clock=clock,
        settings=settings,
        sole_worker=sole_worker,
    )
    heartbeat.start()
    try:
        await asyncio.wait_for(heartbeat.registered, 10)
        yield heartbeat
    finally:
        await heartbeat.close(unregister=True)


async def _next_beat(heartbeat: Heartbeat) -> None:
    before = time.monotonic()
    await eventually(lambda: heartbeat.confirmed_at > before)


def test_nothing_may_be_written_before_the_first_heartbeat() -> None:
    lease = HeartbeatLease(FrozenClock(), length_seconds=3.5)

    assert lease.remaining_seconds() == 0
    with pytest.raises(LeaseLostError):
        lease.check()


def test_a_lease_lasts_its_length_from_when_the_heartbeat_was_sent() -> None:
    clock = FrozenClock(seconds=100)
    lease = HeartbeatLease(clock, length_seconds=3.5)

    lease.renew(sent_at=99)

    assert lease.remaining_seconds() == 2.5
    clock.seconds = 102.4
    lease.check()
    clock.seconds = 102.5
    with pytest.raises(LeaseLostError):
        lease.check()


def test_an_expired_lease_has_no_time_left() -> None:
    lease = HeartbeatLease(FrozenClock(), length_seconds=3.5)
    lease.renew(sent_at=100)

    lease.expire()

    assert lease.remaining_seconds() == 0


def test_a_lease_ends_before_a_worker_counts_as_dead() -> None:
    settings = EngineSettings()

    assert settings.heartbeat_seconds < settings.lease_seconds < settings.stall_seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"stall_seconds": 2.0},
        {"drain_seconds": 4.0},
    ],
)
def test_settings_that_would_rob_live_workers_are_refused(
    wrong: dict[str, float],
) -> None:
    with pytest.raises(ValueError, match="must"):
        replace(EngineSettings(), **wrong)  # type: ignore[arg-type]


async def test_time_that_a_heartbeat_waited_for_the_database_is_not_leased(
    database_url: str,
) -> None:
    settings = replace(PATIENT, heartbeat_seconds=0.5)
    lease = HeartbeatLease(SystemClock(), length_seconds=settings.lease_seconds)
    async with _beating(database_url, settings=settings, lease=lease) as heartbeat:
        with psycopg.connect(database_url) as blocker:
            blocker.execute("SELECT FROM procrastinate_workers FOR UPDATE")
            await eventually(lambda: _is_someone_waiting(database_url))
            before = heartbeat.confirmed_at
            released_at = time.monotonic()
        await eventually(lambda: heartbeat.confirmed_at != before)

        # It was sent, and waited, before the row was released.
        assert heartbeat.confirmed_at < released_at
        left_seconds = settings.lease_seconds - (time.monotonic() - released_at)
        assert lease.remaining_seconds() < left_seconds


def _is_someone_waiting(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return bool(
            connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            ).fetchone()
        )


async def test_a_heartbeat_keeps_the_lease_alive(database_url: str) -> None:
    lease = HeartbeatLease(SystemClock(), length_seconds=_QUICK.lease_seconds)
    async with _beating(database_url, settings=_QUICK, lease=lease) as heartbeat:
        began_at = time.monotonic()
        await eventually(
            lambda: heartbeat.confirmed_at > began_at + _QUICK.stall_seconds
        )

        lease.check()
    assert lease.remaining_seconds() == 0


async def test_a_worker_whose_row_is_gone_is_lost(database_url: str) -> None:
    lease = HeartbeatLease(SystemClock(), length_seconds=PATIENT.lease_seconds)
    async with _beating(database_url, lease=lease) as heartbeat:
        execute(database_url, "DELETE FROM procrastinate_workers")

        await asyncio.wait_for(heartbeat.over.wait(), 10)

        assert heartbeat.is_lost
        assert lease.remaining_seconds() == 0


async def test_a_closed_heartbeat_takes_its_row_along(database_url: str) -> None:
    async with _beating(database_url):
        assert len(worker_ids(database_url)) == 1

    assert worker_ids(database_url) == []


async def test_a_worker_whose_jobs_did_not_end_leaves_its_row(
    database_url: str,
) -> None:
    async with _beating(database_url) as heartbeat:
        await heartbeat.close(unregister=False)

        assert worker_ids(database_url) == [heartbeat.registered.result()]


async def test_a_new_worker_judges_nobody_for_three_stall_limits(
    database_url: str,
) -> None:
    leave_behind(database_url, "job")
    before = time.monotonic()

    async with _beating(database_url, settings=_QUICK):
        await eventually(lambda: len(statuses(database_url)) == 2)

    assert time.monotonic() - before > 3 * _QUICK.stall_seconds
    assert statuses(database_url) == [("job", "aborted"), ("job", "todo")]


async def test_the_only_process_takes_over_before_it_starts(database_url: str) -> None:
    leave_behind(database_url, "job")
    execute(database_url, "UPDATE procrastinate_workers SET last_heartbeat = now()")

    async with _beating(database_url, sole_worker=True) as heartbeat:
        assert statuses(database_url) == [("job", "aborted"), ("job", "todo")]
        assert worker_ids(database_url) == [heartbeat.registered.result()]


@pytest.mark.parametrize("gap", ["paused", "reconnected"])
async def test_after_a_gap_a_worker_judges_nobody_for_three_stall_limits(
    database_url: str, gap: str
) -> None:
    leave_behind(database_url, "first")
    async with _beating(database_url, settings=_QUICK) as heartbeat:
        await eventually(lambda: ("first", "todo") in statuses(database_url))

        if gap == "paused":
            execute(
                database_url,
                "UPDATE procrastinate_workers"
                " SET last_heartbeat = now() - interval '1 hour'",
            )
        else:
            _cut_heartbeats(database_url)
        leave_behind(database_url, "second")
        before = time.monotonic()
        await eventually(lambda: ("second", "todo") in statuses(database_url))

        assert not heartbeat.is_lost
    assert (
        time.monotonic() - before > 3 * _QUICK.stall_seconds - _QUICK.heartbeat_seconds
    )


def _cut_heartbeats(url: str) -> None:
    execute(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE application_name = 'slipway-heartbeat'"
        " AND datname = current_database()",
    )


async def test_a_rescue_that_must_wait_does_not_stop_the_heartbeat(
    database_url: str,
) -> None:
    async with _beating(database_url, settings=_QUICK) as heartbeat:
        with psycopg.connect(database_url) as undecided:
            undecided.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock)"
                " VALUES ('main', 'work', 'job')"
            )
            leave_behind(database_url, "job")
            await eventually(lambda: _is_someone_waiting(database_url))
            before = _find_heartbeat(database_url)

            await _next_beat(heartbeat)

            assert _find_heartbeat(database_url) == before
        await eventually(lambda: ("job", "doing") not in statuses(database_url))


def _find_heartbeat(url: str) -> int | None:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'slipway-heartbeat'"
            " AND datname = current_database()"
        ).fetchone()
        return None if row is None else int(row[0])


async def test_a_process_with_a_cut_connection_keeps_its_row(database_url: str) -> None:
    async with _beating(database_url) as heartbeat:
        _cut_heartbeats(database_url)

        await _next_beat(heartbeat)

        assert worker_ids(database_url) == [heartbeat.registered.result()]
