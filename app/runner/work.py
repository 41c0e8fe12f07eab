"""What the jobs of a worker share, and the words in which failures are told."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from app.core.adoption import ServiceReader
from app.core.azure_port import AzureInspector
from app.core.cluster_port import ClusterPort
from app.core.deployment import Deployment, Operation, Revision
from app.core.errors import NotSupportedError
from app.core.failure import Failure
from app.core.secret_port import SecretValues
from app.core.target import Mark, ModelStore, Target
from app.core.workspace import Workspace
from app.services.context import Context


class EndpointLocks:
    """One lock per endpoint within this process.

    A local target lives in one process, where an operation and the watch may both
    want to start a server or move an address; whoever holds the lock reads the
    record first.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def held(self, endpoint_key: str) -> AsyncIterator[None]:
        """Hold the endpoint's lock for the block."""
        lock = self._locks.setdefault(endpoint_key, asyncio.Lock())
        async with lock:
            yield


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """The worker's parts: the use cases' context, the models and the targets."""

    context: Context
    store: ModelStore
    targets: Mapping[str, Target]
    installation_id: str
    clusters: ClusterPort | None = None
    secrets: SecretValues | None = None
    locks: EndpointLocks = field(default_factory=EndpointLocks)
    inspector: AzureInspector | None = None
    service_reader: ServiceReader | None = None

    def target(self, kind: str) -> Target:
        """Return the target of that kind, or raise NotSupportedError."""
        try:
            return self.targets[kind]
        except KeyError:
            raise NotSupportedError(
                f"No worker here serves the target {kind}.",
                remedy="Enable the target, or start a worker that has it.",
            ) from None

    def mark(self, operation: Operation, revision: Revision) -> Mark:
        """Return what is written on everything that the operation makes."""
        return Mark(
            installation=self.installation_id,
            deployment=operation.subject_id,
            revision=revision.number,
            operation=operation.id,
            epoch=operation.epoch,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """All that a step looks at, as it was when the step began."""

    workspace: Workspace
    deployment: Deployment
    operation: Operation
    revision: Revision

    @property
    def serves_already(self) -> bool:
        """Whether callers already reach this very revision."""
        return self.deployment.serving_revision == self.revision.number


class OperationFailedError(Exception):
    """The operation cannot succeed any more; carries what its record will say."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class CancelRequestedError(Exception):
    """Somebody canceled the operation, and its worker has read that."""
