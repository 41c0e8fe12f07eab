"""NOTIFY fan-out: a hint that something may be new, never the news itself."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import psycopg
import psycopg.sql
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.retry import backoff
from app.storage import queries
from app.storage.database import psycopg_url

_LOG = structlog.get_logger(__name__)

EVENTS = "slipway_events"
KEYS = "slipway_keys"
CHANNELS = (EVENTS, KEYS, queries.CHANNEL)
# Everybody who waits on a channel rather than on one subject.
ANY = "*"

_FIRST_WAIT = timedelta(milliseconds=200)
_LONGEST_WAIT = timedelta(seconds=5)


async def notify(tx: AsyncConnection, channel: str, subject: str) -> None:
    """Wake whoever waits for `subject`, once the transaction commits."""
    await tx.execute(
        text("SELECT pg_notify(:channel, :subject)").bindparams(
            channel=channel, subject=subject
        )
    )


class Listener:
    """One LISTEN connection per process, fanned out to all who wait in it.

    A wake-up can be lost (the connection may break), so waiters pass a time-out and
    read the log again whenever they return.
    """

    def __init__(self, url: str) -> None:
        self._url = psycopg_url(url)
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}
        self._called: dict[str, list[Callable[[], None]]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block is left."""
        task = asyncio.create_task(self._run(), name="notifications")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    @contextmanager
    def subscribed(self, channel: str, subject: str = ANY) -> Iterator[asyncio.Event]:
        """Lend an event that is set at each wake-up; the waiter clears it."""
        event = asyncio.Event()
        waiting = self._waiting.setdefault((channel, subject), set())
        waiting.add(event)
        try:
            yield event
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop((channel, subject), None)

    def call(self, channel: str, back: Callable[[], None]) -> None:
        """Call `back` at each wake-up of `channel`, for as long as this lives."""
        self._called.setdefault(channel, []).append(back)

    def wake_all(self) -> None:
        """Wake everybody: after a gap in listening, or because the process stops."""
        for channel in self._called:
            self._call_back(channel)
        for events in list(self._waiting.values()):
            for event in list(events):
                event.set()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True
                ) as connection:
                    failures = 0
                    await self._listen(connection)
            except psycopg.Error as error:
                failures += 1
                _LOG.warning("notifications_lost", error=type(error).__name__)
            wait_for = backoff(failures, _FIRST_WAIT, cap=_LONGEST_WAIT, jitter=0.5)
            await asyncio.sleep(wait_for.total_seconds())

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        for channel in CHANNELS:
            await connection.execute(
                psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel))
            )
        self.wake_all()
        async for notification in connection.notifies():
            self._wake(notification.channel, notification.payload)

    def _wake(self, channel: str, subject: str) -> None:
        for key in ((channel, subject), (channel, ANY)):
            for event in self._waiting.get(key, ()):
                event.set()
        self._call_back(channel)

    def _call_back(self, channel: str) -> None:
        for back in self._called.get(channel, ()):
            back()


async def wait(event: asyncio.Event, *, seconds: float) -> bool:
    """Wait for a wake-up; False if the time ran out first. Clears the event."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
