"""Workers that are killed, frozen or told to go: every job runs on in another."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests import support
from tests.runner.engines import (
    FAST,
    SLOTS,
    enqueue,
    execute,
    leave_behind,
    statuses,
    worker_ids,
)

_REPOSITORY = Path(__file__).resolve().parents[2]

Start = Callable[[str], subprocess.Popen[bytes]]

# Interpreters start in here, beside whatever else the machine has to do.
eventually = partial(support.eventually, within_seconds=30)


@dataclass(frozen=True)
class Note:
    process: str
    key: str
    what: str


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    """Starts worker processes by name; none outlives the test."""
    execute(
        database_url,
        "CREATE TABLE notes (id bigserial, process text, key text, what text);"
        "CREATE TABLE releases (key text)",
    )
    processes: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "tests.runner.engine_process", name, database_url],
            cwd=_REPOSITORY,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def _notes(url: str) -> list[Note]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT process, key, what FROM notes ORDER BY id")
        return [Note(*row) for row in rows]


def _started(url: str, process: str) -> set[str]:
    return {
        note.key
        for note in _notes(url)
        if note.process == process and note.what == "started"
    }


def _release(url: str, *keys: str) -> None:
    for key in keys:
        execute(url, f"INSERT INTO releases VALUES ('{key}')")  # noqa: S608


def _runs(url: str) -> list[tuple[str, str]]:
    return [(n.process, n.key) for n in _notes(url) if n.what == "started"]


async def _start_judge(url: str, start: Start, name: str) -> subprocess.Popen[bytes]:
    """Start the first process and wait until it may take over from others."""
    _release(url, "trust")
    judge = start(name)
    leave_behind(url, "trust")
    await eventually(lambda: Note(name, "trust", "ended") in _notes(url))
    return judge


async def _pass_stall_limit() -> None:
    end = time.monotonic() + 1.3 * FAST.stall_seconds
    await eventually(lambda: time.monotonic() > end)


@pytest.mark.slow
async def test_the_jobs_of_a_killed_process_run_once_more_in_another(
    start: Start, database_url: str
) -> None:
    keys = {f"job {number}" for number in range(2 * SLOTS)}
    await _start_judge(database_url, start, "heir")
    victim = start("victim")
    await eventually(lambda: len(worker_ids(database_url)) == 2)
    await enqueue(database_url, *keys)
    await eventually(lambda: len(_runs(database_url)) == len(keys) + 1)
    lost = _started(database_url, "victim")
    _release(database_url, *(keys - lost))

    victim.kill()
    await eventually(lambda: lost < _started(database_url, "heir"))
    _release(database_url, *lost)
    await eventually(
        lambda: not any(status == "doing" for _, status in statuses(database_url))
    )

    assert len(lost) == SLOTS
    runs = [key for _, key in _runs(database_url)]
    ends = [note.key for note in _notes(database_url) if note.what == "ended"]
    assert sorted(runs) == sorted(["trust", *keys, *lost])
    assert sorted(ends) == sorted(["trust", *keys])


@pytest.mark.slow
async def test_a_frozen_process_that_wakes_up_settles_nothing_and_frees_no_lock(
    start: Start, database_url: str
) -> None:
    frozen = start("frozen")
    await enqueue(database_url, "first", lock="endpoint")
    await eventually(lambda: _runs(database_url) == [("frozen", "first")])
    await enqueue(database_url, "second", lock="endpoint")

    frozen.send_signal(signal.SIGSTOP)
    start("heir")
    await eventually(lambda: ("heir", "first") in _runs(database_url))
    [heir_id] = worker_ids(database_url)
    _release(database_url, "frozen: first")
    frozen.send_signal(signal.SIGCONT)
    # It has found out, let go of its job and registered again.
    await eventually(lambda: len(worker_ids(database_url)) == 2)

    assert heir_id in worker_ids(database_url)
    assert statuses(database_url) == [
        ("first", "aborted"),
        ("second", "todo"),
        ("first", "doing"),
    ]
    _release(database_url, "first", "second")
    await eventually(lambda: statuses(database_url)[1] == ("second", "succeeded"))
    told = [note.what for note in _notes(database_url) if note.process == "heir"]
    assert told[:2] == ["started", "ended"]


@pytest.mark.slow
async def test_a_process_takes_nothing_from_itself_after_a_pause(
    start: Start, database_url: str
) -> None:
    paused = await _start_judge(database_url, start, "paused")
    await enqueue(database_url, "job")
    await eventually(lambda: ("paused", "job") in _runs(database_url))

    paused.send_signal(signal.SIGSTOP)
    await _pass_stall_limit()
    paused.send_signal(signal.SIGCONT)
    await _pass_stall_limit()
    _release(database_url, "job")
    await eventually(lambda: Note("paused", "job", "ended") in _notes(database_url))

    assert _runs(database_url) == [("paused", "trust"), ("paused", "job")]


async def test_a_process_that_is_told_to_go_hands_each_job_to_another_once(
    start: Start, database_url: str
) -> None:
    keys = {f"job {number}" for number in range(10)}
    leaving = start("leaving")
    await enqueue(database_url, *keys)
    await eventually(lambda: _started(database_url, "leaving") == keys)
    start("staying")
    await eventually(lambda: len(worker_ids(database_url)) == 2)

    leaving.send_signal(signal.SIGTERM)
    await eventually(lambda: _started(database_url, "staying") == keys)

    assert await eventually(lambda: leaving.poll() is not None)
    assert leaving.returncode == 0
    for key in keys:
        story = [(n.process, n.what) for n in _notes(database_url) if n.key == key]
        assert story == [
            ("leaving", "started"),
            ("leaving", "canceled: shutdown"),
            ("staying", "started"),
        ]
