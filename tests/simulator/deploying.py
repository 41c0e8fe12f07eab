"""Services deployed in a world without a port, its time moved by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.simulator.clusters import Clusters
from app.simulator.patches import Patch
from app.simulator.service_deployments import create, update
from app.simulator.service_operations import ServiceOperation
from app.simulator.service_views import service_document
from app.simulator.services import ServiceBook, ServiceRecord
from app.simulator.settings import SimulatorSettings
from app.simulator.world import SimulatedWorkspace, World

A_DAY = 86_400.0
ENVIRONMENT = {"python": {"condaDependencies": {"dependencies": ["python=3.11"]}}}


@dataclass(frozen=True, slots=True)
class Deploying:
    """One workspace of a world of its own."""

    world: World
    workspace: SimulatedWorkspace

    @property
    def book(self) -> ServiceBook:
        return self.workspace.part(ServiceBook)

    def cluster(self, name: str = "aks") -> None:
        body = {"properties": {"computeType": "AKS", "properties": {}}}
        self.workspace.part(Clusters).put(name, body)
        self.world.clock.skip(A_DAY)

    def create(self, name: str = "svc", /, **fields: object) -> ServiceOperation:
        return create(self.book, request(name, **fields))

    def update(self, name: str, /, **fields: object) -> ServiceOperation:
        patches = [
            Patch(operation="replace", field=field, member="", value=value)
            for field, value in fields.items()
        ]
        return update(self.book, name, patches)

    def skip(self, seconds: float) -> None:
        self.world.clock.skip(seconds)

    def shown(self, name: str = "svc") -> dict[str, Any]:
        return service_document(self.workspace, self.book.get(name), expand=True)

    def polled(self, operation: ServiceOperation, offset: int = 0) -> dict[str, Any]:
        found = self.book.operation(operation.id)
        return found.document(self.world.clock.seconds(), offset)

    def deployed(self, name: str = "svc", /, **fields: object) -> ServiceRecord:
        self.create(name, **fields)
        self.skip(A_DAY)
        return self.book.get(name)


def deploying(latencies: Mapping[str, float] | None = None) -> Deploying:
    """A new world and its first workspace."""
    world = World.new(SimulatorSettings(latencies=latencies or {}))
    return Deploying(world, next(iter(world.workspaces.values())))


def request(name: str, /, **fields: object) -> dict[str, object]:
    """The body of a create, of ACI if nothing else is said."""
    return {
        "name": name,
        "computeType": "ACI",
        "environmentImageRequest": {"modelIds": [], "environment": ENVIRONMENT},
        **fields,
    }


def reasons(error: BaseException) -> str:
    """All that a refusal tells."""
    details = getattr(error, "details", ())
    return " ".join([str(error), *(f"{code}: {text}" for code, text in details)])
