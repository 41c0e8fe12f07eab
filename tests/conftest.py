"""Databases for tests: one embedded server a pytest process, one database a test."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from app.storage.data_directory import DataDirectory
from app.storage.embedded import EmbeddedPostgres, guest_group
from tests.guard import clean

_REPOSITORY = Path(__file__).resolve().parents[1]
# What a crash of the machine would lose is no loss to a test. And autovacuum, which
# belongs to the superuser, would now and then keep a test's database from being
# dropped.
_FAST = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


@pytest.fixture(scope="session")
def servers_root() -> Iterator[Path]:
    """A directory for PostgreSQL servers, none of which outlives this process.

    Pytest's own directories are closed to the account that PostgreSQL has under root.
    """
    root = Path(tempfile.mkdtemp(prefix="slipway-test-"))
    root.chmod(0o711)
    guard = subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-m", "tests.guard", str(root)],
        stdin=subprocess.PIPE,
        cwd=_REPOSITORY,
        start_new_session=True,
    )
    yield root
    guard.communicate(timeout=60)


@pytest.fixture
def server_dir(servers_root: Path) -> Iterator[Path]:
    """A new directory for this test's data directories; their servers end with it."""
    directory = servers_root / secrets.token_hex(4)
    directory.mkdir()
    yield directory
    clean(directory)


@pytest.fixture(scope="session")
def server_url(servers_root: Path) -> Iterator[str]:
    """The URL of a server that all tests of this process share."""
    with DataDirectory(servers_root / "shared", guest_group=guest_group()) as directory:
        server = EmbeddedPostgres(directory.path, settings=_FAST)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """The URL of a database of this test's own, without a table."""
    with _database(server_url, template="template0") as url:
        yield url


@pytest.fixture(scope="session")
def migrated_template(server_url: str) -> Iterator[str]:
    """The name of a database with the newest schema, which nobody is connected to."""
    # Not above: a broken migration fails the tests that need one, not all.
    from app.storage.migrations import upgrade  # noqa: PLC0415

    with _database(server_url, template="template0") as url:
        upgrade(url)
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def database_url(server_url: str, migrated_template: str) -> Iterator[str]:
    """The URL of a database of this test's own, with the newest schema."""
    with _database(server_url, template=migrated_template) as url:
        yield url


@contextmanager
def _database(server_url: str, *, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    try:
        yield server_url.replace("@/slipway?", f"@/{name}?")
    finally:
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )
