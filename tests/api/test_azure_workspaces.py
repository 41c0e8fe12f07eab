"""Workspaces of Azure: declared, checked, and what stands there taken over."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from app.core.azure_view import CheckName, CheckStatus
from app.core.credential import CredentialDeclarations, DefaultCredential
from app.core.failure import FailureCode, TargetError
from app.core.principal import Scope
from tests.api.azure import PATH, WORKSPACE, asked, azure_housed, body
from tests.api.house import Api, pointers
from tests.fakes import failure
from tests.inspecting import FakeInspector

OWN = "/v1/workspaces/azure"
NAMED = CredentialDeclarations(
    by_name={
        "default": DefaultCredential(),
        "team": DefaultCredential(
            projects=("red", "blue"),
            scopes=(
                f"/subscriptions/{WORKSPACE['subscription_id']}/resourceGroups/ML",
            ),
        ),
    }
)
KEY = {"Idempotency-Key": "one"}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with azure_housed(database_url) as opened:
        opened.building.inspector = FakeInspector()
        yield opened


def declared(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {**WORKSPACE, **changes}


async def test_a_workspace_shows_which_one_it_is(api: Api) -> None:
    shown = (await api.admin.get(OWN)).json()

    assert shown["identity"] == {
        **WORKSPACE,
        "cloud": "AzureCloud",
        "credential": "default",
    }


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"subscription_id": "mine"}, "/subscription_id"),
        ({"resource_group": "ends."}, "/resource_group"),
        ({"workspace_name": "a b"}, "/workspace_name"),
        ({"region": "East US"}, "/region"),
        ({"cloud": "https://login.example.com"}, "/cloud"),
        ({"credential": "env:AZURE_CLIENT_SECRET"}, "/credential"),
        ({"credential": "nobodys"}, "/credential"),
        ({"tracking_uri": "http://mlflow"}, "/tracking_uri"),
        ({"kind": "sagemaker"}, "/kind"),
    ],
)
async def test_a_wrong_field_is_named_and_not_repeated(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    refused = await api.admin.put("/v1/workspaces/lab", json=declared(**changes))

    assert refused.status_code == 422
    assert pointers(refused) == [pointer]
    assert "sagemaker" not in refused.text


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"projects": ["red"]}, None),
        ({"projects": ["red", "blue"]}, None),
        ({"projects": ["red", "green"]}, "credential_not_granted"),
        ({}, "credential_not_granted"),
        (
            {"projects": ["red"], "resource_group": "ml2"},
            "credential_out_of_scope",
        ),
    ],
)
async def test_a_credential_is_used_where_it_was_declared_for(
    api: Api, changes: dict[str, Any], code: str | None
) -> None:
    parts = api.app.state.parts
    api.app.state.parts = replace(
        parts, context=replace(parts.context, credentials=NAMED)
    )

    answer = await api.admin.put(
        "/v1/workspaces/lab", json=declared(credential="team", **changes)
    )

    assert answer.status_code == (201 if code is None else 422)
    if code is not None:
        assert [one["code"] for one in answer.json()["errors"]] == [code]


async def test_of_a_used_workspace_all_but_the_place_may_change(api: Api) -> None:
    await api.admin.put(PATH, json=body())
    parts = api.app.state.parts
    api.app.state.parts = replace(
        parts, context=replace(parts.context, credentials=NAMED)
    )

    changed = await api.admin.put(
        OWN,
        json=declared(
            credential="team",
            projects=["red"],
            limits={"concurrent_operations": 2},
            resource_group="ML",
        ),
    )
    moved = await api.admin.put(OWN, json=declared(workspace_name="other"))

    assert changed.status_code == 200
    assert changed.json()["identity"]["credential"] == "team"
    assert moved.json()["code"] == "identity_fixed"


async def test_a_deployment_to_azure_needs_a_workspace_of_azure(api: Api) -> None:
    refused = await api.admin.put(
        "/v1/workspaces/prod/deployments/diabetes", json=body()
    )

    assert refused.status_code == 409
    assert refused.json()["code"] == "not_supported"


async def test_a_check_tells_how_each_part_fares(api: Api) -> None:
    well = await asked(api, api.admin.post(f"{OWN}/check"))
    api.building.inspector = FakeInspector(
        statuses={CheckName.PERMISSIONS: CheckStatus.FAILED}
    )
    badly = await asked(api, api.admin.post(f"{OWN}/check"))

    assert well.json()["ok"] is True
    assert [one["name"] for one in well.json()["checks"]] == list(CheckName)
    assert badly.json()["ok"] is False
    assert badly.json()["checks"][3]["status"] == "failed"


async def test_the_quota_is_listed(api: Api) -> None:
    answer = await asked(api, api.admin.get(f"{OWN}/quota"))

    [usage] = answer.json()["items"]
    assert (usage["used"], usage["limit"]) == (8, 10)


async def test_what_azure_refuses_is_told_with_its_remedy(api: Api) -> None:
    error = TargetError(failure(FailureCode.PERMISSION_DENIED, cause="no right"))
    api.building.inspector = FakeInspector(broken=error)

    answer = await asked(api, api.admin.get(f"{OWN}/quota"))

    assert answer.status_code == 502
    assert answer.json()["detail"] == "no right"
    assert answer.json()["remedy"] == "Mend the fake."


async def test_services_name_their_deployment_to_its_own_project(api: Api) -> None:
    shown = (await api.admin.put(PATH, json=body())).json()
    inspector = FakeInspector(ours=(shown["id"],))
    api.building.inspector = inspector
    path = f"{OWN}/services"
    ours = await api.caller(Scope.READ)
    theirs = await api.caller(Scope.READ, project="other")

    to_us = (await asked(api, ours.get(path))).json()
    to_them = (await asked(api, theirs.get(path))).json()

    assert [one["deployment"] for one in to_us["items"]] == [shown["id"], None]
    assert [one["deployment"] for one in to_them["items"]] == [None, None]
    assert [one["managed_by"] for one in to_them["items"]] == ["slipway", "other"]
    assert to_us["items"][1]["problem"] == "it has no compute type"
    assert set(inspector.installations) == {"installation"}


async def test_a_workspace_that_is_not_granted_is_404(api: Api) -> None:
    await api.admin.put(OWN, json=declared(projects=["other"]))
    caller = await api.caller(Scope.READ, Scope.DEPLOY)

    answers = [
        await caller.post(f"{OWN}/check"),
        await caller.get(f"{OWN}/quota"),
        await caller.get(f"{OWN}/services"),
        await caller.post(
            f"{OWN}/services/adopt", json={"names": ["churn"]}, headers=KEY
        ),
    ]

    assert [one.status_code for one in answers] == [404] * 4
