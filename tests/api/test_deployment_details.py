"""Logs, and what the target cannot do."""

import asyncio

import pytest

from tests.api.house import Api


@pytest.mark.parametrize(
    "action", ["promote", "migrate", "migrate/finish", "migrate/abort"]
)
async def test_what_the_target_cannot_do_is_409_with_a_remedy(
    api: Api, action: str
) -> None:
    shown = (await api.put()).json()

    answer = await api.admin.post(f"/v1/deployments/{shown['id']}/{action}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_supported"
    assert answer.json()["remedy"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "keys"), ("POST", "token"), ("POST", "keys/primary/regenerate")],
)
async def test_keys_of_an_endpoint_without_any_are_409(
    api: Api, method: str, path: str
) -> None:
    shown = (await api.put()).json()

    answer = await api.admin.request(method, f"/v1/deployments/{shown['id']}/{path}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "auth_disabled"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_log_of_what_runs_is_asked_of_a_worker(api: Api) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}/logs"

    answer, _ = await asyncio.gather(api.admin.get(path), api.answer_query())

    assert answer.json()["revision"] == 1
    assert answer.json()["lines"] == ["r1 model log"]
    assert await api.count("queries") == 0


async def test_the_operations_own_log_needs_no_worker(api: Api) -> None:
    shown = await api.live()
    path = f"/v1/deployments/{shown['id']}/logs?source=operation"

    lines = (await api.admin.get(path)).json()["lines"]

    assert "deployment.accepted" in lines[0]
    assert "deployment.live" in lines[-1]


async def test_a_log_that_the_target_does_not_keep_is_409(api: Api) -> None:
    shown = (await api.put()).json()
    path = f"/v1/deployments/{shown['id']}/logs"

    answer = await api.admin.get(f"{path}?source=build")

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_supported"
