"""`validate_only`: what would happen, with nothing stored."""

import asyncio
from typing import Any

import httpx

from app.core.principal import Scope
from tests.api.house import BODY, PATH, Api, EmptyStore

TRY = "?validate_only=true"
ROWS = ("deployments", "revisions", "operations", "events", "webhooks", "queries")


async def rows(api: Api) -> list[int]:
    return [await api.count(table) for table in (*ROWS, "idempotency_keys")]


async def tried(api: Api, method: str, path: str, body: Any) -> httpx.Response:  # noqa: ANN401
    answer, _ = await asyncio.gather(
        api.admin.request(method, path, json=body), api.answer_query()
    )
    return answer


async def test_a_creation_is_shown_field_by_field_and_not_stored(api: Api) -> None:
    before = await rows(api)

    answer = await tried(api, "PUT", f"{PATH}{TRY}", BODY)

    preview = answer.json()
    assert answer.status_code == 200
    assert preview["outcome"] == "create"
    assert {one["pointer"] for one in preview["changes"]} >= {"/model", "/target"}
    assert preview["findings"] == []
    assert await rows(api) == before


async def test_a_change_is_shown_with_each_effect_and_not_stored(api: Api) -> None:
    await api.live(description="old", tags={"a": "1"})
    before = await rows(api)
    body = {**BODY, "description": "new", "model": {"uri": "runs:/a2/model"}}

    preview = (await tried(api, "PUT", f"{PATH}{TRY}", body)).json()

    changes = {one["pointer"]: one for one in preview["changes"]}
    assert preview["outcome"] == "change"
    assert preview["effect"] == "new_revision"
    assert changes["/model/uri"]["effect"] == "new_revision"
    assert changes["/model/uri"]["old"] == "runs:/a1/model"
    assert changes["/model/uri"]["new"] == "runs:/a2/model"
    assert changes["/description"]["effect"] == "in_place"
    assert changes["/tags"]["new"] == {}
    assert await rows(api) == before


async def test_a_put_that_changes_nothing_says_so(api: Api) -> None:
    await api.live()

    preview = (await tried(api, "PUT", f"{PATH}{TRY}", BODY)).json()

    assert preview["outcome"] == "nothing"
    assert preview["changes"] == []


async def test_a_post_and_a_patch_can_be_tried(api: Api) -> None:
    new = {**BODY, "name": "second", "workspace": "prod"}
    shown = await api.live()
    before = await rows(api)

    posted = await tried(api, "POST", f"/v1/deployments{TRY}", new)
    patched = await tried(
        api, "PATCH", f"/v1/deployments/{shown['id']}{TRY}", {"description": "new"}
    )

    assert posted.json()["outcome"] == "create"
    assert [one["pointer"] for one in patched.json()["changes"]] == ["/description"]
    assert await rows(api) == before


async def test_a_model_that_does_not_exist_is_a_finding(api: Api) -> None:
    api.building.store = EmptyStore()

    preview = (await tried(api, "PUT", f"{PATH}{TRY}", BODY)).json()

    assert [one["code"] for one in preview["findings"]] == ["model_not_found"]
    assert preview["findings"][0]["remedy"]


async def test_a_deletion_lists_what_goes_and_what_stays(api: Api) -> None:
    await api.live()
    before = await rows(api)

    plan = (await api.admin.delete(f"{PATH}{TRY}")).json()

    assert "deployment diabetes" in plan["removes"]
    assert any("registered model version" in one for one in plan["keeps"])
    assert await rows(api) == before
    assert (await api.admin.get(PATH)).json()["state"] == "live"


async def test_actions_can_be_tried(api: Api) -> None:
    shown = (await api.put()).json()
    operation = f"/v1/operations/{shown['latest_operation']['id']}"
    before = await rows(api)

    answers = [
        await api.admin.post(f"/v1/deployments/{shown['id']}/cancel{TRY}"),
        await api.admin.post(f"{operation}/cancel{TRY}"),
    ]

    assert [one.status_code for one in answers] == [200, 200]
    assert (await api.admin.get(operation)).json()["state"] == "queued"
    assert await rows(api) == before


async def test_the_real_calls_checks_are_made(api: Api) -> None:
    await api.put()
    reader = await api.caller(Scope.READ)

    forbidden = await reader.put(f"{PATH}{TRY}", json=BODY)
    conflict = await tried(api, "PUT", f"{PATH}{TRY}", {**BODY, "description": "x"})
    nowhere = await api.admin.put(
        f"/v1/workspaces/nowhere/deployments/a-b{TRY}", json=BODY
    )

    statuses = [one.status_code for one in (forbidden, conflict, nowhere)]
    assert statuses == [403, 409, 404]


async def test_a_misspelled_parameter_does_not_do_the_real_thing(api: Api) -> None:
    answer = await api.admin.put(f"{PATH}?validateonly=true", json=BODY)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/validateonly"
    assert await api.count("deployments") == 0
