"""A workspace's model management that a test makes up, and an observer over it."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from app.core.workspace import Workspace
from app.targets.azure_observer import AzureObserver
from app.targets.azure_round import ServiceLook
from tests.targets.azure import FakeAzure, FakeClock, somewhere

_REGION = "https://eastus2.api.azureml.ms"


def service(
    name: str, *, state: str = "Healthy", operation: str = ""
) -> dict[str, Any]:
    return {
        "name": name,
        "state": state,
        "operationId": operation or f"op-{name}",
        "computeType": "ACI",
        "kvTags": {},
    }


@dataclass
class FakeModelManagement:
    """A workspace's model management; counts what it is asked."""

    services: list[Any] = field(default_factory=list)
    operations: dict[str, Any] = field(default_factory=dict)
    # What is there and not on the list: between two pages, say.
    hidden: dict[str, Any] = field(default_factory=dict)
    spoilt: list[httpx.Response] = field(default_factory=list)
    lists: int = 0
    looks: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.url.host == "management.azure.com":
            return httpx.Response(200, json={"properties": {"discoveryUrl": _REGION}})
        if "/modelmanagement/" not in path:
            return httpx.Response(200, json={"api": _REGION})
        if path.endswith("/services"):
            return self._list()
        _, _, tail = path.partition("/workspaces/prod/")
        self.looks.append(tail)
        kind, _, name = tail.partition("/")
        found = self.operations if kind == "operations" else self.hidden
        if name in found:
            return httpx.Response(200, json=found[name])
        return httpx.Response(404, json={"code": "NotFound", "message": "none"})

    def _list(self) -> httpx.Response:
        self.lists += 1
        if self.spoilt:
            return self.spoilt.pop(0)
        return httpx.Response(200, json={"value": self.services})


@dataclass
class House:
    """An observer over a model management that a test makes up."""

    azure: FakeModelManagement
    observer: AzureObserver
    clock: FakeClock
    workspace: Workspace

    async def look(self, name: str) -> ServiceLook:
        return await self.observer.look(self.workspace, name)


def housed(azure: FakeModelManagement) -> House:
    clock = FakeClock()
    rest = FakeAzure(azure.answer).rest(clock=clock)
    return House(azure, AzureObserver(rest, clock=clock), clock, somewhere())


def in_flight(count: int) -> FakeModelManagement:
    names = [f"svc-{number}" for number in range(count)]
    return FakeModelManagement(
        services=[service(name, state="Transitioning") for name in names],
        operations={f"op-{name}": {"state": "Running"} for name in names},
    )


def settled(count: int) -> FakeModelManagement:
    azure = in_flight(count)
    azure.services = [service(each["name"]) for each in azure.services]
    azure.operations = {name: {"state": "Succeeded"} for name in azure.operations}
    return azure
