"""Deployments by id: POST, GET, PATCH, DELETE, rollback, revisions, logs."""

from typing import Any

import pytest

from app.core.principal import Scope
from tests.api.house import BODY, HOOK, PATH, SECRET, Api, pointers

NEW = {**BODY, "name": "diabetes", "workspace": "prod"}


def key(value: str = "k1") -> dict[str, str]:
    return {"Idempotency-Key": value}


async def test_a_post_creates_and_a_second_one_is_409_with_a_link(api: Api) -> None:
    created = await api.admin.post("/v1/deployments", json=NEW, headers=key("a"))
    refused = await api.admin.post("/v1/deployments", json=NEW, headers=key("b"))

    assert created.status_code == 202
    assert refused.status_code == 409
    assert refused.json()["code"] == "name_taken"
    assert refused.json()["links"]["deployment"] == created.headers["location"]


async def test_a_post_needs_name_workspace_and_key(api: Api) -> None:
    nameless = await api.admin.post("/v1/deployments", json=BODY, headers=key())
    keyless = await api.admin.post("/v1/deployments", json=NEW)

    assert pointers(nameless) == ["/name", "/workspace"]
    assert keyless.status_code == 422
    assert keyless.json()["code"] == "idempotency_key_required"


async def test_an_unchanged_deployment_is_304(api: Api) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}"
    tag = (await api.admin.get(path)).headers["etag"]

    unchanged = await api.admin.get(path, headers={"If-None-Match": f'"0.0", {tag}'})
    weak = await api.admin.get(path, headers={"If-None-Match": f"W/{tag}"})
    changed = await api.admin.get(path, headers={"If-None-Match": '"1.1"'})

    assert [one.status_code for one in (unchanged, weak, changed)] == [304, 304, 200]
    assert unchanged.headers["etag"] == tag
    assert unchanged.content == b""


async def test_a_patch_merges_fields_and_null_removes_them(api: Api) -> None:
    tags = {"a": "1", "b": "2"}
    target = {"kind": "local", "environment_variables": {"A": "1"}}
    shown = await api.live(description="old", tags=tags, target=target)
    path = f"/v1/deployments/{shown['id']}"
    change = {
        "description": None,
        "tags": {"a": None, "c": "3"},
        "target": {"startup_timeout_seconds": 60},
    }

    answer = await api.admin.patch(path, json=change)

    assert answer.status_code == 202
    spec = answer.json()["spec"]
    assert spec["description"] == ""
    assert spec["tags"] == {"b": "2", "c": "3"}
    assert spec["target"]["environment_variables"] == {"A": "1"}
    assert spec["target"]["startup_timeout_seconds"] == 60


@pytest.mark.parametrize(
    "media_type", ["application/merge-patch+json", "application/json; charset=utf-8"]
)
async def test_a_patch_that_changes_nothing_is_200(api: Api, media_type: str) -> None:
    shown = await api.live(description="old")

    answer = await api.admin.patch(
        f"/v1/deployments/{shown['id']}",
        content=b'{"description": "old"}',
        headers={"Content-Type": media_type},
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"model": None}, "/model"),
        ({"target": {"kind": "mars"}}, "/target/kind"),
        ({"colour": "blue"}, "/colour"),
        ({"tags": {"slipway.a": "1"}}, "/tags/slipway.a"),
        ({"model": {"uri": "nothing"}}, "/model/uri"),
    ],
)
async def test_a_wrong_patch_is_422_with_its_pointer(
    api: Api, change: dict[str, Any], pointer: str
) -> None:
    shown = await api.live()

    answer = await api.admin.patch(f"/v1/deployments/{shown['id']}", json=change)

    assert answer.status_code == 422
    assert pointers(answer) == [pointer]


async def test_a_patch_leaves_the_webhook_and_a_put_without_one_removes_it(
    api: Api,
) -> None:
    shown = await api.live(webhook={"url": HOOK, "secret": SECRET})
    path = f"/v1/deployments/{shown['id']}"
    listed = f"/v1/webhooks?deployment={shown['id']}"

    await api.work((await api.admin.patch(path, json={"description": "x"})).json())
    after_patch = (await api.admin.get(listed)).json()["items"]
    await api.put(description="x")
    after_put = (await api.admin.get(listed)).json()["items"]

    assert [one["url"] for one in after_patch] == [HOOK]
    assert after_put == []


async def test_a_rollback_brings_the_model_back_and_keeps_the_tags(api: Api) -> None:
    first = await api.live(description="first", tags={"a": "1"})
    await api.live(model={"uri": "runs:/a2/model"}, description="second")
    path = f"/v1/deployments/{first['id']}"

    answer = await api.admin.post(f"{path}/rollback", json={"revision": 1})
    await api.work(answer.json())

    shown = (await api.admin.get(path)).json()
    assert answer.status_code == 202
    assert shown["state"] == "live"
    assert shown["spec"]["model"]["uri"] == "runs:/a1/model"
    assert shown["model"] == first["model"]
    assert shown["spec"]["description"] == "second"


@pytest.mark.parametrize(
    ("revision", "status"), [(9, 404), (0, 422), ("1", 422), (10**12, 422)]
)
async def test_a_rollback_to_no_revision_is_refused(
    api: Api, revision: object, status: int
) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}/rollback"

    assert (
        await api.admin.post(path, json={"revision": revision})
    ).status_code == status


async def test_revisions_are_listed_newest_first(api: Api) -> None:
    shown = await api.live()
    await api.live(model={"uri": "runs:/a2/model"})

    page = (await api.admin.get(f"/v1/deployments/{shown['id']}/revisions")).json()

    assert [one["number"] for one in page["items"]] == [2, 1]
    assert [one["serving"] for one in page["items"]] == [True, False]


async def test_a_deleted_deployment_is_shown_by_id(api: Api) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}"
    await api.work((await api.admin.delete(path)).json())

    gone = await api.admin.get(path)
    again = await api.admin.delete(path)

    assert gone.json()["state"] == "deleted"
    assert again.status_code == 200
    assert (await api.admin.get("/v1/deployments")).json()["items"] == []


async def test_keeping_it_at_azure_does_not_touch_the_target(api: Api) -> None:
    shown = await api.live()

    answer = await api.admin.delete(f"/v1/deployments/{shown['id']}?at_azure=keep")
    await api.work(answer.json())

    assert api.building.target.deleted == []
    assert (await api.admin.get(PATH)).status_code == 404


@pytest.mark.parametrize("path", ["", "/events", "/revisions", "/logs", "/keys"])
async def test_another_projects_deployment_is_404(api: Api, path: str) -> None:
    shown = (await api.put()).json()
    other = await api.caller(Scope.ADMIN, project="other")

    answer = await other.get(f"/v1/deployments/{shown['id']}{path}")

    assert answer.status_code == 404
