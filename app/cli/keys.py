"""`slipway keys`: make, list and revoke API keys, straight in the database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from app import main
from app.cli import logs
from app.core.errors import OperatorError
from app.core.principal import Scope
from app.services import keys
from app.services.context import Context
from app.settings import Settings
from app.storage import keys as stored
from app.storage import opening


def build() -> typer.Typer:
    """Return the command group."""
    group = typer.Typer(
        help="Make, list and revoke API keys (run on the service's own machine).",
        no_args_is_help=True,
    )
    for command in (create, list_, revoke):
        group.command(command.__name__.rstrip("_"))(command)
    return group


def create(
    name: Annotated[str, typer.Option(help="For people; stands in created_by.")],
    scope: Annotated[list[Scope], typer.Option(help="Repeat for several.")],
    *,
    project: Annotated[str, typer.Option(help="The project it belongs to.")] = (
        "default"
    ),
    days: Annotated[
        int | None, typer.Option(min=1, help="Days until it runs out.")
    ] = None,
) -> None:
    """Make a key; it is printed once, as the last line."""
    lifetime = None if days is None else timedelta(days=days)

    async def run() -> str:
        async with _context() as parts:
            made = await keys.create(
                parts,
                name=name,
                scopes=scope,
                project=project,
                created_by="slipway keys",
                lifetime=lifetime,
            )
            return made.secret

    Console(stderr=True).print("Keep this key: it is shown only now.")
    typer.echo(asyncio.run(run()))


def list_() -> None:
    """Show every key, without the keys themselves."""

    async def run() -> None:
        async with _context() as parts, parts.database.reading() as connection:
            found = await stored.list_all(connection)
        # Whole on a narrow terminal too: `revoke` needs every character of it.
        table = Table(Column("id", no_wrap=True, min_width=30))
        for heading in ("name", "project", "scopes", "made", "runs out", "revoked"):
            table.add_column(heading)
        for key in found:
            table.add_row(
                key.id,
                key.name,
                key.project,
                " ".join(key.scopes),
                f"{key.created_at:%Y-%m-%d}",
                f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never",
                f"{key.revoked_at:%Y-%m-%d}" if key.revoked_at else "",
            )
        Console().print(table)

    asyncio.run(run())


def revoke(key_id: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
    """Switch a key off for ever; running services refuse it at once."""

    async def run() -> bool:
        async with _context() as parts:
            return await keys.revoke(parts, key_id)

    if not asyncio.run(run()):
        raise OperatorError(
            f"There is no active key {key_id}.", remedy="See `slipway keys list`."
        )
    typer.echo(f"{key_id} is revoked.")


@contextlib.asynccontextmanager
async def _context() -> AsyncIterator[Context]:
    settings = Settings()
    logs.configure(level="WARNING", as_json=settings.log_json)
    async with (
        opening.database_for_tools(settings) as url,
        main.context(settings, url) as parts,
    ):
        yield parts
