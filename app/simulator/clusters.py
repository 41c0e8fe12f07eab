"""The AKS clusters of a workspace, which come and go over simulated time."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.simulator.cluster_plans import (
    ClusterPlan,
    Strike,
    provisioning,
    removing,
)
from app.simulator.cluster_rules import (
    DEFAULT_SIZE,
    check,
    check_idle,
    cores,
    mapping,
    over_quota,
    text,
)
from app.simulator.errors import AzureError
from app.simulator.faults import Fault
from app.simulator.quotas import COMPUTE, CORES, Quotas
from app.simulator.world import SimulatedWorkspace


class Action(StrEnum):
    """What becomes of the cluster itself when it leaves the workspace."""

    DELETE = "delete"
    DETACH = "detach"


@dataclass(kw_only=True, slots=True)
class ClusterOperation:
    """A change of a cluster on its way: what the operation's URL shows."""

    id: str
    started_at: datetime
    ends_at_seconds: float
    plan: ClusterPlan
    status: str = "InProgress"


@dataclass(kw_only=True, slots=True)
class Cluster:
    """An AKS cluster as the workspace knows it."""

    name: str
    location: str
    is_attached: bool
    created_at: datetime
    modified_at: datetime
    properties: dict[str, object]
    description: str = ""
    tags: dict[str, str] | None = None
    state: str = "Creating"
    resource_id: str | None = None
    errors: list[dict[str, object]] = field(default_factory=list)
    operation: str = ""
    is_new: bool = True
    cores: int = 0

    @property
    def fqdn(self) -> str:
        """The name of the cluster's API server."""
        return f"{self.name.lower()}-simulated.hcp.{self.location}.azmk8s.io"

    @property
    def address(self) -> str:
        """The public address of the scoring front end, the cluster's own."""
        # Nobody's addresses; one per name and region, so that scoring URIs differ.
        place = f"{self.location}/{self.name}".lower().encode()
        return f"203.0.113.{10 + zlib.crc32(place) % 230}"

    def services(self) -> list[dict[str, object]]:
        """Return what Azure ML runs on the cluster."""
        return [
            {"systemServiceType": kind, "publicIpAddress": address, "version": "1"}
            for kind, address in (
                ("ScoringFrontEnd", self.address),
                ("AzureMLComponents", None),
            )
        ]


