"""What a killed service or server leaves is taken over, or ended and mended."""

import os
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from app.storage.data_directory import DataDirectory
from app.storage.embedded import EmbeddedPostgres, guest_group
from app.storage.postgres.account import find_account
from app.storage.postgres.programs import spawn
from tests.storage.owning import (
    execute,
    first_word,
    kill,
    owner,
    postmaster_pid,
    processes_in,
    query,
    running,
)
from tests.support import eventually


def test_a_server_left_by_a_killed_service_is_adopted(made_dir: Path) -> None:
    with owner(made_dir, "--with-server") as service:
        url = first_word(service)
        execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
        pid = postmaster_pid(made_dir)
        kill(service)

    with running(made_dir) as adopted_url:
        assert postmaster_pid(made_dir) == pid
        assert adopted_url == url
        assert query(adopted_url, "SELECT number FROM kept") == 7

    assert processes_in(made_dir) == []


def test_a_left_over_server_with_other_settings_is_replaced(made_dir: Path) -> None:
    with owner(made_dir, "--with-server") as service:
        url = first_word(service)
        execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
        pid = postmaster_pid(made_dir)
        kill(service)

    with running(made_dir, settings={"max_connections": "50"}) as url:
        assert postmaster_pid(made_dir) != pid
        assert query(url, "SHOW max_connections") == "50"
        assert query(url, "SELECT number FROM kept") == 7


async def test_a_left_over_server_that_is_shutting_down_is_waited_for(
    made_dir: Path,
) -> None:
    status = made_dir / "postgres" / "data" / "postmaster.pid"
    with owner(made_dir, "--with-server") as service:
        url = first_word(service)
        pid = postmaster_pid(made_dir)
        kill(service)

    with psycopg.connect(url, autocommit=True) as session:
        session.execute("SELECT 1")
        # A smart shutdown waits for the session for as long as it likes.
        os.kill(pid, signal.SIGTERM)
        await eventually(lambda: "stopping" in status.read_text())

        with running(made_dir) as url:
            assert postmaster_pid(made_dir) != pid
            assert query(url, "SELECT 1") == 1


def test_a_frozen_server_is_stopped_in_order(made_dir: Path) -> None:
    with running(made_dir):
        os.kill(postmaster_pid(made_dir), signal.SIGSTOP)

    log = (made_dir / "postgres" / "log" / "postgres.log").read_text()
    assert "database system is shut down" in log
    assert processes_in(made_dir) == []


@pytest.mark.slow  # PostgreSQL gives a child five seconds to obey.
def test_a_server_that_cannot_end_in_order_is_ended_by_force(made_dir: Path) -> None:
    server = EmbeddedPostgres(made_dir)
    with DataDirectory(made_dir, guest_group=guest_group()):
        url = server.start()
        with psycopg.connect(url, autocommit=True) as session:
            os.kill(session.info.backend_pid, signal.SIGSTOP)
            server.stop(grace_seconds=0.1)

    assert processes_in(made_dir) == []


@pytest.mark.parametrize("claim", ["dead", "nonsense", "empty"])
def test_a_stale_pid_file_does_not_stop_a_start(made_dir: Path, claim: str) -> None:
    pid_file = made_dir / "postgres" / "data" / "postmaster.pid"
    with running(made_dir):
        content = pid_file.read_text()
    pid_file.write_text({"dead": content, "nonsense": "x", "empty": ""}[claim])

    with running(made_dir) as url:
        assert query(url, "SELECT 1") == 1


def test_a_stale_pid_file_does_no_harm_to_the_process_that_it_names(
    made_dir: Path,
) -> None:
    pid_file = made_dir / "postgres" / "data" / "postmaster.pid"
    with running(made_dir):
        content = pid_file.read_text().splitlines()
    # One of the server's own account: PostgreSQL does not mind those of others.
    with spawn(["/bin/cat"], find_account(), stdin=subprocess.PIPE) as bystander:
        pid_file.write_text("\n".join([str(bystander.pid), *content[1:]]))

        with running(made_dir) as url:
            assert query(url, "SELECT 1") == 1

        assert bystander.poll() is None


def test_a_server_that_was_killed_recovers_what_was_committed(
    made_dir: Path,
) -> None:
    with running(made_dir) as url:
        execute(url, "CREATE TABLE kept AS SELECT 7 AS number")
        os.kill(postmaster_pid(made_dir), signal.SIGKILL)

    with running(made_dir) as url:
        assert query(url, "SELECT number FROM kept") == 7


async def test_an_initialization_that_was_killed_is_done_again(
    server_dir: Path,
) -> None:
    home = server_dir / "half" / "postgres"
    with owner(server_dir / "half", "--with-server") as service:
        await eventually(lambda: list(home.glob("initializing-*/base")))
        kill(service)
    assert not (home / "data").exists()

    with running(server_dir / "half") as url:
        assert query(url, "SELECT 1") == 1


def test_what_a_killed_initialization_left_is_removed(made_dir: Path) -> None:
    home = made_dir / "postgres"
    (home / "initializing-00").mkdir()
    (home / "initializing-00" / "PG_VERSION").write_text("18\n")

    with running(made_dir):
        assert not (home / "initializing-00").exists()
