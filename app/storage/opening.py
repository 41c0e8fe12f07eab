"""Open the database that the settings name, or the embedded one beside its lock."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.settings import Settings
from app.storage import migrations
from app.storage.data_directory import DataDirectory, DataDirectoryLockedError
from app.storage.embedded import EmbeddedPostgres, guest_group


@asynccontextmanager
async def data_directory(settings: Settings) -> AsyncIterator[None]:
    """Hold the data directory for this process alone while the block runs.

    Raises DataDirectoryLockedError, naming the process that holds it.
    """
    directory = DataDirectory(
        settings.data_dir,
        guest_group=guest_group() if settings.is_embedded else None,
    )
    directory.acquire()
    try:
        yield
    finally:
        directory.release()


@asynccontextmanager
async def database_url(
    settings: Settings, *, migrated: bool = True
) -> AsyncIterator[str]:
    """Yield the URL of a running database; the embedded one by default, migrated."""
    if not settings.is_embedded:
        yield settings.database_url.get_secret_value()
        return
    server = EmbeddedPostgres(settings.data_dir)
    url = await asyncio.to_thread(server.start)
    try:
        if migrated:
            await asyncio.to_thread(migrations.upgrade, url)
        yield url
    finally:
        await asyncio.to_thread(server.stop)


@asynccontextmanager
async def database_for_tools(
    settings: Settings, *, migrated: bool = True
) -> AsyncIterator[str]:
    """Yield the database's URL beside a running `serve`, or start it for the block."""
    async with contextlib.AsyncExitStack() as stack:
        if settings.is_embedded:
            try:
                await stack.enter_async_context(data_directory(settings))
            except DataDirectoryLockedError:
                yield EmbeddedPostgres(settings.data_dir).running_url()
                return
        yield await stack.enter_async_context(database_url(settings, migrated=migrated))
