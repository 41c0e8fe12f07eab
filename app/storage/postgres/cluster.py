"""The files of the embedded database: complete, of our major version, or not there."""

import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from app.core.errors import OperatorError
from app.storage.postgres.files import sync_directory, write_durably
from app.storage.postgres.installation import MAJOR_VERSION, Installation
from app.storage.postgres.programs import Account, run

ROLE = "slipway"
DATABASE = "slipway"

_DRAFT_PREFIX = "initializing-"
# One line and no more: nobody gets in without ROLE's password, PostgreSQL's own
# superuser least of all, and nobody at all over a network.
_HOST_BASED_AUTHENTICATION = f"local all {ROLE} scram-sha-256\n"
_INITDB_TIMEOUT_SECONDS = 120.0
# Setting a password in a cluster that crashed replays its log first.
_SINGLE_USER_TIMEOUT_SECONDS = 300.0


class Cluster:
    """A database cluster in `home`/data, owned by `account`.

    It becomes visible by a rename once it is whole, with its role, password and
    database; what a killed initialization left is never taken for a cluster.
    """

    def __init__(
        self, home: Path, *, account: Account, installation: Installation
    ) -> None:
        self.data = home / "data"
        self._home = home
        self._account = account
        self._installation = installation

    def ensure(self, password: str, *, durable: bool) -> None:
        """Initialize the cluster with `password` unless it is there.

        Raises OperatorError if it is of another major version, or no cluster.
        """
        for abandoned in self._home.glob(f"{_DRAFT_PREFIX}*"):
            # An orphaned initdb may still write there; what stays goes next time.
            shutil.rmtree(abandoned, ignore_errors=True)
        if self.data.is_dir() and any(self.data.iterdir()):
            self._require_our_major()
        else:
            self._initialize(password, durable=durable)

    def set_password(self, password: str) -> None:
        """Give ROLE another password; no server may be running."""
        statement = f"ALTER ROLE {ROLE} PASSWORD {_quoted(password)}"
        self._execute(self.data, [statement])

    def _require_our_major(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise OperatorError(
                f"{self.data} is neither empty nor a PostgreSQL cluster.",
                remedy="Move it away, or choose another SLIPWAY_DATA_DIR.",
            ) from error
        if found != MAJOR_VERSION:
            raise OperatorError(
                f"{self.data} was made by PostgreSQL {found}; this release of Slipway "
                f"brings PostgreSQL {MAJOR_VERSION}, which cannot read it.",
                remedy="Run `slipway backup slipway.backup` with the release that made "
                f"it, move {self._home} away, and run `slipway restore slipway.backup` "
                "with this one.",
            )

    def _initialize(self, password: str, *, durable: bool) -> None:
        # A new name each time: an orphan of a killed attempt cannot write into this.
        draft = self._home / f"{_DRAFT_PREFIX}{secrets.token_hex(8)}"
        draft.mkdir(mode=0o700)
        self._account.take(draft)
        run(
            [
                self._installation.program("initdb"),
                f"--pgdata={draft}",
                "--username=postgres",
                # Only until the file below says what holds.
                "--auth=reject",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--data-checksums",
                "--no-instructions",
                *([] if durable else ["--no-sync"]),
            ],
            self._account,
            timeout_seconds=_INITDB_TIMEOUT_SECONDS,
        )
        access = draft / "pg_hba.conf"
        write_durably(access, _HOST_BASED_AUTHENTICATION)
        self._account.take(access)
        # CREATEDB: a restore can be tried beside the live database, a test get its own.
        role = f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD {_quoted(password)}"
        self._execute(draft, [role, f"CREATE DATABASE {DATABASE} OWNER {ROLE}"])
        draft.replace(self.data)
        sync_directory(self._home)

    def _execute(self, data: Path, statements: Iterable[str]) -> None:
        # Single-user mode needs no login, listens to nothing, and takes a password on
        # its standard input, where no other process can read it.
        command = [
            self._installation.program("postgres"),
            "--single",
            "-D",
            str(data),
            "--exit_on_error=on",
            "--password_encryption=scram-sha-256",
            # A statement that failed would be quoted in the error, password and all.
            "--log_min_error_statement=panic",
            "template1",
        ]
        run(
            command,
            self._account,
            stdin="".join(f"{statement}\n" for statement in statements),
            timeout_seconds=_SINGLE_USER_TIMEOUT_SECONDS,
        )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
