"""Keys and scopes: who may ask, and what each key opens."""

from datetime import timedelta

import httpx
import pytest

from app.core.principal import Scope
from app.services import keys
from app.storage import keys as stored_keys
from tests.api.house import BODY, PATH, Api
from tests.support import eventually

# One route of each kind, and the scope that it needs.
ROUTES = [
    ("GET", PATH, Scope.READ),
    ("GET", "/v1/deployments", Scope.READ),
    ("GET", "/v1/operations", Scope.READ),
    ("GET", "/v1/events", Scope.READ),
    ("GET", "/v1/event-types", Scope.READ),
    ("GET", "/v1/webhooks", Scope.READ),
    ("GET", "/v1/workspaces", Scope.READ),
    ("PUT", PATH, Scope.DEPLOY),
    ("DELETE", PATH, Scope.DEPLOY),
    ("POST", "/v1/deployments", Scope.DEPLOY),
    ("PATCH", "/v1/deployments/dep_x", Scope.DEPLOY),
    ("POST", "/v1/deployments/dep_x/rollback", Scope.DEPLOY),
    ("POST", "/v1/deployments/dep_x/invocations", Scope.DEPLOY),
    ("POST", "/v1/operations/op_x/cancel", Scope.DEPLOY),
    ("POST", "/v1/webhooks", Scope.DEPLOY),
    ("GET", "/v1/deployments/dep_x/keys", Scope.KEYS),
    ("POST", "/v1/deployments/dep_x/token", Scope.KEYS),
    ("PUT", "/v1/workspaces/lab", Scope.ADMIN),
    ("DELETE", "/v1/workspaces/lab", Scope.ADMIN),
]


async def test_a_route_opens_to_its_scope_and_to_no_other(api: Api) -> None:
    callers = {scope: await api.caller(scope) for scope in Scope}

    for method, path, needed in ROUTES:
        for scope, caller in callers.items():
            answer = await caller.request(method, path, json={})
            is_open = scope in {needed, Scope.ADMIN}
            where = f"{method} {path} with {scope}"
            assert (answer.status_code != 403) is is_open, where
            assert answer.status_code != 401, where
            assert is_open or str(needed) in answer.json()["detail"], where


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer slw_unknown",
        "Bearer slw_" + "A" * 43,
        "Basic c2x3OnNsdw==",
        "Bearer " + "x" * 5000,
    ],
)
async def test_without_a_valid_key_every_route_is_401(
    api: Api, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with _anonymous(api) as anonymous:
        answers = [
            await anonymous.request(method, path, json=BODY, headers=headers)
            for method, path, _ in ROUTES
        ]

    assert {one.status_code for one in answers} == {401}
    assert {one.json()["code"] for one in answers} == {"unauthorized"}
    assert all("www-authenticate" in one.headers for one in answers)


async def test_a_key_is_asked_for_before_anything_is_read(api: Api) -> None:
    async with _anonymous(api) as anonymous:
        answer = await anonymous.put(f"{PATH}?nonsense=1", content=b"\xff" * 100_000)

    assert answer.status_code == 401


async def test_me_names_principal_project_and_scopes(api: Api) -> None:
    caller = await api.caller(Scope.READ, Scope.KEYS, project="other")

    me = (await caller.get("/v1/me")).json()

    assert me["principal"]["name"] == "other read keys"
    assert me["project"] == "other"
    assert me["scopes"] == ["read", "keys"]


async def test_a_revoked_key_is_refused_at_once(api: Api) -> None:
    caller = await api.caller(Scope.READ)
    assert (await caller.get("/v1/me")).status_code == 200
    async with api.building.context.database.reading() as connection:
        found = await stored_keys.list_all(connection)

    await keys.revoke(api.building.context, found[-1].id)

    # Well within the five seconds for which a key is remembered.
    await eventually(lambda: _is_refused(caller), within_seconds=3)


async def test_an_expired_key_is_refused(api: Api) -> None:
    made = await keys.create(
        api.building.context,
        name="short",
        scopes=[Scope.READ],
        project="default",
        created_by="tests",
        lifetime=timedelta(seconds=-1),
    )
    async with _anonymous(api) as anonymous:
        headers = {"Authorization": f"Bearer {made.secret}"}
        answer = await anonymous.get("/v1/me", headers=headers)

    assert answer.status_code == 401


def _anonymous(api: Api) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(api.app), base_url="http://api.test"
    )


async def _is_refused(caller: httpx.AsyncClient) -> bool:
    return (await caller.get("/v1/me")).status_code == 401
