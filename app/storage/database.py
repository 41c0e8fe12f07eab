"""The database: one engine per process, one transaction per use case."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import psycopg
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.core.errors import UnavailableError

# What a use case hands on to the storage modules: only they know its methods.
Transaction = AsyncConnection
Connection = AsyncConnection

_RETRY_AFTER_SECONDS = 2
# SQLSTATE classes in which the server itself is going or coming: connection
# exceptions, insufficient resources, operator intervention.
_AWAY = ("08", "53", "57P")


class Database:
    """A pool of connections to PostgreSQL through psycopg 3.

    A lost or absent server surfaces as UnavailableError everywhere, so that the
    API answers 503 with Retry-After and never a bare 500.
    """

    def __init__(self, url: str, *, pool_size: int = 20) -> None:
        self.url = url
        self._engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=5,
            pool_use_lifo=True,
            connect_args={"connect_timeout": 5, "application_name": "slipway"},
        )
        # A single read needs no BEGIN and COMMIT: two round trips less.
        self._reading = self._engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commit all that was written inside, or none of it.

        Never await a target, HTTP or a sleep inside.
        """
        with _translated():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def trial(self) -> AsyncIterator[Transaction]:
        """Run a use case as it would run, and keep nothing of it."""
        with _translated():
            async with self._engine.connect() as connection:
                yield connection
                await connection.rollback()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Lend a connection for single statements that only read."""
        with _translated():
            async with self._reading.connect() as connection:
                yield connection

    async def close(self) -> None:
        """Close every connection of the pool."""
        await self._engine.dispose()


def sqlalchemy_url(url: str) -> str:
    """Return `url` with the driver that SQLAlchemy must use written into it."""
    for scheme in ("postgresql+psycopg://", "postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def psycopg_url(url: str) -> str:
    """Return `url` as libpq reads it."""
    return "postgresql://" + sqlalchemy_url(url).removeprefix("postgresql+psycopg://")


def is_unavailable(error: BaseException) -> bool:
    """Say whether the server was away, rather than the statement wrong."""
    if isinstance(error, PoolTimeoutError | UnavailableError):
        return True
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        origin: BaseException | None = error.orig
    else:
        origin = error
    if not isinstance(origin, psycopg.OperationalError | psycopg.InterfaceError):
        return isinstance(error, OperationalError | InterfaceError) and origin is None
    state = getattr(origin, "sqlstate", None)
    return state is None or state.startswith(_AWAY)


class _translated:  # noqa: N801  # reads as a clause: `with _translated():`
    """Turn a lost server into UnavailableError; let everything else pass."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if error is None or isinstance(error, UnavailableError):
            return
        if is_unavailable(error):
            raise UnavailableError(
                "The database cannot be reached.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            ) from error


async def database_now(connection: AsyncConnection) -> datetime:
    """Return the server's clock, by which deadlines are kept on every machine."""
    moment: datetime = (await connection.execute(select(func.now()))).scalar_one()
    return moment
