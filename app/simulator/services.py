"""The web services of a workspace, as they are at each simulated second."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.simulator.errors import AzureError
from app.simulator.service_documents import Document, section
from app.simulator.service_images import Images
from app.simulator.service_operations import (
    Ending,
    OperationState,
    Plan,
    ServiceOperation,
)
from app.simulator.world import SimulatedWorkspace


@dataclass(kw_only=True, slots=True)
class Keys:
    """The two keys of a service."""

    primary: str
    secondary: str

    @classmethod
    def new(cls) -> "Keys":
        """Return two new keys."""
        return cls(primary=new_key(), secondary=new_key())


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """An operation on its way, and what its end does to the service."""

    operation: ServiceOperation
    finish: Callable[[Ending], None]


@dataclass(kw_only=True, slots=True, eq=False)
class ServiceRecord:
    """One service; `id` stays its own also when the name is used again.

    `document` is what it was asked to be, `models` what its container serves now.
    A planted service, one that somebody else made, shows nothing but its document.
    """

    id: str
    name: str
    compute_type: str
    document: Document
    keys: Keys
    created_at: datetime
    updated_at: datetime
    state: str = "Transitioning"
    error: dict[str, object] | None = None
    operation_id: str = ""
    running: Running | None = None
    scoring_uri: str | None = None
    is_serving: bool = False
    models: tuple[str, ...] = ()
    container_log: str | None = None
    unhealthy_at_seconds: float | None = None
    cores_held: int = 0
    is_planted: bool = False

    @property
    def wanted_models(self) -> tuple[str, ...]:
        """The ids of the models that it was asked to serve."""
        listed = section(self.document, "environmentImageRequest").get("modelIds")
        return tuple(map(str, listed)) if isinstance(listed, list) else ()


class ServiceBook:
    """All services and operations of one workspace; a part of it.

    Nothing runs in the background: what time has brought is worked out on each look.
    """

    def __init__(self, workspace: SimulatedWorkspace) -> None:
        self.workspace = workspace
        self._images = workspace.part(Images)
        self._clock = workspace.world.clock
        self._services: dict[str, ServiceRecord] = {}
        self._operations: dict[str, ServiceOperation] = {}

    def all(self) -> list[ServiceRecord]:
        """Return every service as it is now, newest first."""
        for record in list(self._services.values()):
            self._settle(record)
        return list(reversed(self._services.values()))

    def find(self, name: str) -> ServiceRecord | None:
        """Return a service as it is now, if there is one."""
        record = self._services.get(name.lower())
        if record is not None:
            self._settle(record)
        return self._services.get(name.lower())

    def get(self, name: str) -> ServiceRecord:
        """Return a service as it is now; Azure's 404 without one."""
        found = self.find(name)
        if found is None:
            raise AzureError(
                404,
                "NotFound",
                "Not found",
                details=(("ServiceNotFound", f"Service with id {name} not found."),),
            )
        return found

    def idle(self, name: str) -> ServiceRecord:
        """Return a service that no operation is at; Azure's 409 while one is."""
        record = self.get(name)
        if record.running is not None:
            raise AzureError(
                409,
                "Conflict",
                "Conflict",
                details=(
                    (
                        "ServiceOperationInProgress",
                        (
                            f"Service {name} has an operation in progress: "
                            f"{record.operation_id}."
                        ),
                    ),
                ),
            )
        return record

    def operation(self, operation_id: str) -> ServiceOperation:
        """Return an operation, its service being as it is now; or Azure's 404."""
        found = self._operations.get(operation_id)
        if found is None:
            raise AzureError(404, "NotFound", f"Operation {operation_id} not found.")
        self.find(found.service)
        return found

    def users_of(self, model_id: str) -> list[str]:
        """Return the names of the services that a model is deployed to."""
        return [each.name for each in self.all() if model_id in each.wanted_models]

    def plant(self, name: str, document: Document) -> ServiceRecord:
        """Add a service of somebody else's making, shown exactly so until changed."""
        now = self._clock.now()
        state, uri = str(document.get("state", "Healthy")), document.get("scoringUri")
        record = ServiceRecord(
            id=self.workspace.world.new_id(),
            name=name,
            compute_type=str(document.get("computeType", "")),
            document=dict(document),
            keys=Keys.new(),
            created_at=now,
            updated_at=now,
            state=state,
            scoring_uri=str(uri) if uri else None,
            is_serving=state == "Healthy",
            is_planted=True,
        )
        self._services[name.lower()] = record
        return record

    def add(self, record: ServiceRecord) -> None:
        """Add a service of this workspace's own making."""
        self._services[record.name.lower()] = record

    def remove(self, record: ServiceRecord) -> None:
        """Forget a service; its name is free."""
        self._services.pop(record.name.lower(), None)

    def begin(
        self, record: ServiceRecord, plan: Plan, finish: Callable[[Ending], None]
    ) -> ServiceOperation:
        """Start an operation on a service that has none."""
        operation_id = self.workspace.world.new_id()
        operation = ServiceOperation(
            id=operation_id,
            service=record.name,
            started_at=self._clock.now(),
            started_seconds=self._clock.seconds(),
            plan=plan,
            build_log_uri=self._images.log_address(operation_id, plan),
        )
        self._operations[operation_id] = operation
        record.operation_id = operation_id
        record.updated_at = operation.started_at
        record.running = Running(operation=operation, finish=finish)
        return operation

    def _settle(self, record: ServiceRecord) -> None:
        now = self._clock.seconds()
        self._images.settle()
        running = record.running
        if running is not None and running.operation.is_over(now):
            plan = running.operation.plan
            record.running = None
            record.updated_at = running.operation.started_at + timedelta(
                seconds=plan.seconds
            )
            running.finish(plan.ending)
        due = record.unhealthy_at_seconds
        if due is not None and now >= due and record.running is None:
            record.state, record.unhealthy_at_seconds = "Unhealthy", None
            record.is_serving = False


def new_key() -> str:
    """Return a key such as Azure generates."""
    return secrets.token_urlsafe(24)


def succeeded(ending: Ending) -> bool:
    """Tell whether an operation ended well."""
    return ending.state is OperationState.SUCCEEDED
