"""What a cluster's spec takes, and which fields do not go together."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from app.core.cluster_rules import KNOWN_CORES
from app.core.cluster_spec import (
    AnyClusterSpec,
    AttachCluster,
    ClusterSpec,
    CreateCluster,
)
from app.core.diff import cluster_diff, cluster_effects
from app.core.option import Effect
from app.core.secret import Secret

_SPEC: TypeAdapter[AnyClusterSpec] = TypeAdapter(ClusterSpec)
_VALUE = {"value": "-- pem --"}
_TLS = {"ssl_cname": "a.example.com", "ssl_cert_pem": _VALUE, "ssl_key_pem": _VALUE}
_VNET = {
    "vnet_resourcegroup_name": "net",
    "vnet_name": "spokes",
    "subnet_name": "models",
    "service_cidr": "10.0.0.0/16",
    "dns_service_ip": "10.0.0.10",
    "docker_bridge_cidr": "172.17.0.1/16",
}
_ID = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers"
    "/Microsoft.ContainerService/managedClusters/c"
)


def test_an_empty_body_is_a_new_cluster_with_the_sdk_s_defaults() -> None:
    spec = _SPEC.validate_python({})

    assert spec == CreateCluster(vm_size="Standard_D3_v2", cluster_purpose="FastProd")
    assert isinstance(spec, CreateCluster)
    assert spec.agents == 3
    assert list(spec.problems()) == []


@pytest.mark.parametrize(
    "good",
    [
        {"mode": "create", "agent_count": 6, "vm_size": "Standard_D2_v2"},
        {"agent_count": 1, "vm_size": "Standard_D2_v2", "cluster_purpose": "DevTest"},
        {"vm_size": "Standard_of_tomorrow", "agent_count": 1},
        {"leaf_domain_label": "models", "overwrite_existing_domain": True},
        {"load_balancer_type": "InternalLoadBalancer", "load_balancer_subnet": "lb"},
        _TLS,
        _VNET,
        {"mode": "attach", "resource_id": _ID},
        {"mode": "attach", "resource_group": "g", "cluster_name": "c", **_TLS},
    ],
)
def test_what_goes_together_has_no_problems(good: dict[str, Any]) -> None:
    assert list(_SPEC.validate_python(good).problems()) == []


@pytest.mark.parametrize(
    ("bad", "pointer", "code"),
    [
        ({"agent_count": 2}, "/agent_count", "too_few_cores"),
        ({"vm_size": "Standard_D2_v2"}, "/agent_count", "too_few_cores"),
        ({"ssl_cname": "a.b"}, "/ssl_key_pem", "incomplete_group"),
        ({"ssl_key_pem": _VALUE}, "/ssl_cname", "incomplete_group"),
        (_TLS | {"leaf_domain_label": "abc"}, "/ssl_cname", "excludes_leaf_domain"),
        (
            {"overwrite_existing_domain": True},
            "/overwrite_existing_domain",
            "needs_leaf_domain",
        ),
        *(
            (
                {k: v for k, v in _VNET.items() if k != name},
                f"/{name}",
                "incomplete_group",
            )
            for name in _VNET
        ),
        (_VNET | {"service_cidr": "10.0.0.0"}, "/service_cidr", "bad_address"),
        (_VNET | {"docker_bridge_cidr": "x"}, "/docker_bridge_cidr", "bad_address"),
        (_VNET | {"dns_service_ip": "10.0"}, "/dns_service_ip", "bad_address"),
        (
            _VNET | {"dns_service_ip": "10.1.0.1"},
            "/dns_service_ip",
            "outside_service_cidr",
        ),
        (
            _VNET | {"dns_service_ip": "10.0.0.1"},
            "/dns_service_ip",
            "outside_service_cidr",
        ),
        (
            {"load_balancer_subnet": "lb"},
            "/load_balancer_subnet",
            "needs_internal_load_balancer",
        ),
        ({"mode": "attach"}, "/resource_id", "cluster_unnamed"),
        (
            {"mode": "attach", "cluster_name": "c"},
            "/resource_group",
            "incomplete_group",
        ),
        (
            {"mode": "attach", "resource_id": _ID, "cluster_name": "c"},
            "/resource_id",
            "cluster_named_twice",
        ),
    ],
)
def test_what_does_not_go_together_is_named(
    bad: dict[str, Any], pointer: str, code: str
) -> None:
    problems = list(_SPEC.validate_python(bad).problems())

    assert (pointer, code) in {(one.pointer, one.code) for one in problems}


@pytest.mark.parametrize(
    "bad",
    [
        {"mode": "borrow"},
        {"agent_count": 0},
        {"agent_count": "3"},
        {"vm_size": ""},
        {"cluster_purpose": "Prod"},
        {"location": "East US"},
        {"load_balancer_type": "Public"},
        {"leaf_domain_label": "-a"},
        {"ssl_cert_pem_file": "/etc/passwd"},
        {"resource_id": _ID},
        {"mode": "attach", "agent_count": 3},
        {"mode": "attach", "resource_id": "/subscriptions/x"},
    ],
)
def test_what_no_cluster_takes_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _SPEC.validate_python(bad)


def test_certificates_and_load_balancer_change_in_place_and_nothing_else() -> None:
    changeable = {
        "ssl_cname",
        "ssl_cert_pem",
        "ssl_key_pem",
        "leaf_domain_label",
        "overwrite_existing_domain",
        "load_balancer_type",
        "load_balancer_subnet",
    }

    for effects in cluster_effects().values():
        in_place = {n for n, effect in effects.items() if effect is Effect.IN_PLACE}
        assert in_place == changeable
        assert set(effects.values()) == {Effect.IN_PLACE, Effect.RECREATE}


def test_a_difference_names_its_field_and_what_changing_it_does() -> None:
    kept = Secret(kept="sec_" + "0" * 26)
    old = CreateCluster(agent_count=3)
    new = CreateCluster(agent_count=4, ssl_key_pem=kept)

    found = {one.pointer: one.effect for one in cluster_diff(old, new)}

    assert found["/agent_count"] is Effect.RECREATE
    assert found["/ssl_key_pem"] is Effect.IN_PLACE


def test_another_mode_is_another_cluster() -> None:
    attached = AttachCluster(mode="attach", resource_id=_ID)

    (change,) = cluster_diff(CreateCluster(), attached)

    assert change.effect is Effect.RECREATE


def test_the_known_sizes_are_named_as_they_are_looked_up() -> None:
    assert all(name == name.lower() for name in KNOWN_CORES)
