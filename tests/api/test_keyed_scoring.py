"""Invocations of endpoints with keys or tokens: the caller need not have one."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.core.principal import Scope
from app.core.target import KeyName
from tests.api.azure import azure_housed, bring_up
from tests.api.house import Api
from tests.api.scored import Scored, scored
from tests.keyed import FakeAciTarget


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with azure_housed(database_url) as opened:
        yield opened


async def test_the_key_is_sent_and_asked_for_once(api: Api) -> None:
    async with scored(b"[1]") as model:
        path = await _serving(api, model)
        caller = await api.caller(Scope.DEPLOY)

        first, _ = await asyncio.gather(
            caller.post(path, content=b"{}"), api.answer_query()
        )
        second = await caller.post(path, content=b"{}")

    assert [first.json(), second.json()] == [[1], [1]]
    assert model.authorizations == ["Bearer primary-1"] * 2
    assert "primary-1" not in first.text + repr(first.headers)


async def test_a_key_that_was_replaced_is_asked_for_again(api: Api) -> None:
    async with scored(b"[1]") as model:
        path = await _serving(api, model)
        await asyncio.gather(api.admin.post(path, content=b"{}"), api.answer_query())
        target = api.building.others["aci"]
        assert isinstance(target, FakeAciTarget)
        target.made[KeyName.PRIMARY] = 2
        model.accepts = "Bearer primary-2"

        answer, _ = await asyncio.gather(
            api.admin.post(path, content=b"{}"), api.answer_query()
        )

    assert answer.status_code == 200
    assert model.authorizations[1:] == ["Bearer primary-1", "Bearer primary-2"]


async def test_an_endpoint_that_lets_nobody_in_is_asked_no_third_time(
    api: Api,
) -> None:
    async with scored(b"[1]") as model:
        path = await _serving(api, model)
        model.accepts = "Bearer another"

        answer, _ = await asyncio.gather(
            api.admin.post(path, content=b"{}"), _answer_twice(api)
        )

    assert answer.status_code == 401
    assert len(model.authorizations) == 1


async def test_a_token_is_sent_where_one_is_asked_for(api: Api) -> None:
    async with scored(b"[1]") as model:
        path = await _serving(api, model, "aks", token_auth_enabled=True)

        await asyncio.gather(api.admin.post(path, content=b"{}"), api.answer_query())

    assert model.authorizations == ["Bearer token-1"]


async def test_nothing_is_sent_where_nothing_is_asked_for(api: Api) -> None:
    async with scored(b"[1]") as model:
        path = await _serving(api, model, auth_enabled=False)

        answer = await api.admin.post(path, content=b"{}")

    assert answer.status_code == 200
    assert model.authorizations == [None]


async def test_calls_at_once_ask_a_worker_once(api: Api) -> None:
    async with scored(b"[1]") as model:
        path = await _serving(api, model)

        *answers, _ = await asyncio.gather(
            *(api.admin.post(path, content=b"{}") for _ in range(5)),
            api.answer_query(),
        )

    statuses = [one.status_code for one in answers if isinstance(one, httpx.Response)]
    assert statuses == [200] * 5


async def _answer_twice(api: Api) -> None:
    await api.answer_query()
    await api.answer_query()


async def _serving(api: Api, model: Scored, kind: str = "aci", **options: bool) -> str:
    """Bring a deployment up that answers at `model`'s address."""
    shown = await bring_up(api, kind, **options)
    await api.execute(
        "UPDATE deployments SET scoring_uri = %s WHERE id = %s", model.url, shown["id"]
    )
    return f"/v1/deployments/{shown['id']}/invocations"
