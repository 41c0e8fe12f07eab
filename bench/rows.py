"""The rows: each returns what was measured beside the goal of the design."""

import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from app.storage.database import sqlalchemy_url
from bench.azure_blocking import azure_blocking
from bench.azure_flight import azure_flight
from bench.figure import Figure, Row
from bench.house import (
    answering,
    api,
    context,
    create,
    database,
    free_port,
    furnish,
    process,
    resident_megabytes,
)
from bench.load import Load, Result, run
from bench.worker_rows import start, takeover, webhooks

_ROUNDS = 5
_REQUESTS = 600
_BODY: Mapping[str, Any] = {
    "name": "{n}",
    "model": {"uri": "runs:/0123456789abcdef/model"},
    "target": {"kind": "local"},
}


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
    "webhooks": webhooks,
    "api": api_process,
    "azure_flight": azure_flight,
    "azure_blocking": azure_blocking,
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
            deployment = await create(parts, workspace, "first")
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
