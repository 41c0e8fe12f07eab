"""The control API: who may use it, and what it sets."""

import ssl

import httpx
import pytest

from app.simulator import fault_table
from app.simulator.control import Control
from app.simulator.server import Simulator
from app.simulator.settings import SimulatorSettings
from app.simulator.world import SUBSCRIPTION, World
from tests.simulating import running_simulator
from tests.simulator.conftest import ARM, signed_in
from tests.simulator.workspaces import A_CLUSTER, CLUSTER, PROD

_TOKEN = "a token of the tests"  # noqa: S105


async def _asked_from(
    address: str, *, host: str = "127.0.0.1:8181", token: str | None = None
) -> int:
    settings = SimulatorSettings(control_token=token)
    transport = httpx.ASGITransport(
        Control(World.new(settings), {}),
        client=(address, 40000),
    )
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://{host}"
    ) as asks:
        return (await asks.get("/control/")).status_code


@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("127.0.0.1", "127.0.0.1:8181", 200),
        ("127.0.0.1", "localhost", 200),
        ("::1", "[::1]:8181", 200),
        ("192.0.2.7", "127.0.0.1:8181", 403),
        ("127.0.0.1", "evil.example:8181", 403),
    ],
)
async def test_without_a_token_only_this_machine_may_ask(
    address: str, host: str, status: int
) -> None:
    assert await _asked_from(address, host=host) == status


@pytest.mark.parametrize("given", ["", "Bearer wrong", _TOKEN, "Bearer \u00e4"])
async def test_with_a_token_nobody_may_ask_without_it(given: str) -> None:
    async with (
        running_simulator(control_token=_TOKEN) as simulator,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        answer = await client.get(
            f"{simulator.url}/control/",
            headers=[(b"Authorization", given.encode("latin-1"))],
        )

    assert answer.status_code == 401


async def test_with_a_token_another_machine_may_ask() -> None:
    async with (
        running_simulator(control_token=_TOKEN) as simulator,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        answer = await client.get(
            f"{simulator.url}/control/",
            headers={"Authorization": f"Bearer {_TOKEN}", "Host": "simulator"},
        )

    assert answer.status_code == 200


async def test_a_web_page_cannot_send_it_anything(control: httpx.AsyncClient) -> None:
    """A page may post text/plain to any address without asking first."""
    answer = await control.post(
        "/faults",
        content='{"name": "conflict"}',
        headers={"Content-Type": "text/plain"},
    )

    assert answer.status_code == 415


async def test_a_fault_is_added_listed_struck_and_removed(
    azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    added = await control.post(
        "/faults",
        json={"name": "conflict", "times": None, "where": {"method": "PUT"}},
    )
    struck = await azure.put(CLUSTER, json=A_CLUSTER)
    [listed] = (await control.get("/faults")).json()["items"]
    removed = await control.delete(f"/faults/{added.json()['id']}")
    spared = await azure.put(CLUSTER, json=A_CLUSTER)
    again = await control.delete(f"/faults/{added.json()['id']}")

    assert (added.status_code, removed.status_code, again.status_code) == (
        201,
        204,
        404,
    )
    assert (struck.status_code, spared.status_code) == (409, 201)
    assert (listed["name"], listed["taken"]) == ("conflict", 1)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"name": "nothing"}, "name: there is no fault 'nothing'"),
        ({"name": "conflict", "where": {"planet": "x"}}, "where: there is no planet"),
        ({"name": "conflict", "parameters": {"x": 1}}, "parameters: there is no x"),
        ({"name": "conflict", "times": 0}, "times"),
        ({"name": "conflict", "time": 1}, "time"),
        ([], "object"),
    ],
)
async def test_a_wrong_fault_is_refused_with_a_reason(
    control: httpx.AsyncClient, body: object, word: str
) -> None:
    answer = await control.post("/faults", json=body)

    assert answer.status_code == 400
    assert word in answer.json()["error"]


async def test_every_kind_of_fault_can_be_set(control: httpx.AsyncClient) -> None:
    kinds = (await control.get("/fault-kinds")).json()["items"]

    answers = [
        await control.post("/faults", json={"name": kind["name"]}) for kind in kinds
    ]

    assert {kind["name"] for kind in kinds} == set(fault_table.kinds())
    assert {answer.status_code for answer in answers} == {201}


