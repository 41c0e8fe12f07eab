"""A backup is whole or not there, and a restore is whole or leaves all as it was."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from app.core.errors import OperatorError
from app.storage.backup import backup, client_command, restore
from app.storage.migrations import is_current
from tests.storage.owning import execute, query
from tests.support import eventually

# A sample of every kind of thing that migrations make.
_OBJECTS = """
CREATE TABLE installation (id text NOT NULL);
INSERT INTO installation VALUES ('original');
CREATE TYPE mood AS ENUM ('calm', 'busy');
CREATE DOMAIN small AS integer CHECK (VALUE < 10);
CREATE SEQUENCE numbers;
CREATE TABLE things (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood mood, small small
);
INSERT INTO things (mood, small) VALUES ('calm', 1), ('busy', 2);
CREATE VIEW busy AS SELECT * FROM things WHERE mood = 'busy';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON things FOR EACH ROW EXECUTE FUNCTION touch();
CREATE PROCEDURE nothing() LANGUAGE sql AS '';
CREATE SCHEMA "Other schema";
CREATE TABLE "Other schema"."a table" (id integer);
"""


@pytest.fixture
def backup_file(empty_database_url: str, tmp_path: Path) -> Path:
    execute(empty_database_url, _OBJECTS)
    backup(empty_database_url, tmp_path / "slipway.backup")
    return tmp_path / "slipway.backup"


def test_a_real_database_comes_back_under_a_new_identity(
    database_url: str, empty_database_url: str, tmp_path: Path
) -> None:
    execute(database_url, "DELETE FROM installation")
    execute(database_url, "INSERT INTO installation (id) VALUES ('original')")
    backup(database_url, tmp_path / "slipway.backup")

    restore(empty_database_url, tmp_path / "slipway.backup", installation_id="copy")

    assert is_current(empty_database_url)
    assert query(empty_database_url, "SELECT id FROM installation") == "copy"
    assert query(database_url, "SELECT id FROM installation") == "original"


def test_a_real_database_is_replaced_by_a_real_backup(
    database_url: str, tmp_path: Path
) -> None:
    backup(database_url, tmp_path / "slipway.backup")
    execute(database_url, "INSERT INTO queries VALUES ('q', 'p', 'c', now(), 'k', '')")

    restore(
        database_url,
        tmp_path / "slipway.backup",
        installation_id="copy",
        replace=True,
    )

    assert is_current(database_url)
    assert query(database_url, "SELECT count(*) FROM queries") == 0


def test_a_backup_is_readable_by_its_owner_alone(backup_file: Path) -> None:
    assert backup_file.stat().st_mode & 0o777 == 0o600
    assert list(backup_file.parent.iterdir()) == [backup_file]


def test_a_backup_overwrites_nothing(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")

    with pytest.raises(OperatorError, match="overwrites nothing"):
        backup(database_url, tmp_path / "precious")

    assert (tmp_path / "precious").read_text() == "precious"


def test_a_failed_backup_leaves_no_file(database_url: str, tmp_path: Path) -> None:
    url = database_url.replace("@/", "@/missing_")

    with pytest.raises(OperatorError, match=r"pg_dump failed: .*does not exist"):
        backup(url, tmp_path / "slipway.backup")

    assert list(tmp_path.iterdir()) == []


def test_a_database_that_holds_anything_is_not_restored_into(
    empty_database_url: str, backup_file: Path
) -> None:
    execute(empty_database_url, "UPDATE things SET small = 9")

    with pytest.raises(OperatorError, match="is not empty") as refusal:
        restore(empty_database_url, backup_file, installation_id="copy")

    assert "replace" in refusal.value.advice
    assert query(empty_database_url, "SELECT max(small) FROM things") == 9


def test_replacing_leaves_nothing_that_the_backup_does_not_have(
    empty_database_url: str, backup_file: Path
) -> None:
    execute(empty_database_url, "UPDATE things SET small = 9")
    execute(empty_database_url, "CREATE TABLE newer (); CREATE SCHEMA newer")

    restore(empty_database_url, backup_file, installation_id="copy", replace=True)

    assert query(empty_database_url, "SELECT max(small) FROM things") == 2
    assert query(empty_database_url, "SELECT id FROM installation") == "copy"
    assert query(empty_database_url, "SELECT to_regclass('newer')") is None
    assert query(empty_database_url, "SELECT to_regnamespace('newer')") is None


@pytest.mark.parametrize("damage", ["truncated", "of something else"])
def test_a_restore_that_fails_leaves_the_database_as_it_was(
    empty_database_url: str, backup_file: Path, damage: str
) -> None:
    if damage == "truncated":
        content = backup_file.read_bytes()
        backup_file.write_bytes(content[: len(content) - 200])
    else:
        # A database without the table whose row must change.
        execute(empty_database_url, "DROP TABLE installation")
        backup_file.unlink()
        backup(empty_database_url, backup_file)
    execute(empty_database_url, "UPDATE things SET small = 9")

    with pytest.raises(OperatorError, match="failed"):
        restore(empty_database_url, backup_file, installation_id="copy", replace=True)

    assert query(empty_database_url, "SELECT max(small) FROM things") == 9


def test_what_is_no_backup_is_refused(empty_database_url: str, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear Slipway")

    with pytest.raises(OperatorError, match="is not a backup"):
        restore(empty_database_url, tmp_path / "letter", installation_id="copy")
    with pytest.raises(OperatorError, match="No such file"):
        restore(empty_database_url, tmp_path / "missing", installation_id="copy")


def test_an_absent_server_is_an_operators_error(
    empty_database_url: str, backup_file: Path
) -> None:
    url = empty_database_url.replace("port=5432", "port=5433")

    with pytest.raises(OperatorError, match="cannot be reached"):
        restore(url, backup_file, installation_id="copy")


async def test_no_other_process_can_read_the_password_of_a_running_backup(
    database_url: str, tmp_path: Path
) -> None:
    parameters = conninfo_to_dict(database_url)
    with psycopg.connect(database_url) as blocker:
        # pg_dump waits for this lock, so that there is time to look at it.
        blocker.execute("LOCK TABLE installation IN ACCESS EXCLUSIVE MODE")
        running = asyncio.create_task(
            asyncio.to_thread(backup, database_url, tmp_path / "slipway.backup")
        )
        [arguments] = await eventually(
            lambda: arguments_of_all("pg_dump", str(parameters["dbname"]))
        )
        blocker.rollback()
        await running

    assert str(parameters["password"]) not in arguments


def test_the_password_travels_in_the_environment_alone() -> None:
    command = client_command("postgresql+psycopg://me:s%20cret@db/x", "psql", "--list")

    assert command.environment["PGPASSWORD"] == "s cret"
    assert "s cret" not in " ".join(command.argv)
    assert "user=me" in command.argv[1]


def arguments_of_all(program: str, word: str) -> list[str]:
    """Return the command lines of all processes that run `program` with `word`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_text()
        except OSError:
            continue
        if arguments.split("\0")[0].endswith(program) and word in arguments:
            found.append(arguments)
    return found
