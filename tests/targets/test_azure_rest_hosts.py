"""Tokens stay in the workspace's cloud, wherever an answer points."""

from collections.abc import Iterator

import httpx
import pytest

from app.core.failure import TargetError
from app.targets.azure_call import Call, Host
from app.targets.azure_paths import (
    azure_identity,
    model_management_path,
)
from app.targets.azure_rest import AzureRest
from tests.simulating import running_simulator
from tests.targets.azure import (
    FakeAzure,
    rest_at,
    simulated,
    somewhere,
    workspace_at,
)
from tests.targets.azure_wire import FINE, READ, WRITE, in_turn, json_answer

OURS = "management.azure.com"


async def refused(rest: AzureRest, call: Call = READ) -> TargetError:
    with pytest.raises(TargetError) as caught:
        await rest.send(somewhere(), call)
    return caught.value


@pytest.mark.parametrize(
    "location",
    [
        "https://attacker.example/steal",
        "https://management.azure.com.attacker.example/",
        "https://notmanagement.azure.com/",
        "https://api.azureml.ms.attacker.example/",
        "https://attacker.example#management.azure.com",
        "https://management.azure.com@attacker.example/",
        "https://user:word@management.azure.com/",
        "http://management.azure.com/",
        "https://management.azure.com:8443/",
        "https://management.chinacloudapi.cn/",
        "//attacker.example/",
        "/operations/1",
        "https://[",
    ],
)
async def test_nothing_is_sent_to_a_host_that_is_not_the_clouds(location: str) -> None:
    azure = in_turn(FINE)
    rest = azure.rest()

    with pytest.raises(TargetError):
        await rest.follow(somewhere(), location, READ)

    assert azure.asked == []


@pytest.mark.parametrize(
    "location",
    [
        "https://management.azure.com/operations/1",
        "https://MANAGEMENT.azure.com:443/operations/1",
        "https://eastus2.api.azureml.ms/operations/1",
        "https://abc.workspace.eastus2.api.azureml.ms/operations/1",
        "https://eastus2.modelmanagement.azureml.net/operations/1",
    ],
)
async def test_an_operation_is_followed_on_the_clouds_own_hosts(location: str) -> None:
    azure = in_turn(FINE)

    answer = await azure.rest().follow(somewhere(), location, READ)

    assert answer.is_success


async def test_a_redirect_is_not_followed() -> None:
    away = httpx.Response(307, headers={"location": "https://attacker.example/"})
    azure = in_turn(away)

    await refused(azure.rest(), WRITE)

    assert [request.url.host for request in azure.asked] == [OURS]


async def test_a_discovery_that_leads_elsewhere_gets_no_token() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == OURS:
            url = "https://attacker.example/discovery"
            return json_answer(200, {"properties": {"discoveryUrl": url}})
        return FINE

    azure = FakeAzure(answer)

    await refused(azure.rest(), Call(path="/x", host=Host.REGIONAL))

    assert set(azure.tokens_sent()) == {OURS}


async def test_two_credentials_never_mix() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        who = request.headers["authorization"]
        return json_answer(200, {"who": who}, set_cookie="session=1; Path=/")

    azure = FakeAzure(answer)
    rest = azure.rest()

    answers = [
        await rest.send(somewhere(credential=name), READ)
        for name in ("one", "two", "one")
    ]

    assert [each.body["who"] for each in answers] == [
        "Bearer token-0-of-one",
        "Bearer token-0-of-two",
        "Bearer token-0-of-one",
    ]
    assert not any("cookie" in request.headers for request in azure.asked)


def pages(last_link: object) -> Iterator[httpx.Response]:
    base = f"https://{OURS}/subscriptions?page="
    yield json_answer(200, {"value": [1, 2], "nextLink": f"{base}2"})
    yield json_answer(200, {"value": [3], "nextLink": last_link})


@pytest.mark.parametrize(
    "last_link", [None, "", f"https://{OURS}/subscriptions?page=2"]
)
async def test_every_page_of_a_list_is_read_once(last_link: object) -> None:
    azure = in_turn(*pages(last_link))

    items = await azure.rest().listed(somewhere(), READ)

    assert items[:3] == [1, 2, 3]
    assert len(azure.asked) <= 3


async def test_a_page_elsewhere_is_not_asked_for() -> None:
    azure = in_turn(*pages("https://attacker.example/page"))

    with pytest.raises(TargetError):
        await azure.rest().listed(somewhere(), READ)

    assert set(azure.tokens_sent()) == {OURS}


async def test_the_regional_host_is_found_once_and_asked_over_the_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        running_simulator() as simulator,
        rest_at(simulator, monkeypatch) as rest,
    ):
        workspace = workspace_at(simulated(simulator))
        identity = azure_identity(workspace)
        path = f"{model_management_path(identity)}/services"
        call = Call(path=path, host=Host.REGIONAL)

        first = await rest.send(workspace, call)
        second = await rest.send(workspace, call)

        hosts = [request.host for request in simulator.world.journal.requests]
        assert first.body == second.body == {"value": []}
        assert await rest.regional_url(workspace) == "https://eastus2.api.azureml.ms"
        assert hosts.count(OURS) == 1
        assert not simulator.world.journal.unexpected_hosts
        assert not simulator.world.journal.unknown()
