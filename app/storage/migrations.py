"""Bring a database to the newest schema, one process at a time."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine

from app.core.errors import OperatorError
from app.storage.database import psycopg_url, sqlalchemy_url

# An arbitrary constant: "slipway" in a 63-bit number. Two processes that migrate
# at once take turns on it.
ADVISORY_LOCK = 0x736C_6970_7761


def upgrade(url: str) -> None:
    """Apply every missing migration; blocking, idempotent, safe to run twice at once.

    Raises OperatorError if the database was made by a newer Slipway.
    """
    with psycopg.connect(psycopg_url(url), autocommit=True) as guard:
        guard.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        try:
            command.upgrade(config(url), "head")
        except CommandError as error:
            raise OperatorError(
                "The database was made by a newer Slipway than this one.",
                remedy="Run the newer release, or restore a backup made by this one.",
            ) from error


def is_current(url: str) -> bool:
    """Say whether the database has the schema that this release was written for."""
    return _database_revision(url) == newest()


def newest() -> str | None:
    """Return the id of the newest migration; reads files."""
    return _script().get_current_head()


def config(url: str) -> Config:
    """Return Alembic's settings for `url`, without any file beside the scripts."""
    settings = Config()
    settings.set_main_option("script_location", str(_directory()))
    settings.attributes["url"] = sqlalchemy_url(url)
    return settings


def _database_revision(url: str) -> str | None:
    engine = create_engine(sqlalchemy_url(url))
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(_directory()))


def _directory() -> Path:
    # Beside the package in a checkout and in the image.
    directory = Path(__file__).resolve().parents[2] / "migrations"
    if not (directory / "env.py").is_file():
        raise OperatorError(
            f"The migrations are missing: {directory} has no env.py.",
            remedy="Install Slipway from its checkout or image, with migrations/.",
        )
    return directory
