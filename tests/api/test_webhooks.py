"""Webhooks: registered, changed, pinged; deliveries with their attempts."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from app.core.principal import Scope
from app.core.webhook import new_secret
from tests.api.house import HOOK, PATH, Api, pointers

NEW: Mapping[str, Any] = {"name": "portal", "url": HOOK}


def key(value: str = "k1") -> dict[str, str]:
    return {"Idempotency-Key": value}


async def registered(api: Api, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    body = {**NEW, **changes}
    answer = await api.admin.post("/v1/webhooks", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_the_secret_stands_in_the_answer_of_the_post_alone(api: Api) -> None:
    made = await registered(api)
    path = f"/v1/webhooks/{made['id']}"

    assert made["secret"].startswith("whsec_")
    shown = await api.admin.get(path)
    listed = await api.admin.get("/v1/webhooks")
    assert shown.json() == {k: v for k, v in made.items() if k != "secret"}
    assert listed.json()["items"] == [shown.json()]


async def test_a_replay_shows_the_secret_for_a_day(api: Api) -> None:
    first = await registered(api)

    again = await api.admin.post("/v1/webhooks", json=NEW, headers=key())
    await _grow_older(api, timedelta(hours=25))
    later = await api.admin.post("/v1/webhooks", json=NEW, headers=key())

    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first
    assert "secret" not in later.json()
    assert later.json()["id"] == first["id"]
    assert await api.count("webhooks") == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"url": "http://hooks.example.com"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "https://user:pw@hooks.example.com"}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["deployment.nope"]}, "/events/0"),
        ({"events": "deployment.*"}, "/events"),
        ({"name": ""}, "/name"),
        ({"secret": "whsec_mine"}, "/secret"),
        ({"enabled": "yes"}, "/enabled"),
    ],
)
async def test_a_wrong_webhook_is_422_with_its_pointer(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    answer = await api.admin.post(
        "/v1/webhooks", json={**NEW, **changes}, headers=key()
    )

    assert answer.status_code == 422
    assert pointers(answer) == [pointer]
    assert await api.count("webhooks") == 0


async def test_a_patch_changes_what_it_names(api: Api) -> None:
    made = await registered(api, events=["deployment.live"])

    answer = await api.admin.patch(
        f"/v1/webhooks/{made['id']}", json={"enabled": False, "name": "other"}
    )

    changed = answer.json()
    assert (changed["name"], changed["enabled"]) == ("other", False)
    assert (changed["url"], changed["events"]) == (HOOK, ["deployment.live"])


async def test_a_removed_webhook_is_404(api: Api) -> None:
    made = await registered(api)
    path = f"/v1/webhooks/{made['id']}"

    removed = await api.admin.delete(path)

    assert removed.status_code == 204
    assert (await api.admin.get(path)).status_code == 404
    assert (await api.admin.post(f"{path}/ping")).status_code == 404


async def test_a_ping_goes_to_this_webhook_alone(api: Api) -> None:
    made = await registered(api)
    other = await api.admin.post("/v1/webhooks", json=NEW, headers=key("k2"))

    pinged = await api.admin.post(f"/v1/webhooks/{made['id']}/ping")

    mine = await _deliveries(api, made["id"])
    assert pinged.status_code == 202
    assert [one["id"] for one in mine] == [pinged.json()["delivery"]]
    assert mine[0]["event_type"] == "ping"
    assert mine[0]["state"] == "pending"
    assert await _deliveries(api, other.json()["id"]) == []


async def test_a_webhook_that_is_off_is_not_pinged(api: Api) -> None:
    made = await registered(api, enabled=False)

    answer = await api.admin.post(f"/v1/webhooks/{made['id']}/ping")

    assert answer.status_code == 409


async def test_a_change_is_delivered_to_whom_it_concerns(api: Api) -> None:
    live = await registered(api, events=["deployment.live"])
    await api.live()

    deliveries = await _deliveries(api, live["id"])

    assert [one["event_type"] for one in deliveries] == ["deployment.live"]
    states = "?state=succeeded"
    assert await _deliveries(api, live["id"], states) == []


async def test_a_registered_webhook_can_follow_one_deployment(api: Api) -> None:
    made = await registered(api, events=["deployment.accepted"])

    answer = await api.put(webhook={"id": made["id"]})

    assert answer.status_code == 202
    assert len(await _deliveries(api, made["id"])) == 1


async def test_a_one_off_webhook_belongs_to_its_deployment(api: Api) -> None:
    secret = new_secret(b"b" * 32)
    shown = (await api.put(webhook={"url": HOOK, "secret": secret})).json()
    listed = await api.admin.get(f"/v1/webhooks?deployment={shown['id']}")
    one_off = listed.json()["items"][0]

    answer = await api.admin.patch(
        f"/v1/webhooks/{one_off['id']}", json={"enabled": False}
    )

    assert answer.status_code == 409
    assert one_off["deployment"] == shown["id"]
    assert (await api.admin.get("/v1/webhooks")).json()["items"] == []
    assert len(await _deliveries(api, one_off["id"])) == 1
    assert secret not in listed.text


async def test_a_one_off_webhook_is_replaced_when_it_changes(api: Api) -> None:
    hook = {"url": HOOK, "secret": new_secret(b"b" * 32)}
    shown = await api.live(webhook=hook)
    path = f"/v1/webhooks?deployment={shown['id']}"

    async def followers() -> list[str]:
        return [one["id"] for one in (await api.admin.get(path)).json()["items"]]

    first = await followers()
    await api.put(webhook=hook)
    unchanged = await followers()
    await api.put(webhook={**hook, "secret": new_secret(b"c" * 32)})
    replaced = await followers()

    assert unchanged == first
    assert len(replaced) == 1
    assert replaced != first


async def test_another_projects_webhook_is_404(api: Api) -> None:
    made = await registered(api)
    other = await api.caller(Scope.ADMIN, project="other")
    path = f"/v1/webhooks/{made['id']}"

    answers = await asyncio.gather(
        other.get(path),
        other.patch(path, json={}),
        other.delete(path),
        other.post(f"{path}/ping"),
        other.get(f"{path}/deliveries"),
    )

    assert {one.status_code for one in answers} == {404}
    named = await other.put(PATH, json={**_body(), "webhook": {"id": made["id"]}})
    assert pointers(named) == ["/webhook/id"]


def _body() -> dict[str, Any]:
    return {"model": {"uri": "runs:/a1/model"}, "target": {"kind": "local"}}


async def _deliveries(api: Api, webhook_id: str, query: str = "") -> list[Any]:
    answer = await api.admin.get(f"/v1/webhooks/{webhook_id}/deliveries{query}")
    return list(answer.json()["items"])


async def _grow_older(api: Api, age: timedelta) -> None:
    """Put back the time at which every idempotency key was used first."""
    await api.execute("UPDATE idempotency_keys SET created_at = created_at - %s", age)
