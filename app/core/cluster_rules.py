"""Rules between the fields of a cluster's spec, each refused before Azure is asked."""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Protocol, TypeVar

from app.core.errors import FieldProblem
from app.core.option_groups import all_or_none
from app.core.secret import Secret

_T = TypeVar("_T")

# Of FastProd; with fewer Azure refuses it, after minutes.
FEWEST_CORES = 12
_VNET = (
    "vnet_resourcegroup_name",
    "vnet_name",
    "subnet_name",
    "service_cidr",
    "dns_service_ip",
    "docker_bridge_cidr",
)
# Cores of the sizes that the service's documents name; a size that is not here is
# left to Azure to judge.
KNOWN_CORES: Mapping[str, int] = {
    "standard_a2_v2": 2,
    "standard_a4_v2": 4,
    "standard_a8_v2": 8,
    "standard_b2s": 2,
    "standard_b2ms": 2,
    "standard_b4ms": 4,
    "standard_b8ms": 8,
    "standard_d1_v2": 1,
    "standard_d2_v2": 2,
    "standard_d3_v2": 4,
    "standard_d4_v2": 8,
    "standard_d5_v2": 16,
    "standard_d11_v2": 2,
    "standard_d12_v2": 4,
    "standard_d13_v2": 8,
    "standard_d14_v2": 16,
    "standard_ds1_v2": 1,
    "standard_ds2_v2": 2,
    "standard_ds3_v2": 4,
    "standard_ds4_v2": 8,
    "standard_ds5_v2": 16,
    "standard_e2s_v3": 2,
    "standard_e4s_v3": 4,
    "standard_e8s_v3": 8,
    "standard_f2s_v2": 2,
    "standard_f4s_v2": 4,
    "standard_f8s_v2": 8,
    "standard_f16s_v2": 16,
    "standard_nc6": 6,
    "standard_nc12": 12,
    "standard_nc24": 24,
    "standard_nc6s_v3": 6,
    "standard_nc12s_v3": 12,
    "standard_nc24s_v3": 24,
    **{
        f"standard_d{cores}{suffix}": cores
        for cores in (2, 4, 8, 16, 32, 48, 64)
        for suffix in ("_v3", "s_v3", "_v4", "s_v4", "as_v4", "_v5", "s_v5")
    },
}


class _Tls(Protocol):
    @property
    def ssl_cname(self) -> str | None: ...
    @property
    def ssl_cert_pem(self) -> Secret | None: ...
    @property
    def ssl_key_pem(self) -> Secret | None: ...
    @property
    def leaf_domain_label(self) -> str | None: ...
    @property
    def overwrite_existing_domain(self) -> bool: ...


class _Balanced(Protocol):
    @property
    def load_balancer_type(self) -> str: ...
    @property
    def load_balancer_subnet(self) -> str | None: ...


class _Networked(Protocol):
    @property
    def service_cidr(self) -> str | None: ...
    @property
    def dns_service_ip(self) -> str | None: ...
    @property
    def docker_bridge_cidr(self) -> str | None: ...


class _Named(Protocol):
    @property
    def resource_group(self) -> str | None: ...
    @property
    def cluster_name(self) -> str | None: ...
    @property
    def resource_id(self) -> str | None: ...


def few_cores(vm_size: str, *, nodes: int, purpose: str) -> Iterator[FieldProblem]:
    """Yield a problem if a FastProd cluster has fewer cores than Azure asks for."""
    cores = KNOWN_CORES.get(vm_size.lower())
    if purpose == "FastProd" and cores is not None and nodes * cores < FEWEST_CORES:
        yield FieldProblem(
            pointer="/agent_count",
            code="too_few_cores",
            detail=f"{nodes} nodes of {cores} cores are fewer than the {FEWEST_CORES} "
            "cores that FastProd needs; take more nodes, larger ones, or DevTest",
        )


def tls(spec: _Tls) -> Iterator[FieldProblem]:
    """Yield a problem unless there is one's own certificate, Azure's, or none."""
    own = ("ssl_cname", "ssl_cert_pem", "ssl_key_pem")
    yield from all_or_none(spec, *own)
    if spec.leaf_domain_label is not None:
        for name in own:
            if getattr(spec, name) is not None:
                yield FieldProblem(
                    pointer=f"/{name}",
                    code="excludes_leaf_domain",
                    detail="goes without leaf_domain_label: Azure makes that one's",
                )
    elif spec.overwrite_existing_domain:
        yield FieldProblem(
            pointer="/overwrite_existing_domain",
            code="needs_leaf_domain",
            detail="needs leaf_domain_label",
        )


def load_balancer(spec: _Balanced) -> Iterator[FieldProblem]:
    """Yield a problem for a subnet that a public load balancer cannot be in."""
    is_internal = spec.load_balancer_type == "InternalLoadBalancer"
    if spec.load_balancer_subnet is not None and not is_internal:
        yield FieldProblem(
            pointer="/load_balancer_subnet",
            code="needs_internal_load_balancer",
            detail="needs load_balancer_type InternalLoadBalancer",
        )


def network(spec: _Networked) -> Iterator[FieldProblem]:
    """Yield a problem for each field of a virtual network that cannot be right."""
    yield from all_or_none(spec, *_VNET)
    services = _parsed(_network, spec.service_cidr)
    server = _parsed(IPv4Address, spec.dns_service_ip)
    bridge = _parsed(_bridge, spec.docker_bridge_cidr)
    for name, given, parsed, wanted in (
        ("service_cidr", spec.service_cidr, services, "a network, as in 10.0.0.0/16"),
        ("dns_service_ip", spec.dns_service_ip, server, "an address, as in 10.0.0.10"),
        ("docker_bridge_cidr", spec.docker_bridge_cidr, bridge, "as in 172.17.0.1/16"),
    ):
        if given is not None and parsed is None:
            yield FieldProblem(
                pointer=f"/{name}", code="bad_address", detail=f"must be {wanted}"
            )
    if services is None or server is None:
        return
    # The first address of the range is Kubernetes' own.
    if server not in services or server == services.network_address + 1:
        yield FieldProblem(
            pointer="/dns_service_ip",
            code="outside_service_cidr",
            detail="must lie in service_cidr and not be its first address",
        )


def which_cluster(spec: _Named) -> Iterator[FieldProblem]:
    """Yield a problem unless exactly one cluster is named, in one way."""
    by_name = spec.resource_group is not None or spec.cluster_name is not None
    if spec.resource_id is None:
        if by_name:
            yield from all_or_none(spec, "resource_group", "cluster_name")
            return
        yield FieldProblem(
            pointer="/resource_id",
            code="cluster_unnamed",
            detail="is required, or resource_group and cluster_name",
        )
    elif by_name:
        yield FieldProblem(
            pointer="/resource_id",
            code="cluster_named_twice",
            detail="goes without resource_group and cluster_name",
        )


def _parsed(kind: Callable[[str], _T], value: str | None) -> _T | None:
    try:
        return None if value is None else kind(value)
    except ValueError:
        return None


def _bridge(value: str) -> IPv4Interface:
    return IPv4Interface(_with_prefix(value))


def _network(value: str) -> IPv4Network:
    return IPv4Network(_with_prefix(value))


def _with_prefix(value: str) -> str:
    # The ipaddress module takes a bare address for a network of one.
    if "/" not in value:
        raise ValueError("no prefix length")
    return value
