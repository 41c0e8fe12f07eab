"""Real models of a real store, served by MLflow's own scoring server in its jail."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.clock import SystemClock
from app.core.failure import FailureCode
from app.core.model_uri import parse_model_uri
from app.core.target import (
    ApplyRequest,
    Handle,
    Invocation,
    Mark,
    ObservedPhase,
    ResolvedModel,
    ResolveRequest,
)
from app.targets.isolation import isolation_level
from app.targets.local import LocalTarget
from app.targets.mlflow_store import MlflowStore
from app.targets.store_pool import PoolSettings
from tests.fakes import FakeLease
from tests.models import StoreOnDisk, copied_store
from tests.targets.locals import request, settled
from tests.targets.test_confinement import GRANTED, REFUSED

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LEASE = FakeLease()
# Two processes import MLflow on a busy machine.
_LOADING_SECONDS = 100


@dataclass(frozen=True, kw_only=True)
class House:
    """A store on disk, and a target that serves its models."""

    disk: StoreOnDisk
    store: MlflowStore
    target: LocalTarget
    directory: Path

    async def model(self, name: str) -> ResolvedModel:
        mark = Mark(
            installation="i", deployment="d", revision=1, operation="o", epoch=1
        )
        wanted = ResolveRequest(
            workspace=self.disk.workspace(),
            uri=parse_model_uri(self.disk.model_uri(name)),
            register_as=name,
            tags={},
            mark=mark,
        )
        return await self.store.resolve(wanted, LEASE)

    async def request(
        self, name: str, environment: dict[str, str] | None = None
    ) -> ApplyRequest:
        made = request(
            deployment=f"dep_{name}",
            workspace=self.disk.workspace(),
            environment_variables=environment or {},
        )
        return replace(made, model=await self.model(name))

    async def serve(
        self, name: str, environment: dict[str, str] | None = None
    ) -> tuple[Handle, ObservedPhase]:
        handle = await self.target.apply(await self.request(name, environment), LEASE)
        seen = await settled(self.target, handle, within_seconds=_LOADING_SECONDS)
        return handle, seen.phase


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(
    shared_store: StoreOnDisk, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    directory = tmp_path_factory.mktemp("house")
    disk = copied_store(shared_store, directory / "store")
    store = MlflowStore(
        directory / "children",
        local_stores=[disk.directory],
        pool=PoolSettings(max_children=1),
    )
    await store.start()
    target = LocalTarget(directory / "local", fetcher=store, clock=SystemClock())
    yield House(disk=disk, store=store, target=target, directory=directory)
    await target.shut_down()
    await store.close()


async def test_a_registered_model_is_served_and_replaced_at_one_address(
    house: House,
) -> None:
    (first, _), (second, _) = await asyncio.gather(
        house.serve("ridge_a"), house.serve("ridge_b")
    )
    facts = await house.store.inspect(
        house.disk.workspace(), await house.model("ridge_a")
    )
    body = (facts.example or "").encode()

    direct = await house.target.invoke(first, Invocation(body=body))
    before = await house.target.shift("e", first, previous=None)
    async with httpx.AsyncClient() as client:
        headers = {"content-type": "application/json"}
        answer_a = await client.post(before.scoring_uri, content=body, headers=headers)
        after = await house.target.shift("e", second, previous=before.scoring_uri)
        answer_b = await client.post(after.scoring_uri, content=body, headers=headers)
        wrong = await client.post(after.scoring_uri, content=b"{", headers=headers)
        swagger = await client.get(after.swagger_uri or "")
    await house.target.delete(first, LEASE)
    await house.target.delete(second, LEASE)

    assert direct.status == answer_a.status_code == answer_b.status_code == 200
    assert len(answer_a.json()["predictions"]) == 2
    assert json.loads(direct.body) == answer_a.json() != answer_b.json()
    assert wrong.status_code == 400
    assert "/invocations" in swagger.json()["paths"]


async def test_a_model_that_fails_to_load_is_quoted(house: House) -> None:
    handle, phase = await house.serve("broken")
    seen = await house.target.observe(handle)
    log = await house.target.logs(handle, source="model", tail=200)
    await house.target.delete(handle, LEASE)

    assert phase is ObservedPhase.FAILED
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.MODEL_LOAD_FAILED
    assert seen.failure.cause == "RuntimeError: the weights are missing"
    assert "looking for the weights" in log


async def test_a_model_that_ends_its_process_is_noticed(house: House) -> None:
    handle, _ = await house.serve("crashing")
    uri = (await house.target.shift("c", handle, previous=None)).scoring_uri

    async def score(value: int) -> httpx.Response:
        body: dict[str, Any] = {"dataframe_records": [{"value": value}]}
        async with httpx.AsyncClient() as client:
            return await client.post(uri, json=body)

    before = await score(3)
    crashed = await score(-1)
    seen = await settled(house.target, handle)
    await house.target.delete(handle, LEASE)

    assert before.json() == {"predictions": [3.0]}
    assert crashed.status_code == 503
    assert seen.phase is ObservedPhase.UNREACHABLE
    assert "status 7" in seen.message


@pytest.mark.skipif(isolation_level() == "none", reason="needs Landlock")
async def test_a_hostile_model_gets_nothing_from_the_server_it_runs_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = house.directory / "admin.key"
    secret.write_text("hidden")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hidden")
    database = await asyncio.start_unix_server(
        lambda _, writer: writer.close(), house.directory / "d"
    )
    port = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    environment = {
        "SECRET": str(secret),
        "OUTSIDE": str(house.directory),
        "PORT": str(port.sockets[0].getsockname()[1]),
        "UNIX_SOCKET": str(house.directory / "d"),
    }

    handle, phase = await house.serve("nosy", environment)
    call = Invocation(body=b'{"dataframe_records": [{"a": 1}]}')
    answer = await house.target.invoke(handle, call)
    await house.target.delete(handle, LEASE)
    for server in (database, port):
        server.close()

    (text,) = json.loads(answer.body)["predictions"]
    outcomes = json.loads(text)
    seen = outcomes.pop("environment")
    assert phase is ObservedPhase.READY
    assert outcomes == {**REFUSED, **dict.fromkeys(GRANTED, "done")}
    assert "AZURE_CLIENT_SECRET" not in seen
    assert "AZURE_CLIENT_SECRET" in os.environ
