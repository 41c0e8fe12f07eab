"""Lists: filters, orders, and pages that miss and repeat nothing."""

from typing import Any

import httpx
import pytest

from app.core.principal import Scope
from tests.api.house import BODY, Api, pointers

NAMES = ("alpha", "bravo", "delta", "gamma", "omega")
WRONG = [
    ("limit=0", "/query/limit"),
    ("limit=201", "/query/limit"),
    ("limit=x", "/query/limit"),
    ("state=alive", "/query/state"),
    ("sort=color", "/query/sort"),
    ("tag=novalue", "/query/tag"),
    ("tag=a:1&tag=a:2", "/query/tag"),
    ("created_after=yesterday", "/query/created_after"),
    ("created_after=2026-01-01T00:00:00", "/query/created_after"),
    ("cursor=nonsense", "/query/cursor"),
    ("cursor=%F0%9F%98%80", "/query/cursor"),
    ("cursor=eyJzb3J0IjoibmFtZSIsImlkIjoiXHUwMDAwIn0=", "/query/cursor"),
    ("cursor=eyJzb3J0IjoibmFtZSIsImlkIjoiYSIsIm5hbWUiOiJiIn0=", "/query/cursor"),
    ("colour=blue", "/query/colour"),
]
SORTS = ("created_at", "-created_at", "updated_at", "-updated_at", "name")


async def fill(api: Api) -> None:
    for name in NAMES:
        await put(api, name)


async def put(api: Api, name: str, **changes: Any) -> httpx.Response:  # noqa: ANN401
    path = f"/v1/workspaces/prod/deployments/{name}"
    return await api.admin.put(path, json={**BODY, **changes})


async def names(api: Api, query: str) -> list[str]:
    answer = await api.admin.get(f"/v1/deployments?{query}")
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["items"]]


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_hold_everything_once_in_order(api: Api, sort: str) -> None:
    await fill(api)
    whole = await names(api, f"sort={sort}&limit=200")
    assert sorted(whole) == sorted(NAMES)

    for limit in (1, 2, 5):
        pages: list[str] = []
        url = f"/v1/deployments?sort={sort}&limit={limit}&workspace=prod"
        while url:
            page = await api.admin.get(url)
            pages += [one["name"] for one in page.json()["items"]]
            url = page.links.get("next", {}).get("url", "")
            assert bool(url) == (page.json()["next_cursor"] is not None)
        assert pages == whole


async def test_the_newest_come_first_by_default(api: Api) -> None:
    await fill(api)

    assert await names(api, "") == list(reversed(NAMES))


async def test_a_page_does_not_move_when_something_is_inserted(api: Api) -> None:
    await fill(api)
    first = await api.admin.get("/v1/deployments?limit=2")
    await put(api, "newest")

    cursor = first.json()["next_cursor"]
    second = await names(api, f"limit=2&cursor={cursor}")

    assert second == ["delta", "bravo"]


async def test_each_filter_narrows(api: Api) -> None:
    first = await put(api, "alpha", tags={"team": "x", "tier:a": "1:2"})
    await put(api, "bravo", tags={"team": "x"}, model={"uri": "models:/other/3"})
    await api.work(first.json())
    moment = first.json()["created_at"].replace("+", "%2B")

    assert await names(api, "tag=team:x") == ["bravo", "alpha"]
    assert await names(api, "tag=team:x&tag=tier:a:1:2") == []
    assert await names(api, "state=live") == ["alpha"]
    assert await names(api, "state=live&state=pending") == ["bravo", "alpha"]
    assert await names(api, "operation_state=succeeded") == ["alpha"]
    assert await names(api, "name=bravo") == ["bravo"]
    assert await names(api, "model=alpha-model") == ["alpha"]
    assert await names(api, "model=models:/other/3") == ["bravo"]
    assert await names(api, "target=local") == ["bravo", "alpha"]
    assert await names(api, "target=aci") == []
    assert await names(api, "workspace=nowhere") == []
    assert await names(api, f"created_after={moment}") == ["bravo"]
    assert await names(api, "updated_after=2099-01-01T00:00:00Z") == []
    assert await names(api, "created_by=default%20admin") == ["bravo", "alpha"]
    assert await names(api, "created_by=nobody") == []
    assert await names(api, "project=default") == ["bravo", "alpha"]
    assert await names(api, "project=other") == []


async def test_a_key_sees_its_own_project_alone(api: Api) -> None:
    await fill(api)
    other = await api.caller(Scope.ADMIN, project="other")

    for query in ("", "?project=default"):
        answer = await other.get(f"/v1/deployments{query}")
        assert answer.json() == {"items": [], "next_cursor": None}


async def test_a_wrong_parameter_is_422_with_its_pointer(api: Api) -> None:
    for query, pointer in WRONG:
        answer = await api.admin.get(f"/v1/deployments?{query}")

        assert answer.status_code == 422, query
        assert pointers(answer)[0].startswith(pointer), query
