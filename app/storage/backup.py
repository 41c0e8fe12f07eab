"""A backup is one file with everything; restoring it is all or nothing."""

import os
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.core.errors import OperatorError
from app.storage.database import psycopg_url
from app.storage.postgres.files import sync_directory
from app.storage.postgres.installation import find_installation
from app.storage.postgres.programs import own_account, run

_MAGIC = b"PGDMP"
_CONNECT_TIMEOUT_SECONDS = 10
_DEFAULT_TIMEOUT_SECONDS = 3600.0
# Everything that somebody made in the database, as the statement that drops it.
# Members of extensions ("e") and parts of other things ("i") go with their owners.
_OBJECTS = r"""
WITH thing (catalog, id, namespace) AS (
    SELECT 'pg_namespace'::regclass, oid, oid FROM pg_namespace
        WHERE nspname <> 'public'
    UNION ALL SELECT 'pg_class'::regclass, oid, relnamespace FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
    UNION ALL SELECT 'pg_type'::regclass, oid, typnamespace FROM pg_type
        WHERE typtype IN ('d', 'e', 'r') OR typtype = 'c' AND EXISTS (
            SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c')
)
SELECT format('DROP %s IF EXISTS %s CASCADE;', object.type, object.identity)
FROM thing
JOIN pg_namespace ON pg_namespace.oid = namespace
CROSS JOIN LATERAL pg_identify_object(catalog, id, 0) AS object
WHERE nspname <> 'information_schema'
    AND nspname NOT LIKE 'pg\_%'
    AND NOT EXISTS (
        SELECT FROM pg_depend
        WHERE classid = catalog AND objid = id AND deptype IN ('e', 'i')
    )
"""
# A service that still runs on the database holds locks; do not wait for its end.
_PATIENCE = (
    "SET LOCAL lock_timeout = '10s';",
    "SET LOCAL client_min_messages = error;",
)
_NEW_IDENTITY = "UPDATE public.installation SET id = :'installation_id';"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientCommand:
    """A PostgreSQL client and its arguments, with the password beside them.

    Every local user can read a program's arguments; only its own its environment.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]

    def run(self, timeout_seconds: float) -> None:
        """Run the client as this process's own user; raises OperatorError."""
        run(
            self.argv,
            own_account(),
            environment=self.environment,
            timeout_seconds=timeout_seconds,
        )


def client_command(url: str, program: str, *arguments: str) -> ClientCommand:
    """Return the command that runs one of the wheel's clients against `url`."""
    parameters = conninfo_to_dict(psycopg_url(url))
    password = parameters.pop("password", None)
    environment = {**os.environ, "PGCONNECT_TIMEOUT": str(_CONNECT_TIMEOUT_SECONDS)}
    if password is not None:
        environment["PGPASSWORD"] = str(password)
    return ClientCommand(
        argv=(
            find_installation().program(program),
            f"--dbname={make_conninfo('', **parameters)}",
            "--no-password",
            *arguments,
        ),
        environment=environment,
    )


def backup(
    url: str, path: Path, *, timeout_seconds: float = _DEFAULT_TIMEOUT_SECONDS
) -> None:
    """Write the database at `url` to the new file `path`, as of one moment.

    The service may run meanwhile. The file has mode 0600 and appears under its name
    only when it is complete and on the disk. Raises OperatorError if it exists.
    """
    path = path.absolute()
    _require_absent(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        client_command(
            url,
            "pg_dump",
            "--format=custom",
            "--lock-wait-timeout=30s",
            f"--file={draft}",
        ).run(timeout_seconds)
        _require_absent(path)
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def restore(
    url: str,
    path: Path,
    *,
    installation_id: str,
    replace: bool = False,
    timeout_seconds: float = _DEFAULT_TIMEOUT_SECONDS,
) -> None:
    """Fill the database at `url` from a backup, under a new `installation_id`.

    The copy never takes the original's deployments for its own: its new id comes in
    the same transaction as its rows. Raises OperatorError, with the database as it
    was, on any failure; also if the database holds anything, unless told to
    `replace` it.
    """
    _require_backup(path)
    drops = _drop_statements(url)
    if drops and not replace:
        raise OperatorError(
            f"The database is not empty: {len(drops)} tables, types and the like are "
            "in it.",
            remedy="Restore into an empty database, or tell `slipway restore` to "
            "replace what is there.",
        )
    with tempfile.TemporaryDirectory(prefix="slipway-restore-") as scratch:
        directory = Path(scratch)
        unpacked = directory / "restore.sql"
        _unpack(path, unpacked, timeout_seconds)
        scripts = (
            _written(directory / "clear.sql", [*_PATIENCE, *drops]),
            unpacked,
            _written(directory / "rename.sql", [_NEW_IDENTITY]),
        )
        client_command(
            url,
            "psql",
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            f"--set=installation_id={installation_id}",
            *(f"--file={script}" for script in scripts),
        ).run(timeout_seconds)


def _require_absent(path: Path) -> None:
    if path.exists():
        raise OperatorError(
            f"{path} exists; a backup overwrites nothing.",
            remedy="Name a file that does not exist yet.",
        )


def _require_backup(path: Path) -> None:
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_MAGIC))
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}.") from error
    if beginning != _MAGIC:
        raise OperatorError(
            f"{path} is not a backup.",
            remedy="Name a file that `slipway backup` has written.",
        )


def _drop_statements(url: str) -> list[str]:
    try:
        with psycopg.connect(
            psycopg_url(url), connect_timeout=_CONNECT_TIMEOUT_SECONDS
        ) as connection:
            return [str(row[0]) for row in connection.execute(_OBJECTS)]
    except psycopg.OperationalError as error:
        raise OperatorError(f"The database cannot be reached: {error}") from error


def _unpack(path: Path, script: Path, timeout_seconds: float) -> None:
    # By way of a script, since pg_restore can neither empty a database nor change the
    # id in the transaction that it restores in.
    command = (
        find_installation().program("pg_restore"),
        "--no-owner",
        "--no-privileges",
        f"--file={script}",
        str(path.absolute()),
    )
    run(command, own_account(), timeout_seconds=timeout_seconds)


def _written(script: Path, statements: Iterable[str]) -> Path:
    script.write_text("".join(f"{line}\n" for line in statements), encoding="utf-8")
    return script
