"""All that serves in a workspace, ours and other people's."""

from typing import Any

import httpx
import pytest

from app.core.azure_view import (
    AzureService,
    ManagedBy,
    ServiceKind,
)
from app.core.failure import TargetError
from app.targets.azure_workspace import WorkspaceInspector
from tests.targets.azure import (
    FakeAzure,
    FakeTokens,
    somewhere,
)

INSTALLATION = "ins_01kanzq4w0e5m3xk7r2c9v8b1t"


MARK = {"slipway.installation": INSTALLATION, "slipway.deployment": "dep_1"}


WEB_SERVICES: list[Any] = [
    {
        "name": "ours",
        "computeType": "ACI",
        "state": "Healthy",
        "scoringUri": "http://ours.eastus2.azurecontainer.io/score",
        "kvTags": MARK,
    },
    {"name": "theirs", "computeType": "AKS", "state": "Failed", "kvTags": None},
    {
        "name": "twin",
        "computeType": "ACI",
        "kvTags": {**MARK, "slipway.installation": "ins_other"},
    },
    {"name": "odd", "computeType": "BATCH\x1b[31m", "state": 7, "kvTags": ["x"]},
    "no service at all",
]


ENDPOINTS: list[Any] = [
    {"name": "m", "tags": MARK, "properties": {"provisioningState": "Succeeded"}},
    {"name": "k", "properties": {"compute": "/subscriptions/x"}},
]


def listing(*, v1: int = 200, v2: int = 200) -> WorkspaceInspector:
    region = "https://eastus2.api.azureml.ms"

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/services"):
            return httpx.Response(v1, json={"value": WEB_SERVICES})
        if request.url.path.endswith("/onlineEndpoints"):
            return httpx.Response(v2, json={"value": ENDPOINTS})
        if request.url.host == "management.azure.com":
            return httpx.Response(200, json={"properties": {"discoveryUrl": region}})
        return httpx.Response(200, json={"api": region})

    return WorkspaceInspector(FakeAzure(answer).rest(), FakeTokens())


async def test_services_of_both_generations_are_listed_with_their_owner() -> None:
    found = await listing().services(somewhere(), installation=INSTALLATION)

    by_name = {each.name: each for each in found.items}
    assert by_name["ours"] == AzureService(
        kind=ServiceKind.ACI,
        name="ours",
        state="Healthy",
        managed_by=ManagedBy.SLIPWAY,
        deployment="dep_1",
        scoring_uri="http://ours.eastus2.azurecontainer.io/score",
    )
    assert by_name["theirs"].managed_by is ManagedBy.OTHER
    assert by_name["twin"].managed_by is ManagedBy.OTHER
    assert by_name["twin"].deployment is None
    assert by_name["m"].kind is ServiceKind.MANAGED
    assert by_name["m"].managed_by is ManagedBy.SLIPWAY
    assert by_name["k"].kind is ServiceKind.KUBERNETES
    assert found.problems == ()


async def test_a_service_that_cannot_be_read_is_told_beside_the_others() -> None:
    found = await listing().services(somewhere(), installation=INSTALLATION)

    assert len(found.items) == len(WEB_SERVICES) + len(ENDPOINTS)
    problems = {each.name: each.problem for each in found.items if each.problem}
    assert set(problems) == {"", "odd"}


async def test_one_list_that_cannot_be_had_leaves_the_other_one() -> None:
    found = await listing(v2=403).services(somewhere(), installation=INSTALLATION)

    assert len(found.items) == len(WEB_SERVICES)
    assert len(found.problems) == 1
    assert "online endpoints" in found.problems[0]
    with pytest.raises(TargetError):
        await listing(v1=403, v2=403).services(somewhere(), installation=INSTALLATION)
