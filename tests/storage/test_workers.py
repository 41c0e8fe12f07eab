"""Jobs change hands whole, once, and only when their worker is dead."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from psycopg.rows import class_row

from app.storage import workers

_STALL_SECONDS = 4.0


@dataclass(frozen=True, kw_only=True)
class _Row:
    id: int
    status: str
    priority: int
    queueing_lock: str | None
    worker_id: int | None
    abort_requested: bool


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with workers.connect(database_url, patience_seconds=5) as connection:
        yield connection


@pytest.fixture
def me(connection: psycopg.Connection) -> int:
    return workers.register(connection)


def _register(connection: psycopg.Connection, *, silent_seconds: float = 0) -> int:
    worker_id = workers.register(connection)
    connection.execute(
        "UPDATE procrastinate_workers"
        " SET last_heartbeat = now() - make_interval(secs => %s) WHERE id = %s",
        (silent_seconds, worker_id),
    )
    return worker_id


def _insert(
    connection: psycopg.Connection,
    *,
    worker_id: int | None = None,
    status: str = "doing",
    queueing_lock: str | None = None,
    lock: str | None = None,
) -> int:
    return int(
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status,"
            " worker_id, queueing_lock, lock)"
            " VALUES ('main', 'advance', %s, %s, %s, %s, %s) RETURNING id",
            (json.dumps({"id": 7}), status, worker_id, queueing_lock, lock),
        ).fetchall()[0][0]
    )


def _rows(connection: psycopg.Connection) -> list[_Row]:
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        return cursor.execute(
            "SELECT id, status, priority, queueing_lock, worker_id, abort_requested"
            " FROM procrastinate_jobs ORDER BY id"
        ).fetchall()


def _statuses(connection: psycopg.Connection) -> list[str]:
    return [row.status for row in _rows(connection)]


def _rescue(connection: psycopg.Connection, me: int, *, everyone: bool = False) -> int:
    return workers.rescue(
        connection, worker_id=me, stall_seconds=_STALL_SECONDS, everyone=everyone
    )


def test_a_rescued_job_gets_a_new_row_ahead_of_later_ones(
    connection: psycopg.Connection, me: int
) -> None:
    dead = _register(connection, silent_seconds=5)
    old = _insert(connection, worker_id=dead, queueing_lock="op_1", lock="endpoint")

    count = _rescue(connection, me)

    closed, renewed = _rows(connection)
    assert count == 1
    assert (closed.id, closed.status, closed.worker_id) == (old, "aborted", None)
    assert (renewed.status, renewed.priority) == ("todo", 1)
    copied = connection.execute(
        "SELECT queue_name, task_name, args, queueing_lock, lock"
        " FROM procrastinate_jobs WHERE status = 'todo'"
    ).fetchone()
    assert copied == ("main", "advance", {"id": 7}, "op_1", "endpoint")


def test_workers_hear_of_a_rescued_job(connection: psycopg.Connection, me: int) -> None:
    _insert(connection)
    connection.execute('LISTEN "procrastinate_queue_v1#main"')

    _rescue(connection, me)

    assert len(list(connection.notifies(timeout=5, stop_after=1))) == 1


def test_a_request_to_abort_ends_with_the_run_it_was_for(
    connection: psycopg.Connection, me: int
) -> None:
    _insert(connection, queueing_lock="op_1")
    connection.execute("UPDATE procrastinate_jobs SET abort_requested = true")

    _rescue(connection, me)

    assert [(row.status, row.abort_requested) for row in _rows(connection)] == [
        ("aborted", False),
        ("todo", False),
    ]


def test_a_waiting_twin_stands_in_for_the_new_row(
    connection: psycopg.Connection, me: int
) -> None:
    _insert(connection, queueing_lock="op_1")
    _insert(connection, queueing_lock="op_1", status="todo")

    assert _rescue(connection, me) == 1
    assert _statuses(connection) == ["aborted", "todo"]


def test_two_running_twins_come_back_as_one(
    connection: psycopg.Connection, me: int
) -> None:
    _insert(connection, queueing_lock="op_1")
    _insert(connection, queueing_lock="op_1")

    assert _rescue(connection, me) == 2
    assert _statuses(connection) == ["aborted", "aborted", "todo"]


@pytest.mark.parametrize("silent_seconds", [0, 3])
def test_a_live_worker_keeps_its_jobs(
    connection: psycopg.Connection, me: int, silent_seconds: float
) -> None:
    live = _register(connection, silent_seconds=silent_seconds)
    _insert(connection, worker_id=live)

    assert _rescue(connection, me) == 0
    assert [row.worker_id for row in _rows(connection)] == [live]


@pytest.mark.parametrize("everyone", [False, True])
def test_a_worker_never_takes_its_own_jobs(
    connection: psycopg.Connection, me: int, *, everyone: bool
) -> None:
    _insert(connection, worker_id=me)

    assert _rescue(connection, me, everyone=everyone) == 0


def test_the_only_process_takes_the_jobs_of_fresh_heartbeats_too(
    connection: psycopg.Connection, me: int
) -> None:
    _insert(connection, worker_id=_register(connection))

    assert _rescue(connection, me, everyone=True) == 1


def test_a_worker_whose_own_heartbeat_is_old_judges_nobody(
    connection: psycopg.Connection,
) -> None:
    me = _register(connection, silent_seconds=5)
    _insert(connection, worker_id=_register(connection, silent_seconds=5))

    assert _rescue(connection, me) == 0
    assert _statuses(connection) == ["doing"]


def test_whose_jobs_were_taken_learns_it_from_its_row(
    connection: psycopg.Connection, me: int
) -> None:
    robbed = _register(connection, silent_seconds=5)
    _insert(connection, worker_id=robbed)
    _rescue(connection, me)

    assert workers.beat(connection, worker_id=robbed) is None


def test_a_heartbeat_tells_how_old_the_last_one_was(
    connection: psycopg.Connection,
) -> None:
    me = _register(connection, silent_seconds=5)

    first = workers.beat(connection, worker_id=me)
    second = workers.beat(connection, worker_id=me)

    assert first is not None
    assert second is not None
    assert first > 5 > second


def test_two_rescuers_at_once_take_each_job_once(
    connection: psycopg.Connection, me: int, database_url: str
) -> None:
    other_me = _register(connection)
    _insert(connection, worker_id=_register(connection, silent_seconds=5))
    _insert(connection)
    with psycopg.connect(database_url) as other:
        count = _rescue(other, other_me)

        assert _rescue(connection, me) == 0
    assert count == 2
    assert sorted(_statuses(connection)) == ["aborted", "aborted", "todo", "todo"]


def test_jobs_of_a_worker_that_left_are_anyones(
    connection: psycopg.Connection, me: int
) -> None:
    gone = _register(connection)
    _insert(connection, worker_id=gone)

    workers.unregister(connection, worker_id=gone)

    assert _rescue(connection, me) == 1


async def test_the_former_worker_settles_nothing(
    connection: psycopg.Connection, me: int, database_url: str
) -> None:
    robbed = _register(connection, silent_seconds=5)
    job_id = _insert(connection, worker_id=robbed, queueing_lock="op_1")
    _rescue(connection, me)
    before = _rows(connection)

    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True
    ) as zombie:
        finished = await workers.finish(
            zombie, job_id, worker_id=robbed, status="succeeded"
        )
        handed_back = await workers.hand_back(zombie, job_id, worker_id=robbed)

    assert (finished, handed_back) == (False, False)
    assert _rows(connection) == before


async def test_a_worker_ends_its_job_once(
    connection: psycopg.Connection, me: int, database_url: str
) -> None:
    job_id = _insert(connection, worker_id=me)

    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True
    ) as mine:
        first = await workers.finish(mine, job_id, worker_id=me, status="failed")
        second = await workers.finish(mine, job_id, worker_id=me, status="succeeded")

    assert (first, second) == (True, False)
    assert _statuses(connection) == ["failed"]


async def test_a_worker_hands_its_job_back_once(
    connection: psycopg.Connection, me: int, database_url: str
) -> None:
    job_id = _insert(connection, worker_id=me)

    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True
    ) as mine:
        first = await workers.hand_back(mine, job_id, worker_id=me)
        second = await workers.hand_back(mine, job_id, worker_id=me)

    assert (first, second) == (True, False)
    assert _statuses(connection) == ["aborted", "todo"]


async def test_only_jobs_that_their_worker_does_not_know_of_are_put_back(
    connection: psycopg.Connection, me: int, database_url: str
) -> None:
    held = _insert(connection, worker_id=me)
    unheld = _insert(connection, worker_id=me)
    others = _insert(connection, worker_id=_register(connection))

    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True
    ) as mine:
        await workers.hand_back_unheld(mine, ["main"], worker_id=me, held=[held])
        await workers.hand_back_unheld(mine, ["other"], worker_id=me, held=[])

    statuses = {row.id: row.status for row in _rows(connection)}
    assert [statuses[job] for job in (held, unheld, others)] == [
        "doing",
        "aborted",
        "doing",
    ]
