"""The embedded server is private, keeps its data, and leaves nothing behind."""

import os
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.core.errors import OperatorError
from app.storage.embedded import EmbeddedPostgres, guest_group
from tests.storage.owning import (
    execute,
    mode_of,
    postmaster_pid,
    processes_in,
    query,
    running,
)

_REFUSED = "authentication failed|no pg_hba.conf entry|no password supplied"


def test_the_first_start_makes_everything_private(server_dir: Path) -> None:
    data_dir = server_dir / "new"

    with running(data_dir) as url:
        assert query(url, "SELECT current_user || ' ' || current_database()") == (
            "slipway slipway"
        )

    home = data_dir / "postgres"
    passable = 0o700 if guest_group() is None else 0o710
    assert mode_of(data_dir) == passable
    assert mode_of(home) == passable
    assert mode_of(home / "data") == 0o700
    assert mode_of(home / "run") == 0o700
    assert mode_of(home / "log" / "postgres.log") == 0o600
    password_file = data_dir / "postgres.password"
    assert mode_of(password_file) == 0o600
    assert password_file.stat().st_uid == os.geteuid()
    assert len(bytes.fromhex(password_file.read_text())) == 32


def test_a_new_cluster_depends_on_no_locale_and_checks_its_pages(
    server_dir: Path,
) -> None:
    with running(server_dir / "new") as url:
        assert query(url, "SHOW server_encoding") == "UTF8"
        assert query(url, "SHOW data_checksums") == "on"
        assert query(url, "SHOW timezone") == "UTC"
        assert query(url, "SHOW fsync") == "on"
        assert query(url, "SHOW max_connections") == "200"
        assert query(
            url, "SELECT datlocale FROM pg_database WHERE datname = 'slipway'"
        ) == ("C.UTF-8")


def test_no_parents_mode_is_changed(server_dir: Path) -> None:
    before = mode_of(server_dir), mode_of(server_dir.parent)

    with running(server_dir / "new"):
        during = mode_of(server_dir), mode_of(server_dir.parent)

    assert during == before


def test_a_restart_keeps_the_data_and_the_url(made_dir: Path) -> None:
    with running(made_dir) as first_url:
        execute(first_url, "CREATE TABLE kept AS SELECT 7 AS number")

    with running(made_dir) as url:
        assert url == first_url
        assert query(url, "SELECT number FROM kept") == 7


def test_stopping_leaves_no_process(made_dir: Path) -> None:
    with running(made_dir):
        assert len(processes_in(made_dir)) > 1

    assert processes_in(made_dir) == []


def test_a_wrong_password_is_refused_on_the_socket(made_dir: Path) -> None:
    with running(made_dir) as url:
        for intruder in (
            "password=wrong",
            "password=''",
            "user=postgres dbname=postgres",
            "user=postgres dbname=postgres password=''",
        ):
            with pytest.raises(psycopg.OperationalError, match=_REFUSED):
                psycopg.connect(make_conninfo(url, **conninfo_to_dict(intruder)))


def test_nothing_listens_on_a_network(made_dir: Path) -> None:
    with running(made_dir) as url:
        assert query(url, "SHOW listen_addresses") == ""
        pid = postmaster_pid(made_dir)
        sockets = {
            str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]")
            for descriptor in Path(f"/proc/{pid}/fd").iterdir()
        }

        for protocol in ("tcp", "tcp6"):
            lines = Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]
            assert not sockets & {line.split()[9] for line in lines}


def test_the_server_sees_no_secret_of_the_service(
    made_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_TEST_SECRET", "hidden")

    with running(made_dir) as url:
        pid = postmaster_pid(made_dir)
        password = conninfo_to_dict(url)["password"]
        environment = Path(f"/proc/{pid}/environ").read_text()
        arguments = Path(f"/proc/{pid}/cmdline").read_text()

    assert "hidden" not in environment
    assert str(password) not in arguments + environment


def test_the_servers_environment_does_not_steer_the_port(
    made_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6000")

    with running(made_dir) as url:
        assert query(url, "SHOW port") == "5432"


def test_a_terminals_interrupt_does_not_reach_the_server(made_dir: Path) -> None:
    with running(made_dir):
        assert os.getsid(postmaster_pid(made_dir)) != os.getsid(0)


def test_the_url_of_a_running_server_can_be_asked_for(made_dir: Path) -> None:
    with running(made_dir) as url:
        assert EmbeddedPostgres(made_dir).running_url() == url

    with pytest.raises(OperatorError, match="No database is running"):
        EmbeddedPostgres(made_dir).running_url()