async def test_requests_are_told_with_their_bodies_if_asked(
    azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await azure.get(PROD)
    await azure.put(CLUSTER, json=A_CLUSTER, headers={"x-ms-client-request-id": "ours"})
    await azure.patch(PROD)

    puts = await control.get("/requests", params={"method": "put", "bodies": "true"})
    later = await control.get("/requests", params={"after": 1})
    unknown = await control.get("/requests", params={"unknown": "true"})
    wrong = await control.get("/requests", params={"after": "x"})

    [put] = puts.json()["items"]
    assert (put["status"], put["client_request_id"]) == (201, "ours")
    assert '"computeType":"AKS"' in put["body"].replace(" ", "")
    assert [each["number"] for each in later.json()["items"]] == [2, 3]
    assert [each["method"] for each in unknown.json()["items"]] == ["PATCH"]
    assert "body" not in later.json()["items"][0]
    assert wrong.status_code == 400


async def test_unexpected_hosts_are_told(
    azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    with pytest.raises(httpx.ProxyError):
        await azure.get("https://config.mlflow-telemetry.io/")

    told = (await control.get("/unexpected-hosts")).json()["items"]

    assert told == [{"host": "config.mlflow-telemetry.io:443", "attempts": 1}]


async def test_time_can_be_sped_up_and_skipped(
    azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await azure.put(CLUSTER, json=A_CLUSTER)

    before = (await control.get("/time")).json()
    set_ = await control.put("/time", json={"speed": 60, "skip_seconds": 1201})
    after = (await control.get("/time")).json()

    assert before["speed"] == 1
    assert (set_.json()["speed"], after["speed"]) == (60, 60)
    assert after["seconds"] - before["seconds"] > 1200
    shown = (await azure.get(CLUSTER)).json()
    assert shown["properties"]["provisioningState"] == "Succeeded"


async def test_a_workspace_can_be_added(
    azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    body = {"subscription": "other", "group": "g", "name": "new", "region": "uksouth"}

    added = await control.post("/workspaces", json=body)
    shown = await azure.get(added.json()["id"])

    assert shown.json()["location"] == "uksouth"
    assert (await azure.get("/subscriptions/other")).status_code == 200


async def test_somebody_elses_service_can_be_put_in_a_workspace(
    azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    document = {"name": "theirs", "computeType": "ACI", "state": "Failed"}
    body = {"workspace": PROD, "name": "theirs", "document": document}

    planted = await control.post("/services", json=body)
    nowhere = await control.post("/services", json={**body, "workspace": "/none"})

    assert (planted.status_code, nowhere.status_code) == (201, 404)
    shown = await azure.get(
        f"https://eastus2.modelmanagement.azureml.net/modelmanagement/v1.0{PROD}"
        "/services/theirs"
    )
    assert shown.json()["state"] == "Failed"


async def test_rights_quotas_and_clients_are_set(
    simulator: Simulator, azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    quota = {
        "subscription": SUBSCRIPTION,
        "region": "eastus2",
        "provider": "Microsoft.ContainerInstance",
        "name": "StandardCores",
        "limit": 4,
        "used": 4,
    }

    rights = await control.put("/permissions", json={"permissions": [{"actions": []}]})
    quotas = await control.put("/quotas", json=quota)
    wrong = await control.put("/quotas", json={**quota, "provider": "Contoso"})
    client = await control.post("/clients", json={"client_id": "new", "secret": "s"})

    assert rights.json()["permissions"][0]["actions"] == []
    assert (await azure.get(PROD)).status_code == 403
    cores = {each["name"]["value"]: each for each in quotas.json()["items"]}
    assert cores["StandardCores"]["currentValue"] == 4
    assert (wrong.status_code, client.status_code) == (400, 201)
    assert simulator.world.clients["new"] == "s"


async def test_the_state_is_told_whole_and_a_reset_forgets_it(
    azure: httpx.AsyncClient, control: httpx.AsyncClient
) -> None:
    await azure.put(CLUSTER, json=A_CLUSTER)

    before = (await control.get("/state")).json()
    reset = await control.delete("/world")
    after = (await control.get("/")).json()

    parts = before["workspaces"][0]["parts"]
    assert parts["Clusters"][0]["name"] == "aks1"
    assert reset.status_code == 204
    assert after["requests"] == 0


async def test_a_token_outlives_a_reset(
    simulator: Simulator, control: httpx.AsyncClient
) -> None:
    async with signed_in(simulator) as azure:
        await control.delete("/world")
        answer = await azure.get(PROD)

    assert answer.status_code == 200


async def test_the_environment_is_the_one_that_leads_here(
    simulator: Simulator, control: httpx.AsyncClient
) -> None:
    told = (await control.get("/environment")).json()

    assert told["HTTPS_PROXY"] == simulator.url
    async with httpx.AsyncClient(
        proxy=told["HTTPS_PROXY"],
        verify=ssl.create_default_context(cafile=told["SSL_CERT_FILE"]),
        trust_env=False,
    ) as client:
        answer = await client.get(f"{ARM}/metadata/endpoints")
    assert answer.status_code == 200
