"""Every option of a cluster as the real azureml-core puts it on the wire."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from app.core.cluster_spec import AttachCluster, CreateCluster
from app.core.secret import Secret
from tests.targets.azureml_v1.cluster_places import (
    RESOURCE_ID,
    ClusterPlace,
    cluster_place,
)

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_PEM = {"ssl_cert_pem": "-- a certificate --", "ssl_key_pem": "-- a key --"}
_OWN_TLS: dict[str, Any] = {
    "ssl_cname": "models.example.com",
    "ssl_cert_pem": Secret(kept="sec_" + "0" * 26),
    "ssl_key_pem": Secret(kept="sec_" + "1" * 26),
}
_VNET: dict[str, Any] = {
    "vnet_resourcegroup_name": "net",
    "vnet_name": "spokes",
    "subnet_name": "models",
    "service_cidr": "10.0.0.0/16",
    "dns_service_ip": "10.0.0.10",
    "docker_bridge_cidr": "172.17.0.1/16",
}
_SUBNET_ID = "/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/spokes"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ClusterPlace]:
    async with cluster_place(tmp_path_factory.mktemp("clusters")) as opened:
        yield opened


CREATED: list[tuple[dict[str, Any], str, object]] = [
    ({}, "agentCount", 3),
    ({}, "agentVmSize", "Standard_D3_v2"),
    ({"agent_count": 5}, "agentCount", 5),
    ({"vm_size": "Standard_D4_v2"}, "agentVmSize", "Standard_D4_v2"),
    ({"cluster_purpose": "DevTest"}, "clusterPurpose", "DevTest"),
    ({"cluster_purpose": "DevTest"}, "agentCount", 1),
    ({"cluster_purpose": "DenseProd"}, "clusterPurpose", "DenseProd"),
    (_OWN_TLS, "sslConfiguration.status", "Enabled"),
    (_OWN_TLS, "sslConfiguration.cname", "models.example.com"),
    (_OWN_TLS, "sslConfiguration.cert", _PEM["ssl_cert_pem"]),
    (_OWN_TLS, "sslConfiguration.key", _PEM["ssl_key_pem"]),
    ({"leaf_domain_label": "models"}, "sslConfiguration.status", "Auto"),
    ({"leaf_domain_label": "models"}, "sslConfiguration.leafDomainLabel", "models"),
    (
        {"leaf_domain_label": "models", "overwrite_existing_domain": True},
        "sslConfiguration.overwriteExistingDomain",
        True,
    ),
    (_VNET, "aksNetworkingConfiguration.serviceCidr", "10.0.0.0/16"),
    (_VNET, "aksNetworkingConfiguration.dnsServiceIP", "10.0.0.10"),
    (_VNET, "aksNetworkingConfiguration.dockerBridgeCidr", "172.17.0.1/16"),
    (
        {"load_balancer_type": "InternalLoadBalancer"},
        "loadBalancerType",
        "InternalLoadBalancer",
    ),
    (
        {"load_balancer_type": "InternalLoadBalancer", "load_balancer_subnet": "lb"},
        "loadBalancerSubnet",
        "lb",
    ),
]


@pytest.mark.parametrize(
    ("options", "field", "value"),
    CREATED,
    ids=[f"{number}-{case[1]}" for number, case in enumerate(CREATED)],
)
async def test_every_option_of_a_new_cluster_is_on_the_wire(
    place: ClusterPlace,
    options: dict[str, Any],
    field: str,
    value: object,
) -> None:
    place.simulator.world.reset()
    secrets = _PEM if "ssl_cname" in options else {}
    request = place.request("wired", CreateCluster(**options), secrets=secrets)

    await place.apply(request)

    (body,) = place.writes("wired")
    assert _at(body["properties"]["properties"], field) == value


async def test_place_and_network_of_a_new_cluster_are_on_the_wire(
    place: ClusterPlace,
) -> None:
    place.simulator.world.reset()
    spec = CreateCluster(location="northeurope", **_VNET)

    await place.apply(place.request("placed", spec))

    (body,) = place.writes("placed")
    assert body["properties"]["computeLocation"] == "northeurope"
    network = body["properties"]["properties"]["aksNetworkingConfiguration"]
    assert network["subnetId"].endswith(f"{_SUBNET_ID}/subnets/models")


@pytest.mark.parametrize(
    ("named", "resource_id"),
    [
        ({"resource_id": RESOURCE_ID}, RESOURCE_ID),
        (
            {"resource_group": "theirs", "cluster_name": "aks-1"},
            "/providers/Microsoft.ContainerService/managedClusters/aks-1",
        ),
    ],
)
async def test_every_option_of_an_attached_cluster_is_on_the_wire(
    place: ClusterPlace, named: dict[str, Any], resource_id: str
) -> None:
    place.simulator.world.reset()
    spec = AttachCluster(
        mode="attach",
        cluster_purpose="DevTest",
        load_balancer_type="InternalLoadBalancer",
        load_balancer_subnet="lb",
        **named,
        **_OWN_TLS,
    )

    await place.apply(place.request("theirs", spec, secrets=_PEM))
    seen = await place.settled("theirs")

    (body,) = place.writes("theirs")
    given = body["properties"]["properties"]
    assert body["properties"]["resourceId"].endswith(resource_id)
    assert given["clusterPurpose"] == "DevTest"
    assert given["loadBalancerType"] == "InternalLoadBalancer"
    assert given["loadBalancerSubnet"] == "lb"
    assert given["sslConfiguration"]["key"] == _PEM["ssl_key_pem"]
    assert seen.is_attached


def _at(document: Any, path: str) -> object:  # noqa: ANN401 - JSON
    for step in path.split("."):
        document = document[step]
    found: object = document
    return found
