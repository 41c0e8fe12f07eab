"""Keys and tokens of endpoints: shown to who may see them, and kept nowhere."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.core.failure import FailureCode, TargetError
from app.core.principal import Scope
from tests.api.azure import PATH, aci, asked, azure_housed, body, bring_up
from tests.api.house import Api
from tests.fakes import failure
from tests.keyed import FakeAksTarget


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with azure_housed(database_url) as opened:
        yield opened


async def test_keys_are_those_of_what_serves(api: Api) -> None:
    shown = await bring_up(api)

    answer = await asked(api, api.admin.get(f"/v1/deployments/{shown['id']}/keys"))

    assert answer.json() == {"primary": "primary-1", "secondary": "secondary-1"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert await api.count("queries") == 0


async def test_a_token_comes_with_its_end(api: Api) -> None:
    shown = await bring_up(api, "aks", token_auth_enabled=True)

    answer = await asked(api, api.admin.post(f"/v1/deployments/{shown['id']}/token"))

    assert answer.json() == {
        "token": "token-1",
        "expires_at": "2100-01-01T00:00:00Z",
        "refresh_after": None,
    }
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("kind", "options", "method", "path"),
    [
        ("aci", {"auth_enabled": False}, "GET", "keys"),
        ("aci", {"auth_enabled": False}, "POST", "keys/primary/regenerate"),
        ("aci", {}, "POST", "token"),
        ("aks", {"auth_enabled": False}, "GET", "keys"),
        ("aks", {"token_auth_enabled": True}, "GET", "keys"),
        ("aks", {"token_auth_enabled": True}, "POST", "keys/secondary/regenerate"),
        ("aks", {}, "POST", "token"),
    ],
)
async def test_what_an_endpoint_does_not_ask_for_it_has_not(
    api: Api, kind: str, options: dict[str, Any], method: str, path: str
) -> None:
    shown = await bring_up(api, kind, **options)

    answer = await api.admin.request(method, f"/v1/deployments/{shown['id']}/{path}")

    assert answer.status_code == 409
    assert answer.json()["code"] == "auth_disabled"


async def test_before_anything_serves_there_are_no_keys_yet(api: Api) -> None:
    shown = (await api.admin.put(PATH, json=body())).json()

    answer = await api.admin.get(f"/v1/deployments/{shown['id']}/keys")

    assert answer.status_code == 409
    assert answer.json()["code"] == "not_serving"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "keys"), ("POST", "token"), ("POST", "keys/primary/regenerate")],
)
async def test_only_the_scope_keys_opens_them(api: Api, method: str, path: str) -> None:
    shown = await bring_up(api)
    deployer = await api.caller(Scope.READ, Scope.DEPLOY)
    stranger = await api.caller(Scope.KEYS, project="other")
    own = f"/v1/deployments/{shown['id']}/{path}"

    statuses = [
        (await one.request(method, own)).status_code for one in (deployer, stranger)
    ]

    assert statuses == [403, 404]


async def test_regenerating_replaces_that_key_by_an_operation(api: Api) -> None:
    shown = await bring_up(api)
    holder = await api.caller(Scope.KEYS)
    path = f"/v1/deployments/{shown['id']}/keys/secondary/regenerate"

    accepted = await holder.post(path)
    busy = await api.admin.put(PATH, json={**body(), "description": "other"})
    await _carry_out(api, accepted)

    operation = (await api.admin.get(accepted.headers["Operation-Location"])).json()
    now = (await api.admin.get(PATH)).json()
    assert accepted.status_code == 202
    assert (operation["kind"], operation["state"]) == ("regenerate", "succeeded")
    assert busy.json()["code"] == "operation_in_progress"
    assert now["state"] == "live"
    assert (now["wanted_revision"], now["serving_revision"]) == (1, 1)
    assert list(aci(api).made.values()) == [1, 2]
    assert len(aci(api).requests) == 1


async def test_a_regeneration_that_failed_leaves_what_serves_and_may_be_retried(
    api: Api,
) -> None:
    shown = await bring_up(api)
    aci(api).broken = [TargetError(failure(FailureCode.PERMISSION_DENIED))]
    own = f"/v1/deployments/{shown['id']}"
    accepted = await api.admin.post(f"{own}/keys/primary/regenerate")
    await _carry_out(api, accepted)
    failed = (await api.admin.get(PATH)).json()

    again = await api.admin.post(f"{own}/retry")
    await api.work(again.json())

    ended = (await api.admin.get(PATH)).json()
    assert failed["latest_operation"]["error"]["code"] == "permission_denied"
    assert (failed["state"], failed["serving"]) == ("live", True)
    assert ended["latest_operation"]["kind"] == "regenerate"
    assert ended["latest_operation"]["state"] == "succeeded"
    assert list(aci(api).made.values()) == [2, 1]


async def test_a_regeneration_canceled_before_it_began_replaces_nothing(
    api: Api,
) -> None:
    shown = await bring_up(api)
    own = f"/v1/deployments/{shown['id']}"
    accepted = await api.admin.post(f"{own}/keys/primary/regenerate")

    await api.admin.post(f"{own}/cancel")
    await _carry_out(api, accepted)

    now = (await api.admin.get(PATH)).json()
    assert now["state"] == "live"
    assert now["latest_operation"]["state"] == "canceled"
    assert list(aci(api).made.values()) == [1, 1]


async def test_a_key_that_the_spec_gives_is_not_regenerated(api: Api) -> None:
    shown = await bring_up(api, primary_key={"value": "given"})
    own = f"/v1/deployments/{shown['id']}/keys"

    refused = await api.admin.post(f"{own}/primary/regenerate")
    other = await api.admin.post(f"{own}/secondary/regenerate")

    assert refused.json()["code"] == "state_conflict"
    assert other.status_code == 202


async def test_keys_are_told_nowhere_else(api: Api) -> None:
    shown = await bring_up(api)
    own = f"/v1/deployments/{shown['id']}"
    await asked(api, api.admin.get(f"{own}/keys"))
    headers = {"Idempotency-Key": "one"}
    path = f"{own}/keys/primary/regenerate"
    accepted = await api.admin.post(path, headers=headers)
    await _carry_out(api, accepted)
    replayed = await api.admin.post(path, headers=headers)

    told = [
        (await api.admin.get(one)).text
        for one in (own, f"{own}/events", "/v1/operations", f"{own}/revisions")
    ]

    assert replayed.headers["Idempotency-Replayed"] == "true"
    text = "".join([*told, accepted.text, replayed.text])
    for key in ("primary-1", "primary-2", "secondary-1"):
        assert key not in text


async def test_an_aks_endpoint_has_keys_by_default(api: Api) -> None:
    shown = await bring_up(api, "aks")

    answer = await asked(api, api.admin.get(f"/v1/deployments/{shown['id']}/keys"))

    assert isinstance(api.building.others["aks"], FakeAksTarget)
    assert answer.json()["primary"] == "primary-1"


async def _carry_out(api: Api, accepted: httpx.Response) -> None:
    operation = await api.building.operation(accepted.json()["id"])
    await api.building.advance(operation)
