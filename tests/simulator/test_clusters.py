"""AKS clusters over simulated time: what is kept, shown, counted and refused."""

from typing import Any

import httpx
import pytest

from app.simulator.quotas import COMPUTE, CORES, Quotas
from app.simulator.server import Simulator
from app.simulator.world import SUBSCRIPTION
from tests.simulator.workspaces import A_CLUSTER, CLUSTER, PROD, READ

_ATTACHED = {
    "properties": {
        "computeType": "AKS",
        "resourceId": "/subscriptions/s/resourceGroups/g/providers/"
        "Microsoft.ContainerService/managedClusters/theirs",
    }
}


async def test_a_cluster_takes_its_time_and_both_hosts_show_it(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    created = await azure.put(CLUSTER, json=A_CLUSTER)
    operation = created.headers["Azure-AsyncOperation"]
    simulator.world.clock.skip(1190)
    early = [await azure.get(url) for url in (CLUSTER, f"{READ}{CLUSTER}", operation)]
    simulator.world.clock.skip(20)
    late = [await azure.get(url) for url in (CLUSTER, f"{READ}{CLUSTER}", operation)]

    assert created.status_code == 201
    assert _states(early) == ["Creating", "Creating", "InProgress"]
    assert _states(late) == ["Succeeded", "Succeeded", "Succeeded"]
    assert early[0].json()["properties"]["resourceId"] is None
    assert "/managedClusters/aks1" in late[0].json()["properties"]["resourceId"]


async def test_every_option_is_shown_and_no_private_key(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    networking = {"subnetId": "/subnet", "serviceCidr": "10.0.0.0/16"}
    options = {
        "agentCount": 4,
        "agentVmSize": "Standard_D4_v2",
        "clusterPurpose": "DevTest",
        "loadBalancerType": "InternalLoadBalancer",
        "loadBalancerSubnet": "lb",
        "aksNetworkingConfiguration": networking,
    }
    tls = {"status": "Enabled", "cname": "score.example", "cert": "C", "key": "K"}
    wanted = {"computeType": "AKS", "computeLocation": "eastus", "description": "ours"}
    body = {
        "properties": {**wanted, "properties": {**options, "sslConfiguration": tls}}
    }

    await azure.put(CLUSTER, json={**body, "tags": {"team": "ml"}})
    simulator.world.clock.skip(1201)
    shown = (await azure.get(CLUSTER)).json()

    properties = shown["properties"]
    assert shown["tags"] == {"team": "ml"}
    assert {key: properties[key] for key in wanted} == wanted
    assert {key: properties["properties"][key] for key in options} == options
    assert properties["properties"]["sslConfiguration"]["cname"] == "score.example"
    assert not {"cert", "key"} & set(properties["properties"]["sslConfiguration"])


@pytest.mark.parametrize(
    ("fault", "state", "error"),
    [
        ("cluster-failure", "Failed", "AksOperationFailed"),
        ("cluster-canceled", "Canceled", None),
    ],
)
async def test_a_tag_on_the_request_makes_its_cluster_fail(
    simulator: Simulator, azure: httpx.AsyncClient, fault: str, state: str, error: str
) -> None:
    created = await azure.put(CLUSTER, json={**A_CLUSTER, "tags": {"simulate": fault}})
    simulator.world.clock.skip(1201)
    cluster = await azure.get(CLUSTER)
    operation = await azure.get(created.headers["Azure-AsyncOperation"])

    assert _states([cluster, operation]) == [state, state]
    assert operation.status_code == 200
    assert operation.json().get("error", {}).get("code") == error
    errors = cluster.json()["properties"]["provisioningErrors"] or [{}]
    assert errors[0].get("code") == error


async def test_a_slow_cluster_is_there_in_the_end(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("cluster-slow", parameters={"seconds": 5000})

    await azure.put(CLUSTER, json=A_CLUSTER)
    simulator.world.clock.skip(4990)
    before = await azure.get(CLUSTER)
    simulator.world.clock.skip(20)
    after = await azure.get(CLUSTER)

    assert _states([before, after]) == ["Creating", "Succeeded"]


async def test_a_failed_deletion_leaves_the_cluster(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    simulator.world.faults.add("cluster-delete-failure", where={"cluster": "aks1"})
    await azure.put(CLUSTER, json=A_CLUSTER)
    simulator.world.clock.skip(1201)

    removal = await azure.delete(CLUSTER, params={"underlyingResourceAction": "Delete"})
    during = await azure.get(CLUSTER)
    simulator.world.clock.skip(301)
    after = await azure.get(CLUSTER)

    assert removal.status_code == 202
    assert _states([during, after]) == ["Deleting", "Failed"]


async def test_a_busy_cluster_takes_no_second_operation(
    azure: httpx.AsyncClient,
) -> None:
    await azure.put(CLUSTER, json=A_CLUSTER)

    again = await azure.put(CLUSTER, json=A_CLUSTER)
    removal = await azure.delete(CLUSTER, params={"underlyingResourceAction": "Detach"})

    assert (again.status_code, removal.status_code) == (409, 409)


async def test_the_vcpus_of_clusters_count_against_the_quota(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    place = (SUBSCRIPTION, "eastus2")
    simulator.world.part(Quotas).set(place, COMPUTE, CORES, limit=12)

    first = await azure.put(CLUSTER, json=A_CLUSTER)
    second = await azure.put(CLUSTER.replace("aks1", "aks2"), json=A_CLUSTER)

    assert first.status_code == 201
    assert second.status_code == 400
    assert second.json()["error"]["code"] == "QuotaExceeded"
    listed = simulator.world.part(Quotas).listed(place, COMPUTE)
    assert listed[0]["currentValue"] == 12


@pytest.mark.parametrize("name", ["a", "1abc", "ends-", "seventeen-letters"])
async def test_a_wrong_name_is_refused(azure: httpx.AsyncClient, name: str) -> None:
    answer = await azure.put(f"{PROD}/computes/{name}", json=A_CLUSTER)

    assert answer.status_code == 400
    assert "Compute name is invalid" in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", ["", "[]", "{", "null"])
async def test_a_body_that_is_no_object_is_refused(
    azure: httpx.AsyncClient, body: str
) -> None:
    answer = await azure.put(CLUSTER, content=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "InvalidRequestContent"


async def test_removal_needs_to_know_what_becomes_of_the_cluster(
    simulator: Simulator, azure: httpx.AsyncClient
) -> None:
    await azure.put(CLUSTER, json=_ATTACHED)
    simulator.world.clock.skip(181)

    unsaid = await azure.delete(CLUSTER)
    deleted = await azure.delete(CLUSTER, params={"underlyingResourceAction": "Delete"})

    assert unsaid.json()["error"]["code"] == "InvalidUnderlyingResourceAction"
    assert deleted.json()["error"]["code"] == "UnsupportedDeleteAction"


def _states(answers: list[httpx.Response]) -> list[Any]:
    bodies = [answer.json() for answer in answers]
    return [
        body.get("status") or body["properties"]["provisioningState"] for body in bodies
    ]