class Clusters:
    """The clusters of one workspace; a part of it."""

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self._workspace = workspace
        self._world = workspace.world
        self._clusters: dict[str, Cluster] = {}
        self._operations: dict[str, ClusterOperation] = {}
        self._removals: dict[str, Action] = {}

    def all(self) -> list[Cluster]:
        """Return every cluster as it is now."""
        self._settle()
        return list(self._clusters.values())

    def find(self, name: str) -> Cluster | None:
        """Return the cluster as it is now, or None."""
        self._settle()
        return self._clusters.get(name.lower())

    def get(self, name: str) -> Cluster:
        """Return the cluster as it is now; ARM's 404 if there is none."""
        found = self.find(name)
        if found is None:
            raise AzureError(
                404,
                "ResourceNotFound",
                f"The Resource 'Microsoft.MachineLearningServices/workspaces/"
                f"{self._workspace.name}/computes/{name}' under resource group "
                f"'{self._workspace.group}' was not found.",
            )
        return found

    def state(self) -> list[dict[str, object]]:
        """Return every cluster in short, for the control API."""
        return [
            {
                "name": each.name,
                "state": each.state,
                "location": each.location,
                "is_attached": each.is_attached,
            }
            for each in self.all()
        ]

    def operation(self, operation_id: str) -> ClusterOperation | None:
        """Return an operation as it is now, or None."""
        self._settle()
        return self._operations.get(operation_id)

    def put(self, name: str, body: Mapping[str, object]) -> Cluster:
        """Create, attach or update a cluster; it is on its way when this returns."""
        known = self.find(name)
        if known is not None:
            check_idle(known.name, known.state)
        wanted = mapping(body.get("properties"))
        check(name, wanted, is_attached=None if known is None else known.is_attached)
        cluster = self._made(name, body, wanted) if known is None else known
        cluster.is_new = known is None
        if known is not None:
            cluster.properties.update(mapping(wanted.get("properties")))
            cluster.state = "Updating"
            cluster.tags = _tags(body)
        cluster.errors.clear()
        cluster.modified_at = self._world.clock.now()
        cluster.resource_id = text(wanted.get("resourceId")) or cluster.resource_id
        self._clusters[name.lower()] = cluster
        kind = "cluster-attach" if cluster.is_attached else "cluster-create"
        self._begin(
            cluster,
            provisioning(self._strike(cluster), self._world.settings.latency(kind)),
        )
        return cluster

    def remove(self, cluster: Cluster, action: Action) -> None:
        """Start to delete or detach a cluster."""
        check_idle(cluster.name, cluster.state)
        if action is Action.DELETE and cluster.is_attached:
            raise AzureError(
                400,
                "UnsupportedDeleteAction",
                "Attached compute can only be detached: underlyingResourceAction "
                "must be Detach.",
            )
        cluster.state = "Deleting"
        seconds = self._world.settings.latency(f"cluster-{action}")
        self._begin(cluster, removing(self._strike(cluster), seconds))
        self._removals[cluster.operation] = action

    def _made(
        self, name: str, body: Mapping[str, object], wanted: Mapping[str, object]
    ) -> Cluster:
        now = self._world.clock.now()
        is_attached = bool(wanted.get("resourceId"))
        given = mapping(wanted.get("properties"))
        properties = dict(given)
        if not is_attached:
            purpose = given.get("clusterPurpose")
            properties.setdefault("agentCount", 1 if purpose == "DevTest" else 3)
            properties.setdefault("agentVmSize", DEFAULT_SIZE)
        cluster = Cluster(
            name=name,
            location=text(wanted.get("computeLocation")) or self._workspace.region,
            is_attached=is_attached,
            created_at=now,
            modified_at=now,
            properties=properties,
            description=text(wanted.get("description")),
            tags=_tags(body),
            cores=0 if is_attached else cores(properties),
        )
        if not self._spend(cluster, cluster.cores):
            raise over_quota(cluster.location, cluster.cores)
        return cluster

    def _begin(self, cluster: Cluster, plan: ClusterPlan) -> None:
        cluster.operation = self._world.new_id()
        self._operations[cluster.operation] = ClusterOperation(
            id=cluster.operation,
            started_at=self._world.clock.now(),
            ends_at_seconds=self._world.clock.seconds() + plan.seconds,
            plan=plan,
        )

    def _settle(self) -> None:
        now = self._world.clock.seconds()
        for cluster in list(self._clusters.values()):
            operation = self._operations[cluster.operation]
            if operation.status == "InProgress" and now >= operation.ends_at_seconds:
                operation.status = operation.plan.outcome
                self._end(cluster, operation)

    def _end(self, cluster: Cluster, operation: ClusterOperation) -> None:
        removal = self._removals.pop(operation.id, None)
        cluster.state = operation.status
        if operation.plan.error is not None:
            cluster.errors.append(operation.plan.error)
        if operation.status != "Succeeded":
            return
        if removal is not None:
            self._clusters.pop(cluster.name.lower(), None)
            if removal is Action.DELETE:
                self._spend(cluster, -cluster.cores)
            return
        cluster.resource_id = cluster.resource_id or (
            f"/subscriptions/{self._workspace.subscription}/resourceGroups/"
            f"{self._workspace.group}/providers/Microsoft.ContainerService/"
            f"managedClusters/{cluster.name}{self._workspace.workspace_id[:8]}"
        )

    def _strike(self, cluster: Cluster) -> Strike:
        def strike(name: str) -> Fault | None:
            return self._world.faults.take(
                name,
                tags=cluster.tags,
                cluster=cluster.name,
                workspace=self._workspace.name,
            )

        return strike

    def _spend(self, cluster: Cluster, count: int) -> bool:
        place = (self._workspace.subscription, cluster.location)
        return self._world.part(Quotas).take(place, COMPUTE, CORES, count)


def _tags(body: Mapping[str, object]) -> dict[str, str] | None:
    tags = mapping(body.get("tags"))
    return {key: str(value) for key, value in tags.items()} or None
