"""Where services answer, and which service answers at an address."""

from urllib.parse import urlsplit

from app.simulator.clusters import Cluster, Clusters
from app.simulator.service_documents import AKS, section
from app.simulator.services import ServiceBook, ServiceRecord
from app.simulator.world import SimulatedWorkspace, World


def scoring_uri(workspace: SimulatedWorkspace, record: ServiceRecord) -> str:
    """Return where a service answers; a name of its own gets known as a host."""
    if record.compute_type == AKS:
        name = str(record.document.get("computeName") or "")
        cluster = workspace.part(Clusters).find(name)
        front = _cluster_front(cluster) if cluster else "http://203.0.113.1:80"
        uri = f"{front}/api/v1/service/{record.name}/score"
    elif record.document.get("sslEnabled"):
        uri = f"https://{record.document['cname']}/score"
    else:
        uri = f"http://{_label(workspace, record)}/score"
    workspace.world.scoring_hosts.add(urlsplit(uri).hostname or "")
    return uri


def label_holder(world: World, region: str, label: str) -> ServiceRecord | None:
    """Return the service that has a DNS label of Container Instances in a region."""
    host = f"{label}.{region}.azurecontainer.io"
    for workspace in world.workspaces.values():
        for record in workspace.part(ServiceBook).all():
            if _host(record) == host:
                return record
    return None


def service_at(
    world: World, host: str, name: str | None
) -> tuple[ServiceBook, ServiceRecord] | None:
    """Return the service at a host; a cluster has many, told apart by `name`."""
    for workspace in world.workspaces.values():
        book = workspace.part(ServiceBook)
        for record in book.all():
            is_named = name is None or record.name == name.lower()
            if _host(record) == host and is_named:
                return book, record
    return None


def _host(record: ServiceRecord) -> str | None:
    return urlsplit(record.scoring_uri).hostname if record.scoring_uri else None


def _label(workspace: SimulatedWorkspace, record: ServiceRecord) -> str:
    region = str(record.document.get("location") or workspace.region)
    suffix = f".{region}.azurecontainer.io"
    given, before = record.document.get("dnsNameLabel"), _host(record)
    if given:
        return f"{given}{suffix}"
    if before and before.endswith(suffix):
        return before
    return f"{workspace.world.new_id()}{suffix}"


def _cluster_front(cluster: Cluster) -> str:
    tls = section(cluster.properties, "sslConfiguration")
    if tls.get("cname"):
        return f"https://{tls['cname']}:443"
    if tls.get("leafDomainLabel"):
        label = f"{tls['leafDomainLabel']}{cluster.name}"
        return f"https://{label}.{cluster.location}.cloudapp.azure.com:443"
    return f"http://{cluster.address}:80"
