"""PUT, GET and DELETE by name: a pipeline's whole step."""

import asyncio

import pytest

from app.core.principal import Scope
from tests.api.house import (
    BODY,
    HOOK,
    PATH,
    SECRET,
    Api,
    EmptyStore,
    housed,
    model,
)


async def test_one_unchanged_put_is_the_whole_pipeline_step(api: Api) -> None:
    first = await api.put()
    await api.work(first.json())
    again = await api.put()
    changed = await api.put(model={"uri": "runs:/a2/model"})
    await api.work(changed.json())
    last = await api.put(model={"uri": "runs:/a2/model"})

    answers = (first, again, changed, last)
    assert [one.status_code for one in answers] == [202, 200, 202, 200]
    assert "operation-location" not in again.headers
    assert last.json()["state"] == "live"
    assert last.json()["serving_revision"] == 2
    assert api.building.store.registered == 2


async def test_a_put_is_accepted_with_where_to_look(api: Api) -> None:
    answer = await api.put()

    body = answer.json()
    assert answer.headers["location"].endswith(f"/v1/deployments/{body['id']}")
    operation = await api.admin.get(answer.headers["operation-location"])
    assert operation.json()["id"] == body["latest_operation"]["id"]
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["etag"] == '"1.1"'
    assert body["state"] == "pending"
    assert body["created_by"] == "default admin"


async def test_what_a_put_answers_is_what_a_get_shows(api: Api) -> None:
    answer = await api.put(webhook={"url": HOOK, "secret": SECRET})

    assert (await api.admin.get(PATH)).json() == answer.json()
    assert SECRET not in answer.text


async def test_concurrent_puts_of_a_new_name_make_one_deployment(api: Api) -> None:
    answers = await asyncio.gather(*(api.put() for _ in range(5)))

    assert sorted(one.status_code for one in answers) == [200, 200, 200, 200, 202]
    assert await api.count("deployments") == 1
    assert await api.count("operations") == 1


async def test_a_change_during_an_operation_is_409_with_its_link(api: Api) -> None:
    first = await api.put()

    refused = await api.put(description="another")

    assert refused.status_code == 409
    assert refused.json()["code"] == "operation_in_progress"
    assert refused.json()["links"]["operation"] == first.headers["operation-location"]


async def test_a_queued_change_waits_and_a_newer_one_supersedes_it(api: Api) -> None:
    await api.put()
    queued = await api.put(f"{PATH}?queue=true", description="second")

    newer = await api.put(f"{PATH}?queue=true", description="third")

    assert newer.status_code == 202
    superseded = await api.admin.get(queued.headers["operation-location"])
    assert superseded.json()["state"] == "canceled"
    assert superseded.json()["error"]["code"] == "superseded"


async def test_if_none_match_star_creates_only(api: Api) -> None:
    create_only = {"If-None-Match": "*"}

    created = await api.admin.put(PATH, json=BODY, headers=create_only)
    refused = await api.admin.put(PATH, json=BODY, headers=create_only)

    assert created.status_code == 202
    assert refused.status_code == 412
    assert refused.json()["links"]["deployment"] == created.headers["location"]


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('"1.1"', 200),
        ('"1.99"', 200),
        ('"7.1", "1.3"', 200),
        ("*", 200),
        ('"2.1"', 412),
        ('W/"1.1"', 412),
        ("nonsense", 412),
    ],
)
async def test_if_match_compares_the_revision_alone(
    api: Api, tag: str, status: int
) -> None:
    await api.live()

    answer = await api.admin.put(PATH, json=BODY, headers={"If-Match": tag})

    assert answer.status_code == status


async def test_if_match_creates_nothing(api: Api) -> None:
    answer = await api.admin.put(PATH, json=BODY, headers={"If-Match": "*"})

    assert answer.status_code == 412
    assert await api.count("deployments") == 0


async def test_expected_revision_guards_a_change(api: Api) -> None:
    await api.live()

    refused = await api.put(description="x", expected_revision=7)

    assert refused.status_code == 409
    assert refused.json()["code"] == "revision_conflict"


async def test_an_unknown_workspace_is_404(api: Api) -> None:
    answer = await api.put("/v1/workspaces/nowhere/deployments/diabetes")

    assert answer.status_code == 404


async def test_an_alias_is_resolved_again_at_each_put(api: Api) -> None:
    alias = {"uri": "models:/diabetes-model@champion"}
    store = api.building.store
    key = "AliasUri(name='diabetes-model', alias='champion')"

    async def put_resolved(version: str) -> int:
        store.versions[key] = model(version)
        answer, _ = await asyncio.gather(api.put(model=alias), api.answer_query())
        if answer.status_code == 202:
            await api.work(answer.json())
        return answer.status_code

    statuses = [await put_resolved(version) for version in ("3", "3", "4")]

    assert statuses == [202, 200, 202]
    shown = (await api.admin.get(PATH)).json()
    assert shown["model"]["uri"] == "models:/diabetes-model/4"


async def test_an_alias_that_names_nothing_is_422_at_once(api: Api) -> None:
    api.building.store = EmptyStore()
    alias = {"uri": "models:/diabetes-model@champion"}

    answer, _ = await asyncio.gather(api.put(model=alias), api.answer_query())

    assert answer.status_code == 422
    assert answer.json()["code"] == "model_not_found"


async def test_a_deleted_name_is_404_and_free(api: Api) -> None:
    first = await api.live()
    deleting = await api.admin.delete(PATH)
    await api.work(deleting.json())

    gone = await api.admin.get(PATH)
    again = await api.put()

    assert deleting.status_code == 202
    assert deleting.json()["state"] == "deleting"
    assert gone.status_code == 404
    assert again.status_code == 202
    assert again.json()["id"] != first["id"]


async def test_a_put_while_it_is_deleted_is_409(api: Api) -> None:
    await api.live()
    await api.admin.delete(PATH)

    answer = await api.put()

    assert answer.status_code == 409
    assert answer.json()["code"] == "state_conflict"


async def test_the_same_name_lives_in_two_projects(api: Api) -> None:
    other = await api.caller(Scope.ADMIN, project="other")
    mine = await api.put()

    theirs = await other.put(PATH, json=BODY)

    assert theirs.status_code == 202
    assert theirs.json()["id"] != mine.json()["id"]
    assert theirs.json()["project"] == "other"


async def test_the_target_local_can_be_switched_off(database_url: str) -> None:
    async with housed(database_url, local_enabled=False) as api:
        answer = await api.put()

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_supported"
