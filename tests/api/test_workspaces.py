"""Workspaces: declared by admins, granted to projects, fixed once used."""

from pathlib import Path
from typing import Any

import pytest

from app.core.principal import Scope
from tests.api.house import BODY, PATH, Api, pointers

URI = "https://mlflow.example.com"


def body(uri: str = URI, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"kind": "mlflow", "tracking_uri": uri, **changes}


async def test_a_put_declares_and_a_second_one_changes(api: Api) -> None:
    created = await api.admin.put("/v1/workspaces/lab", json=body())
    same = await api.admin.put("/v1/workspaces/lab", json=body())
    limits = {"concurrent_operations": 3}
    changed = await api.admin.put("/v1/workspaces/lab", json=body(limits=limits))

    answers = (created, same, changed)
    assert [one.status_code for one in answers] == [201, 200, 200]
    assert created.json() == same.json()
    assert changed.json()["limits"]["concurrent_operations"] == 3
    assert (await api.admin.get("/v1/workspaces/lab")).json() == changed.json()


async def test_the_identity_of_a_used_workspace_is_fixed(api: Api) -> None:
    await api.admin.put("/v1/workspaces/lab", json=body())
    moved = await api.admin.put("/v1/workspaces/lab", json=body("https://b.example"))
    await api.put("/v1/workspaces/lab/deployments/diabetes")

    refused = await api.admin.put("/v1/workspaces/lab", json=body())

    assert moved.status_code == 200
    assert refused.status_code == 409
    assert refused.json()["code"] == "identity_fixed"


async def test_a_workspace_in_use_is_not_removed(api: Api) -> None:
    shown = await api.live()

    refused = await api.admin.delete("/v1/workspaces/prod")
    await api.work((await api.admin.delete(PATH)).json())
    removed = await api.admin.delete("/v1/workspaces/prod")

    assert refused.status_code == 409
    assert refused.json()["code"] == "in_use"
    assert list(refused.json()["links"]) == [shown["id"]]
    assert removed.status_code == 204
    assert (await api.admin.get("/v1/workspaces/prod")).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_only_an_admin_changes_workspaces(api: Api, method: str) -> None:
    caller = await api.caller(Scope.READ, Scope.DEPLOY, Scope.KEYS)

    answer = await caller.request(method, "/v1/workspaces/prod", json=body())

    assert answer.status_code == 403


async def test_a_workspace_that_is_not_granted_is_404(api: Api) -> None:
    await api.admin.put("/v1/workspaces/lab", json=body(projects=["other"]))
    mine = await api.caller(Scope.READ, Scope.DEPLOY)
    theirs = await api.caller(Scope.READ, Scope.DEPLOY, project="other")
    path = "/v1/workspaces/lab/deployments/diabetes"

    statuses = [
        (await caller.put(path, json=BODY)).status_code for caller in (mine, theirs)
    ]

    assert statuses == [404, 202]
    assert (await mine.get("/v1/workspaces/lab")).status_code == 404
    assert await _names(mine) == ["prod"]
    assert await _names(theirs) == ["lab", "prod"]


async def test_a_store_inside_a_local_directory_is_taken(
    api: Api, tmp_path: Path
) -> None:
    inside = f"sqlite:///{tmp_path}/mlflow.db"

    answer = await api.admin.put("/v1/workspaces/lab", json=body(inside))

    assert answer.status_code == 201
    assert answer.json()["identity"]["tracking_uri"] == inside


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////etc/mlflow.db",
        "sqlite:///relative.db",
        "file:///etc",
        "/etc",
        "http://10.0.0.1:5000",
        "http://169.254.169.254/",
        "https://user:pw@mlflow.example.com",
        "postgresql://db/mlflow",
        "databricks",
    ],
)
async def test_a_store_out_of_reach_is_422(api: Api, uri: str) -> None:
    tracking = await api.admin.put("/v1/workspaces/lab", json=body(uri))
    registry = await api.admin.put("/v1/workspaces/lab", json=body(registry_uri=uri))

    assert tracking.status_code == registry.status_code == 422
    assert pointers(tracking) == ["/tracking_uri"]
    assert pointers(registry) == ["/registry_uri"]
    assert (await api.admin.get("/v1/workspaces/lab")).status_code == 404


async def test_pages_of_workspaces_follow_one_another(api: Api) -> None:
    for name in ("lab", "art"):
        await api.admin.put(f"/v1/workspaces/{name}", json=body())

    first = await api.admin.get("/v1/workspaces?limit=2")
    second = await api.admin.get(first.links["next"]["url"])

    names = [one["name"] for page in (first, second) for one in page.json()["items"]]
    assert names == ["art", "lab", "prod"]
    assert second.json()["next_cursor"] is None


async def _names(caller: Any) -> list[str]:  # noqa: ANN401
    page = (await caller.get("/v1/workspaces")).json()
    return [one["name"] for one in page["items"]]
