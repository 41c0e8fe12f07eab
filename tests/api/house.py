"""The API over a real database, with a worker that does as a test says."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
from fastapi import FastAPI
from typing_extensions import override

from app.api.app import create_app
from app.core.failure import FailureCode, TargetError
from app.core.model_uri import ModelUri
from app.core.principal import Scope
from app.core.target import ResolvedModel
from app.core.workspace import Workspace
from app.runner.queries import QueryRunner
from app.services import keys
from app.settings import Settings
from app.targets.scoring import HttpScorer
from tests.building import Building, built
from tests.fakes import FakeStore, failure
from tests.support import eventually
from tests.webhooks.fakes import FakeResolver

BODY: Mapping[str, Any] = {
    "model": {"uri": "runs:/a1/model"},
    "target": {"kind": "local"},
}
PATH = "/v1/workspaces/prod/deployments/diabetes"
HOOK = "https://hooks.example.com/slipway"
SECRET = "whsec_" + "A" * 43 + "="


class EmptyStore(FakeStore):
    """A store in which no URI names anything."""

    @override
    async def find(self, workspace: Workspace, uri: ModelUri) -> ResolvedModel | None:
        raise TargetError(failure(FailureCode.MODEL_NOT_FOUND))


@dataclass(kw_only=True)
class Api:
    """The application as a caller reaches it, and the house behind it."""

    building: Building
    app: FastAPI
    admin: httpx.AsyncClient
    stopping: asyncio.Event
    resolver: FakeResolver
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def key(self, *scopes: Scope, project: str = "default") -> str:
        made = await keys.create(
            self.building.context,
            name=f"{project} {' '.join(scopes)}",
            scopes=scopes,
            project=project,
            created_by="tests",
        )
        return made.secret

    async def caller(
        self, *scopes: Scope, project: str = "default"
    ) -> httpx.AsyncClient:
        """Return a client with a key of its own."""
        client = _client(self.app, await self.key(*scopes, project=project))
        self.clients.append(client)
        return client

    async def put(self, path: str = PATH, **changes: Any) -> httpx.Response:  # noqa: ANN401
        return await self.admin.put(path, json={**BODY, **changes})

    async def live(self, path: str = PATH, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        """PUT a deployment, let a worker bring it up, and return it."""
        await self.work((await self.put(path, **changes)).json())
        return dict((await self.admin.get(path)).json())

    async def work(self, shown: Mapping[str, Any]) -> None:
        """Let a worker carry out the latest operation of a deployment shown."""
        latest = shown["latest_operation"]["id"]
        await self.building.advance(await self.building.operation(latest))

    async def answer_query(self) -> None:
        """Answer the next query as a worker does."""
        found = await self.open_query()
        runner = QueryRunner(self.building.work())
        await runner.answer(self.building.job(), query_id=found)

    async def open_query(self) -> str:
        """Return the id of the next query that waits for a worker."""
        found: str | None = await eventually(self._open_query)
        assert found is not None
        return found

    async def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        url = self.building.context.database.url
        async with await psycopg.AsyncConnection.connect(url) as connection:
            query = psycopg.sql.SQL("SELECT count(*) FROM {}")
            name = psycopg.sql.Identifier(table)
            row = await (await connection.execute(query.format(name))).fetchone()
        assert row is not None
        return int(row[0])

    async def execute(self, statement: LiteralString, *values: object) -> None:
        """Change the database behind the application's back."""
        url = self.building.context.database.url
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(statement, values)

    async def _open_query(self) -> str | None:
        url = self.building.context.database.url
        async with await psycopg.AsyncConnection.connect(url) as connection:
            row = await (
                await connection.execute("SELECT id FROM queries WHERE answer IS NULL")
            ).fetchone()
        return None if row is None else str(row[0])


@asynccontextmanager
async def housed(
    database_url: str,
    *,
    store: Path | None = None,
    settings: Settings | None = None,
    **changes: Any,  # noqa: ANN401
) -> AsyncIterator[Api]:
    """Open the house; the one client given has the scope admin."""
    async with built(database_url) as building, HttpScorer() as scorer:
        context = replace(
            building.context,
            local_enabled=True,
            local_stores=() if store is None else (str(store),),
        )
        building.context = replace(context, **changes)
        stopping, resolver = asyncio.Event(), FakeResolver()
        app = create_app(
            building.context,
            settings=settings or Settings(),
            scorer=scorer,
            stopping=stopping,
            resolver=resolver,
        )
        api = Api(
            building=building,
            app=app,
            admin=_client(app, None),
            stopping=stopping,
            resolver=resolver,
        )
        key = await api.key(Scope.ADMIN)
        api.admin.headers["Authorization"] = f"Bearer {key}"
        try:
            yield api
        finally:
            for client in (api.admin, *api.clients):
                await client.aclose()


def _client(app: FastAPI, key: str | None) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://api.test", headers=headers
    )


def pointers(answer: httpx.Response) -> list[str]:
    """Return the pointers of a problem's wrong fields."""
    return [error["pointer"] for error in answer.json()["errors"]]


def model(version: str = "1") -> ResolvedModel:
    name = "diabetes-model"
    return ResolvedModel(name=name, version=version, uri=f"models:/{name}/{version}")
