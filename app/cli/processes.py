"""The commands that run or keep the service: serve, api, worker, migrate, backup."""

import asyncio
import contextlib
import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app import main
from app.cli import logs
from app.core.errors import OperatorError
from app.runner.worker import run_worker
from app.settings import Settings
from app.storage import backup as backups
from app.storage import migrations, opening
from app.targets.isolation import protect_this_process


def add_to(app: typer.Typer) -> None:
    """Add the operator's commands to `app`."""
    for command in (serve, api, worker, migrate, backup, restore):
        app.command()(command)


def serve() -> None:
    """Run everything in one process: API, worker and, by default, PostgreSQL."""
    settings = _settings()

    def announce(base_url: str, admin_key: str | None) -> None:
        _announce(settings, base_url, admin_key)

    asyncio.run(main.serve(settings, announce))


def api() -> None:
    """Run the HTTP API alone, on the database of SLIPWAY_DATABASE_URL."""
    asyncio.run(_api(_shared(_settings())))


def worker() -> None:
    """Run a worker alone, on the database of SLIPWAY_DATABASE_URL."""
    asyncio.run(_worker(_shared(_settings())))


def migrate() -> None:
    """Bring the database to the newest schema; safe to run twice at once."""
    asyncio.run(_migrate(_settings()))


def backup(path: Annotated[Path, typer.Argument(help="File to write.")]) -> None:
    """Write everything in the database to one file."""
    asyncio.run(_backup(_settings(), path))


def restore(
    path: Annotated[Path, typer.Argument(help="File that backup wrote.")],
    *,
    replace: Annotated[
        bool, typer.Option(help="Replace what the database holds.")
    ] = False,
) -> None:
    """Fill the database from a backup; the copy gets an installation id of its own."""
    asyncio.run(_restore(_settings(), path, replace=replace))


async def _api(settings: Settings) -> None:
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(main.listen(settings)))
        stack.enter_context(main.stop_signals(stop))
        url = await stack.enter_async_context(opening.database_url(settings))
        parts = await stack.enter_async_context(main.context(settings, url))
        await main.run_api(parts, settings, listening=listening, stop=stop)


async def _worker(settings: Settings) -> None:
    stop = asyncio.Event()
    main.check_exposure(settings)
    protect_this_process()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(main.stop_signals(stop))
        url = await stack.enter_async_context(opening.database_url(settings))
        parts = await stack.enter_async_context(main.context(settings, url))
        await run_worker(parts, settings, stop=stop, is_alone=False)


async def _migrate(settings: Settings) -> None:
    async with opening.database_for_tools(settings) as url:
        await asyncio.to_thread(migrations.upgrade, url)
    _console().print("The database has the newest schema.")


async def _backup(settings: Settings, path: Path) -> None:
    async with opening.database_for_tools(settings) as url:
        await asyncio.to_thread(backups.backup, url, path)
    _console().print(f"Written to {path}. Keep it secret, and keep beside it:")
    _console().print("the root secrets (secret.key, or SLIPWAY_ENCRYPTION_KEYS).")


async def _restore(settings: Settings, path: Path, *, replace: bool) -> None:
    async with contextlib.AsyncExitStack() as stack:
        if settings.is_embedded:
            # A running service would write into what is being replaced.
            await stack.enter_async_context(opening.data_directory(settings))
        url = await stack.enter_async_context(
            opening.database_url(settings, migrated=False)
        )
        installation_id = secrets.token_hex(16)
        await asyncio.to_thread(
            backups.restore,
            url,
            path,
            installation_id=installation_id,
            replace=replace,
        )
        await asyncio.to_thread(migrations.upgrade, url)
    _console().print("Restored, with a new installation id.")


def _settings() -> Settings:
    settings = Settings()
    logs.configure(level=settings.log_level, as_json=settings.log_json)
    return settings


def _shared(settings: Settings) -> Settings:
    if settings.is_embedded:
        raise OperatorError(
            "SLIPWAY_DATABASE_URL is not set.",
            remedy="Set it to a PostgreSQL that api and worker share, or use "
            "`slipway serve`, which brings its own.",
        )
    return settings


def _announce(settings: Settings, base_url: str, admin_key: str | None) -> None:
    console = _console()
    console.print(f"Slipway serves at {base_url}")
    if admin_key is not None:
        console.print(f"Admin key (shown once): {admin_key}")
    console.print(f"Admin key's place:      {settings.admin_key_file}")
    console.print("Try:")
    console.print(
        f'  curl -H "Authorization: Bearer $(cat {settings.admin_key_file})" '
        f"{base_url}/v1/deployments"
    )


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True, markup=False)
