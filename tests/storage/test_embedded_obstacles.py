"""What stands in the way of a server is got round, or named with its remedy."""

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.core.errors import OperatorError
from app.storage.data_directory import DataDirectory
from app.storage.embedded import EmbeddedPostgres
from app.storage.postgres.account import find_account
from tests.storage.owning import execute, mode_of, processes_in, query, running


def test_a_lost_password_is_replaced_and_the_data_kept(made_dir: Path) -> None:
    with running(made_dir) as old_url:
        execute(old_url, "CREATE TABLE kept AS SELECT 7 AS number")
    (made_dir / "postgres.password").unlink()

    with running(made_dir) as url:
        assert query(url, "SELECT number FROM kept") == 7
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(old_url)


@pytest.mark.parametrize("name", ["long" * 30, "one,two", 'a "quoted" name'])
def test_a_path_that_no_socket_can_have_is_served_from_a_private_directory(
    server_dir: Path, name: str
) -> None:
    with running(server_dir / name) as url:
        sockets = Path(str(conninfo_to_dict(url)["host"]))
        assert not sockets.is_relative_to(server_dir)
        assert mode_of(sockets) == 0o700
        assert query(url, "SELECT 1") == 1

    assert not sockets.exists()


def test_a_recorded_socket_directory_that_others_can_enter_is_not_used(
    server_dir: Path,
) -> None:
    data_dir = server_dir / ("long" * 30)
    with running(data_dir) as first_url:
        pass
    first = Path(str(conninfo_to_dict(first_url)["host"]))
    open_to_all = server_dir / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    find_account().take(open_to_all)
    (data_dir / "postgres" / "socket-directory").write_text(str(open_to_all))

    with running(data_dir) as url:
        sockets = Path(str(conninfo_to_dict(url)["host"]))

    assert sockets not in {open_to_all, first}
    assert open_to_all.is_dir()


def test_another_major_version_is_refused_with_the_way_out(made_dir: Path) -> None:
    (made_dir / "postgres" / "data" / "PG_VERSION").write_text("17\n")

    with (
        pytest.raises(OperatorError, match="made by PostgreSQL 17") as refusal,
        running(made_dir),
    ):
        pass

    assert "slipway backup" in refusal.value.advice
    assert "slipway restore" in refusal.value.advice


def test_a_failed_start_quotes_postgresql_and_leaves_nothing(made_dir: Path) -> None:
    with (
        pytest.raises(OperatorError, match='parameter "max_connections"'),
        running(made_dir, settings={"max_connections": "many"}),
    ):
        pass

    assert processes_in(made_dir) == []


def test_files_that_are_no_cluster_are_left_alone(made_dir: Path) -> None:
    foreign = made_dir / "postgres" / "data" / "precious"
    (foreign.parent / "PG_VERSION").unlink()
    foreign.write_text("precious")

    with pytest.raises(OperatorError, match="neither empty"), running(made_dir):
        pass

    assert foreign.read_text() == "precious"


def test_a_server_that_refuses_its_own_service_is_not_left_running(
    made_dir: Path,
) -> None:
    access = made_dir / "postgres" / "data" / "pg_hba.conf"
    access.write_text("local all all reject\n")

    with (
        DataDirectory(made_dir),
        pytest.raises(OperatorError, match=r"refuses Slipway: .* rejects connection"),
    ):
        EmbeddedPostgres(made_dir).start()

    assert processes_in(made_dir) == []


def test_a_file_that_cannot_be_used_is_an_operators_error(made_dir: Path) -> None:
    (made_dir / "postgres.password").unlink()
    (made_dir / "postgres.password").mkdir()

    with pytest.raises(OperatorError, match=r"postgres\.password"), running(made_dir):
        pass
