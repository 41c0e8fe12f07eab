"""Events as pages, and the types that there are."""

import jsonschema
import pytest

from app.core.event import EVENT_TYPES
from app.core.principal import Scope
from tests.api.house import PATH, Api, pointers


async def test_a_deployments_events_are_numbered_without_gaps(api: Api) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}/events"

    first = await api.admin.get(f"{path}?limit=2")
    rest = await api.admin.get(f"{path}?after={first.json()['next_cursor']}")

    items = first.json()["items"] + rest.json()["items"]
    assert [one["sequence"] for one in items] == list(range(1, len(items) + 1))
    assert items[0]["type"] == "deployment.accepted"
    assert items[-1]["type"] == "deployment.live"
    assert items[-1]["data"]["deployment"]["state"] == "live"
    assert rest.json()["next_cursor"] is None


async def test_all_events_come_in_commit_order_with_a_place_to_resume(
    api: Api,
) -> None:
    await api.put()
    await api.put("/v1/workspaces/prod/deployments/second")
    first = (await api.admin.get("/v1/events?limit=1")).json()
    second = (await api.admin.get(f"/v1/events?after={first['next_cursor']}")).json()
    await api.put("/v1/workspaces/prod/deployments/third")

    later = await api.admin.get(f"/v1/events?after={second['resume_after']}")

    pages = (first, second, later.json())
    names = [
        one["data"]["deployment"]["name"] for page in pages for one in page["items"]
    ]
    assert names == ["diabetes", "second", "third"]
    assert second["next_cursor"] is None


async def test_events_are_filtered_by_workspace_and_type(api: Api) -> None:
    await api.live()

    async def types(query: str) -> set[str]:
        page = (await api.admin.get(f"/v1/events?{query}")).json()
        return {one["type"] for one in page["items"]}

    assert await types("workspace=nowhere") == set()
    assert await types("type=deployment.live") == {"deployment.live"}
    assert "deployment.accepted" in await types("workspace=prod&type=deployment.*")
    wrong = await api.admin.get("/v1/events?type=deployment.borne")
    assert pointers(wrong) == ["/query/type/0"]


async def test_another_projects_events_are_not_told(api: Api) -> None:
    await api.put()
    other = await api.caller(Scope.READ, project="other")

    assert (await other.get("/v1/events")).json()["items"] == []


@pytest.mark.parametrize(
    "place", ["x", "-1", "1.2.3", "9" * 19, "\u00b2", f"{2**64}.0", f"0.{2**63}", "1"]
)
async def test_a_place_that_is_none_is_422(api: Api, place: str) -> None:
    shown = (await api.put()).json()
    params = {"after": place}

    of_one = await api.admin.get(f"/v1/deployments/{shown['id']}/events", params=params)
    of_all = await api.admin.get("/v1/events", params=params)

    assert of_all.status_code == 422
    assert pointers(of_all) == ["/query/after"]
    assert of_one.status_code == (200 if place == "1" else 422)


async def test_every_type_is_listed_with_an_example_of_its_schema(api: Api) -> None:
    items = (await api.admin.get("/v1/event-types")).json()["items"]

    assert [one["type"] for one in items] == list(EVENT_TYPES)
    for one in items:
        jsonschema.validate(one["example"], one["schema"])
        assert one["description"]


async def test_a_real_event_fits_its_published_schema(api: Api) -> None:
    await api.live()
    items = (await api.admin.get("/v1/event-types")).json()["items"]
    schemas = {one["type"]: one["schema"] for one in items}

    told = (await api.admin.get("/v1/events")).json()["items"]

    assert told
    for event in told:
        jsonschema.validate(event, schemas[event["type"]])


async def test_an_event_shows_what_a_get_shows(api: Api) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}/events"

    last = (await api.admin.get(path)).json()["items"][-1]

    now = (await api.admin.get(PATH)).json()
    told = last["data"]["deployment"]
    assert {k: v for k, v in told.items() if k != "links"} == {
        k: v for k, v in now.items() if k != "links"
    }
