"""The workspace that `serve` declares, and races about workspaces."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.core.errors import InUseError, NotFoundError
from app.core.workspace import MlflowWorkspace
from app.services import workspaces as use_cases
from app.services.deployments import Wish, create
from app.storage import workspaces
from tests.building import OPTIONS, Building, add_workspace, built, spec

Racer = Coroutine[Any, Any, None]


async def test_the_local_workspace_is_declared_once(
    database_url: str, tmp_path: Path
) -> None:
    async with built(database_url) as building:
        context = building.context
        await use_cases.ensure_local(context, tmp_path)
        await use_cases.ensure_local(context, tmp_path / "elsewhere")

        async with context.database.reading() as connection:
            found = await workspaces.get(connection, "local")

    assert found.identity == MlflowWorkspace(
        tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"
    )


async def test_a_removal_and_a_creation_at_once_never_both_succeed(
    database_url: str,
) -> None:
    async with built(database_url) as building:
        building.context = replace(building.context, local_enabled=True)
        for number in range(10):
            name = f"race-{number}"
            await add_workspace(building.context, name)
            racers: list[Coroutine[Any, Any, None]] = [
                _remove(building, name),
                _create(building, name),
            ]
            if number % 2:
                racers.reverse()

            results = await asyncio.gather(*racers, return_exceptions=True)

            refused = [one for one in results if isinstance(one, Exception)]
            assert len(refused) == 1
            assert isinstance(refused[0], InUseError | NotFoundError)


async def _remove(building: Building, name: str) -> None:
    async with building.context.database.transaction() as tx:
        await use_cases.remove(building.context, tx, name)


async def _create(building: Building, name: str) -> None:
    async with building.context.database.transaction() as tx:
        wish = Wish(workspace=name, name="diabetes", spec=spec())
        await create(building.context, tx, wish, options=OPTIONS)
