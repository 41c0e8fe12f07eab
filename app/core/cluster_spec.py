"""What a caller asks for of a cluster, field by field, each option declared once.

Names, defaults and rules are those of azureml-core's `AksCompute`. What its `update`
can change has the effect in_place; anything else is fixed for the cluster's life.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import annotated_types as at

from app.core.aks_options import CLUSTER_NAME_PATTERN
from app.core.cluster_rules import (
    few_cores,
    load_balancer,
    network,
    tls,
    which_cluster,
)
from app.core.errors import FieldProblem
from app.core.option import Effect, Flag, Integer, Matches, Option, ToldApartBy
from app.core.secret import Secret
from app.core.workspace import RESOURCE_GROUP_PATTERN

# azureml-core refuses these as names of computes.
RESERVED_NAMES = frozenset({"amlcompute", "local", "containerinstance"})
# Azure's own rules for these names, as Resource Manager documents them.
_NETWORK_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$"
_DNS_PATTERN = (
    r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$"
)
_LEAF_PATTERN = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"
_AKS_ID_PATTERN = (
    r"^/subscriptions/[0-9a-fA-F-]{36}/resource[gG]roups/[A-Za-z0-9_().-]{1,90}"
    r"/providers/[mM]icrosoft\.[cC]ontainer[sS]ervice"
    r"/managed[cC]lusters/[A-Za-z0-9_-]{1,63}$"
)

_RECREATE = Effect.RECREATE
_IN_PLACE = Effect.IN_PLACE

ClusterName = Annotated[str, Matches(CLUSTER_NAME_PATTERN)]
ClusterPurpose = Literal["FastProd", "DenseProd", "DevTest"]
LoadBalancerType = Literal["PublicIp", "InternalLoadBalancer"]
_NetworkName = Annotated[str, Matches(_NETWORK_PATTERN)]
_Address = Annotated[str, at.MaxLen(43)]
_DnsName = Annotated[str, Matches(_DNS_PATTERN), at.MaxLen(253)]


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateCluster:
    """A new AKS cluster made through the workspace; `{}` takes every default."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    mode: Annotated[Literal["create"], Option("Make a new AKS cluster.", _RECREATE)] = (
        "create"
    )
    agent_count: Annotated[
        Annotated[Integer, at.Ge(1), at.Le(1000)] | None,
        Option("Nodes; default 3, or 1 where the purpose is DevTest.", _RECREATE),
    ] = None
    vm_size: Annotated[
        Annotated[str, Matches(r"^[A-Za-z][A-Za-z0-9_]{2,63}$")],
        Option("The size of each node.", _RECREATE),
    ] = "Standard_D3_v2"
    cluster_purpose: Annotated[
        ClusterPurpose,
        Option("FastProd and DenseProd survive the loss of a node.", _RECREATE),
    ] = "FastProd"
    location: Annotated[
        Annotated[str, Matches(r"^[a-z0-9]{3,40}$")] | None,
        Option("Azure region; default: the workspace's.", _RECREATE),
    ] = None
    ssl_cname: Annotated[
        _DnsName | None,
        Option("The certificate's name; needs certificate and key.", _IN_PLACE),
    ] = None
    ssl_cert_pem: Annotated[
        Secret | None, Option("The certificate with its chain, PEM.", _IN_PLACE)
    ] = None
    ssl_key_pem: Annotated[
        Secret | None, Option("The certificate's key, PEM.", _IN_PLACE)
    ] = None
    leaf_domain_label: Annotated[
        Annotated[str, Matches(_LEAF_PATTERN)] | None,
        Option("Have Azure make name and certificate; not with one's own.", _IN_PLACE),
    ] = None
    overwrite_existing_domain: Annotated[
        Flag, Option("Take the leaf domain over if it exists.", _IN_PLACE)
    ] = False
    vnet_resourcegroup_name: Annotated[
        Annotated[str, Matches(RESOURCE_GROUP_PATTERN)] | None,
        Option("Where the virtual network is; all six of these or none.", _RECREATE),
    ] = None
    vnet_name: Annotated[
        _NetworkName | None, Option("The virtual network.", _RECREATE)
    ] = None
    subnet_name: Annotated[
        _NetworkName | None, Option("Its subnet for the nodes.", _RECREATE)
    ] = None
    service_cidr: Annotated[
        _Address | None, Option("Addresses for services, not in use.", _RECREATE)
    ] = None
    dns_service_ip: Annotated[
        _Address | None,
        Option("The DNS server's address, inside service_cidr.", _RECREATE),
    ] = None
    docker_bridge_cidr: Annotated[
        _Address | None, Option("The bridge's address and network.", _RECREATE)
    ] = None
    load_balancer_type: Annotated[
        LoadBalancerType, Option("Who reaches the services.", _IN_PLACE)
    ] = "PublicIp"
    load_balancer_subnet: Annotated[
        _NetworkName | None,
        Option("For InternalLoadBalancer only; default aks-subnet.", _IN_PLACE),
    ] = None

    @property
    def agents(self) -> int:
        """Return how many nodes are asked for: azureml-core's own defaults."""
        if self.agent_count is not None:
            return self.agent_count
        return 1 if self.cluster_purpose == "DevTest" else 3

    def problems(self) -> Iterator[FieldProblem]:
        """Yield what is wrong between its fields, by pointer."""
        yield from few_cores(
            self.vm_size, nodes=self.agents, purpose=self.cluster_purpose
        )
        yield from tls(self)
        yield from network(self)
        yield from load_balancer(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachCluster:
    """An AKS cluster that exists, made known to the workspace.

    It is named by `resource_id`, or by `resource_group` and `cluster_name` in the
    workspace's subscription.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    mode: Annotated[Literal["attach"], Option("Use a cluster that exists.", _RECREATE)]
    resource_group: Annotated[
        Annotated[str, Matches(RESOURCE_GROUP_PATTERN)] | None,
        Option("The cluster's resource group.", _RECREATE),
    ] = None
    cluster_name: Annotated[
        Annotated[str, Matches(r"^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$")]
        | None,
        Option("The cluster's name at AKS.", _RECREATE),
    ] = None
    resource_id: Annotated[
        Annotated[str, Matches(_AKS_ID_PATTERN)] | None,
        Option("The cluster's Resource Manager id.", _RECREATE),
    ] = None
    cluster_purpose: Annotated[
        ClusterPurpose, Option("What it is used for.", _RECREATE)
    ] = "FastProd"
    ssl_cname: Annotated[
        _DnsName | None,
        Option("The certificate's name; needs certificate and key.", _IN_PLACE),
    ] = None
    ssl_cert_pem: Annotated[
        Secret | None, Option("The certificate with its chain, PEM.", _IN_PLACE)
    ] = None
    ssl_key_pem: Annotated[
        Secret | None, Option("The certificate's key, PEM.", _IN_PLACE)
    ] = None
    leaf_domain_label: Annotated[
        Annotated[str, Matches(_LEAF_PATTERN)] | None,
        Option("Have Azure make name and certificate; not with one's own.", _IN_PLACE),
    ] = None
    overwrite_existing_domain: Annotated[
        Flag, Option("Take the leaf domain over if it exists.", _IN_PLACE)
    ] = False
    load_balancer_type: Annotated[
        LoadBalancerType, Option("Who reaches the services.", _IN_PLACE)
    ] = "PublicIp"
    load_balancer_subnet: Annotated[
        _NetworkName | None,
        Option("For InternalLoadBalancer only; default aks-subnet.", _IN_PLACE),
    ] = None

    def problems(self) -> Iterator[FieldProblem]:
        """Yield what is wrong between its fields, by pointer."""
        yield from which_cluster(self)
        yield from tls(self)
        yield from load_balancer(self)


AnyClusterSpec = CreateCluster | AttachCluster
ClusterSpec = Annotated[AnyClusterSpec, ToldApartBy("mode", default="create")]
