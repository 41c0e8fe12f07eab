"""Idempotency-Key: one answer for one request, however often it is sent."""

import asyncio

import pytest

from app.core.principal import Scope
from tests.api.house import BODY, Api

NEW = {**BODY, "name": "diabetes", "workspace": "prod"}


def key(value: str = "k1") -> dict[str, str]:
    return {"Idempotency-Key": value}


async def test_the_same_request_gets_the_first_answer_again(api: Api) -> None:
    first = await api.admin.post("/v1/deployments", json=NEW, headers=key())
    await api.work(first.json())

    # The same body in another layout is the same request.
    reordered = dict(reversed(NEW.items()))
    again = await api.admin.post("/v1/deployments", json=reordered, headers=key())

    assert again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["operation-location"] == first.headers["operation-location"]
    assert "idempotency-replayed" not in first.headers


async def test_concurrent_twins_make_one_deployment(api: Api) -> None:
    answers = await asyncio.gather(
        *(api.admin.post("/v1/deployments", json=NEW, headers=key()) for _ in range(6))
    )

    assert {one.status_code for one in answers} == {202}
    assert len({one.json()["id"] for one in answers}) == 1
    replayed = [one for one in answers if "idempotency-replayed" in one.headers]
    assert len(replayed) == 5
    assert await api.count("deployments") == 1
    assert await api.count("operations") == 1
    assert await api.count("events") == 1


async def test_another_request_with_the_same_key_is_422(api: Api) -> None:
    await api.admin.post("/v1/deployments", json=NEW, headers=key())
    other = {**NEW, "name": "second"}

    body = await api.admin.post("/v1/deployments", json=other, headers=key())
    path = await api.admin.post(
        "/v1/webhooks",
        json={"name": "a", "url": "https://hooks.example.com"},
        headers=key(),
    )
    query = await api.admin.post("/v1/deployments?queue=true", json=NEW, headers=key())

    for answer in (body, path, query):
        assert answer.status_code == 422
        assert answer.json()["code"] == "idempotency_key_reused"
    assert await api.count("deployments") == 1


async def test_keys_belong_to_a_principal(api: Api) -> None:
    other = await api.caller(Scope.DEPLOY)
    await api.admin.post("/v1/deployments", json=NEW, headers=key())

    answer = await other.post(
        "/v1/deployments", json={**NEW, "name": "second"}, headers=key()
    )

    assert answer.status_code == 202


async def test_a_refused_request_does_not_use_its_key_up(api: Api) -> None:
    nowhere = {**NEW, "workspace": "nowhere"}

    refused = await api.admin.post("/v1/deployments", json=nowhere, headers=key())
    created = await api.admin.post("/v1/deployments", json=NEW, headers=key())

    assert [refused.status_code, created.status_code] == [404, 202]


async def test_a_rollback_is_made_once(api: Api) -> None:
    shown = await api.live()
    await api.live(model={"uri": "runs:/a2/model"})
    path = f"/v1/deployments/{shown['id']}/rollback"

    first = await api.admin.post(path, json={"revision": 1}, headers=key())
    await api.work(first.json())
    again = await api.admin.post(path, json={"revision": 1}, headers=key())

    assert again.json() == first.json()
    assert await api.count("operations") == 3


@pytest.mark.parametrize("value", ["", " ", "a b", "x" * 256, "\u00e9"])
async def test_a_key_of_other_characters_is_422(api: Api, value: str) -> None:
    headers = [(b"Idempotency-Key", value.encode("latin-1"))]

    answer = await api.admin.post("/v1/deployments", json=NEW, headers=headers)

    assert answer.status_code == 422
    assert await api.count("deployments") == 0
