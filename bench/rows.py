"""The rows: each returns what was measured beside the goal of the design."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg

from app.core.principal import Principal, Scope
from app.core.specs import DeploymentSpec, LocalOptions, ModelSpec
from app.core.workspace import Workspace
from app.services import changes
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.storage.database import sqlalchemy_url
from bench.house import (
    answering,
    api,
    context,
    database,
    free_port,
    furnish,
    process,
    resident_megabytes,
)
from bench.load import Load, Result, run

_ROUNDS = 5
_REQUESTS = 600
_BODY: Mapping[str, Any] = {
    "name": "{n}",
    "model": {"uri": "runs:/0123456789abcdef/model"},
    "target": {"kind": "local"},
}


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    goal: str


Row = Callable[[str], Awaitable[list[Figure]]]


async def accept(server_url: str) -> list[Figure]:
    """POST a deployment, against a bare insert on the same server, in turns."""
    ours, theirs = [], []
    async with _pair(server_url) as (slipway, bare):
        for turn in range(_ROUNDS):
            theirs.append(
                await run(
                    Load(
                        address=bare.address,
                        method="POST",
                        path="/items",
                        count=_REQUESTS,
                        body=dict(_BODY),
                        expect=202,
                    )
                )
            )
            ours.append(
                await run(
                    Load(
                        address=slipway.address,
                        method="POST",
                        path="/v1/deployments",
                        count=_REQUESTS,
                        headers=slipway.headers,
                        body={**_BODY, "workspace": "bench"},
                        unique_header="Idempotency-Key",
                        expect=202,
                        tag=f"t{turn}",
                    )
                )
            )
    return _compared("POST accepted", ours, theirs, goal="0.6 of bare, 300/s")


async def read(server_url: str) -> list[Figure]:
    """GET one deployment, against a bare select on the same server, in turns."""
    ours, theirs = [], []
    async with _pair(server_url) as (slipway, bare):
        for _ in range(_ROUNDS):
            theirs.append(
                await run(
                    Load(
                        address=bare.address,
                        method="GET",
                        path=bare.path,
                        count=_REQUESTS,
                    )
                )
            )
            ours.append(
                await run(
                    Load(
                        address=slipway.address,
                        method="GET",
                        path=slipway.path,
                        count=_REQUESTS,
                        headers=slipway.headers,
                    )
                )
            )
    return _compared("GET one deployment", ours, theirs, goal="0.7 of bare")


async def start(server_url: str) -> list[Figure]:
    """From accepted to taken up by a worker, 20 a second for ten seconds."""
    with database(server_url) as url:
        async with context(url) as parts, process("-m", "bench.worker", url):
            workspace, _ = await furnish(parts)
            for number in range(200):
                await _create(parts, workspace, f"d-{number:03}")
                await asyncio.sleep(0.05)
            await _until(url, "state = 'succeeded'", 200)
        with psycopg.connect(url) as connection:
            waits = [
                row[0]
                for row in connection.execute(
                    "SELECT 1000 * extract(epoch FROM started_at - created_at)::float8 "
                    "FROM operations ORDER BY 1"
                )
            ]
    measured = f"p50 {waits[100]:.0f} ms, p99 {waits[197]:.0f} ms"
    return [
        Figure(
            what="accepted to taken up", measured=measured, goal="p50 25, p99 150 ms"
        )
    ]


async def takeover(server_url: str) -> list[Figure]:
    """Kill -9 of a worker with 300 operations in flight; another takes them over."""
    count = 300
    with database(server_url) as url:
        async with (
            context(url) as parts,
            process("-m", "bench.worker", url, "hold") as doomed,
        ):
            workspace, _ = await furnish(parts)
            for number in range(count):
                await _create(parts, workspace, f"d-{number:03}")
            await _until(url, "phase = 'deploy'", count)
            async with process("-m", "bench.worker", url, "hold"):
                # A worker judges others once its own heart has beaten long enough.
                await asyncio.sleep(15)
                doomed.kill()
                begin = time.perf_counter()
                await _until(url, "epoch = 2", count)
                seconds = time.perf_counter() - begin
    return [
        Figure(
            what=f"kill -9 with {count} in flight, all taken over",
            measured=f"{seconds:.1f} s",
            goal="10 s",
        )
    ]


async def api_process(server_url: str) -> list[Figure]:
    """How soon the API process is ready, and what it takes in memory."""
    seconds, memory = [], []
    with database(server_url) as url:
        async with context(url) as parts:
            _, key = await furnish(parts)
        for _ in range(_ROUNDS):
            begin = time.perf_counter()
            async with api(url) as (address, running):
                seconds.append(time.perf_counter() - begin)
                await run(
                    Load(
                        address=address,
                        method="GET",
                        path="/v1/deployments",
                        count=300,
                        headers=_bearer(key),
                    )
                )
                memory.append(resident_megabytes(running.pid))
    measured = (
        f"ready in {statistics.median(seconds):.1f} s, "
        f"{statistics.median(memory):.0f} MB"
    )
    return [Figure(what="API process", measured=measured, goal="3 s, under 150 MB")]


ROWS: Mapping[str, Row] = {
    "accept": accept,
    "read": read,
    "start": start,
    "takeover": takeover,
    "api": api_process,
}


@dataclass(frozen=True, kw_only=True)
class _Side:
    address: str
    path: str
    headers: dict[str, str]


@asynccontextmanager
async def _pair(server_url: str) -> AsyncIterator[tuple[_Side, _Side]]:
    """Yield our API and the bare one, each on a database of its own, warmed up."""
    with database(server_url) as url, database(server_url) as bare_url:
        async with context(url) as parts:
            workspace, key = await furnish(parts)
            deployment = await _create(parts, workspace, "first")
        port = free_port()
        bare = f"http://127.0.0.1:{port}"
        async with (
            api(url) as (address, _),
            process("-m", "bench.bare", str(port), BARE_URL=sqlalchemy_url(bare_url)),
        ):
            await answering(f"{bare}/readyz")
            item = await _bare_item(bare)
            yield (
                _Side(
                    address=address,
                    path=f"/v1/deployments/{deployment}",
                    headers=_bearer(key),
                ),
                _Side(address=bare, path=f"/items/{item}", headers={}),
            )


async def _bare_item(address: str) -> str:
    async with httpx.AsyncClient(base_url=address) as client:
        answer = await client.post("/items", json=dict(_BODY))
    return str(answer.json()["id"])


async def _create(parts: Context, workspace: Workspace, name: str) -> str:
    principal = Principal(
        id="bench", name="bench", project="default", scopes=(Scope.ADMIN,)
    )
    spec = DeploymentSpec(
        model=ModelSpec(uri="models:/m/1"), target=LocalOptions(kind="local")
    )
    async with parts.database.transaction() as tx:
        accepted = await changes.create(
            parts,
            tx,
            workspace,
            name,
            spec=spec,
            options=ChangeOptions(principal=principal),
        )
    return accepted.deployment.id


async def _until(url: str, condition: str, count: int) -> None:
    query = f"SELECT count(*) FROM operations WHERE {condition}"  # noqa: S608
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
        asyncio.timeout(120),
    ):
        while True:
            row = await (await connection.execute(query.encode())).fetchone()
            if row is not None and row[0] >= count:
                return
            await asyncio.sleep(0.05)


def _compared(
    what: str, ours: list[Result], theirs: list[Result], *, goal: str
) -> list[Figure]:
    ratios = [a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True)]
    rate = statistics.median(result.per_second for result in ours)
    bare = statistics.median(result.per_second for result in theirs)
    p99 = statistics.median(result.quantile(0.99) for result in ours)
    return [
        Figure(
            what=what,
            measured=(
                f"{statistics.median(ratios):.2f} of bare "
                f"({rate:.0f}/s against {bare:.0f}/s), p99 {1000 * p99:.0f} ms"
            ),
            goal=goal,
        )
    ]


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
