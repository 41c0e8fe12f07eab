"""The simulated Azure: one tenant, its subscriptions, and their workspaces."""

import asyncio
import secrets
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TypeVar, cast

from app.simulator.clock import SimulatedClock
from app.simulator.errors import AzureError
from app.simulator.faults import Faults
from app.simulator.journal import Journal
from app.simulator.settings import SimulatorSettings

TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"
SUBSCRIPTION = "11111111-2222-4333-8444-555555555555"
CLIENT_ID = "c11e0000-aaaa-4bbb-8ccc-000000000001"
# Known to everybody by design: it opens nothing but this simulator.
CLIENT_SECRET = "simulated-secret"  # noqa: S105

Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkspacePlace:
    """Where a workspace is: its subscription, group, name and region."""

    subscription: str
    group: str
    name: str
    region: str

    @property
    def arm_id(self) -> str:
        """The ARM id in the spelling that it was made with."""
        return workspace_id(self.subscription, self.group, self.name)


DEFAULT_WORKSPACES = (
    WorkspacePlace(
        subscription=SUBSCRIPTION, group="ml", name="prod", region="eastus2"
    ),
    WorkspacePlace(
        subscription=SUBSCRIPTION, group="ml", name="dev", region="westeurope"
    ),
)


def workspace_id(subscription: str, group: str, name: str) -> str:
    """Return the ARM id of a workspace."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.MachineLearningServices/workspaces/{name}"
    )


class SimulatedWorkspace:
    """A workspace; each module keeps what it simulates of it in a part of its own."""

    def __init__(self, world: "World", place: WorkspacePlace) -> None:
        self.world = world
        self.place = place
        self.arm_id = place.arm_id
        self.subscription = place.subscription
        self.group = place.group
        self.name = place.name
        self.region = place.region
        # Stable over restarts, so that what a caller wrote down still holds.
        self.workspace_id = str(uuid.uuid5(uuid.NAMESPACE_URL, self.arm_id.lower()))
        short = self.workspace_id.replace("-", "")[:10]
        plain = "".join(letter for letter in self.name.lower() if letter.isalnum())
        self.storage_account = f"{plain[:10]}{short}"
        self.registry_name = f"acr{short}"
        self.created_at = world.clock.now()
        self.tags: dict[str, str] = {}
        self._parts: dict[type, object] = {}

    def part(self, kind: Callable[["SimulatedWorkspace"], Part]) -> Part:
        """Return this workspace's one `kind`, made by `kind(self)` on first use."""
        key = cast("type", kind)
        if key not in self._parts:
            self._parts[key] = kind(self)
        return cast("Part", self._parts[key])

    def parts(self) -> list[object]:
        """Return every part that was made so far."""
        return list(self._parts.values())


@dataclass(kw_only=True)
class World:
    """Everything that exists; changed by requests and by the control API alone."""

    clock: SimulatedClock
    settings: SimulatorSettings
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)
    tenant: str = TENANT
    clients: dict[str, str] = field(default_factory=dict)
    subscriptions: dict[str, str] = field(default_factory=dict)
    workspaces: dict[str, SimulatedWorkspace] = field(default_factory=dict)
    # Host names beside Azure's own at which a service answers: a custom TLS name.
    scoring_hosts: set[str] = field(default_factory=set)
    # Kept over a reset: a client holds its token for an hour.
    token_key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _parts: dict[type, object] = field(default_factory=dict)
    _tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    @classmethod
    def new(cls, settings: SimulatorSettings) -> "World":
        """Return the world as it is at the start: two workspaces, one caller."""
        world = cls(clock=SimulatedClock(settings.speed), settings=settings)
        world.reset()
        return world

    def reset(self) -> None:
        """Forget all that happened; time goes on."""
        for task in list(self._tasks):
            task.cancel()
        self.faults.clear()
        self.journal.clear()
        self.scoring_hosts.clear()
        self._parts.clear()
        self.workspaces.clear()
        self.clients = {CLIENT_ID: CLIENT_SECRET}
        self.subscriptions = {SUBSCRIPTION: "Simulated subscription"}
        for place in DEFAULT_WORKSPACES:
            self.add_workspace(place)

    def add_workspace(self, place: WorkspacePlace) -> SimulatedWorkspace:
        """Add a workspace, or return the one that has the id."""
        self.subscriptions.setdefault(place.subscription, place.subscription)
        key = place.arm_id.lower()
        if key not in self.workspaces:
            self.workspaces[key] = SimulatedWorkspace(self, place)
        return self.workspaces[key]

    def workspace(self, subscription: str, group: str, name: str) -> SimulatedWorkspace:
        """Return the workspace; ARM's 404 for one that is not there."""
        found = self.workspaces.get(workspace_id(subscription, group, name).lower())
        if found is None or self.faults.take("workspace-missing", workspace=name):
            raise AzureError(
                404,
                "ResourceNotFound",
                "The Resource 'Microsoft.MachineLearningServices/workspaces/"
                f"{name}' under resource group '{group}' was not found. For more "
                "details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return found

    def part(self, kind: Callable[["World"], Part]) -> Part:
        """Return the world's one `kind`, made by `kind(self)` on first use."""
        key = cast("type", kind)
        if key not in self._parts:
            self._parts[key] = kind(self)
        return cast("Part", self._parts[key])

    def new_id(self) -> str:
        """Return a new GUID."""
        return str(uuid.uuid4())

    def spawn(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """Run `work` beside the requests; it ends with the simulator or a reset."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End all work that goes on beside the requests."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
