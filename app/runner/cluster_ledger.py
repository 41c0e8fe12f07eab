"""Every write of a worker about a cluster's operation, fenced by its epoch."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from app.core.cluster import Cluster
from app.core.cluster_port import Compute
from app.core.deployment import Operation
from app.core.event import ClusterProgress, ClusterStarted, EventType
from app.core.failure import Failure
from app.core.lifecycle import ClusterState, OperationState, Phase
from app.core.secret import secrets_of
from app.core.workspace import Workspace
from app.runner.records import persistently
from app.runner.work import Work
from app.services import admission
from app.services.cluster_events import announce, record
from app.services.secrets import reveal
from app.storage import clusters, operations, workspaces
from app.storage.clusters import ClusterValues
from app.storage.database import Transaction, database_now
from app.storage.operations import OperationValues


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterSubject:
    """All that a step looks at, as it was when the step began."""

    workspace: Workspace
    cluster: Cluster
    operation: Operation


class ClusterLedger:
    """The records of one operation of a cluster, as its worker may write them.

    Every write takes the cluster's row first and names the epoch: FencedError means
    that another worker has taken over. A database that is away is waited for.
    """

    def __init__(
        self, work: Work, subject: ClusterSubject, *, seconds_left: float
    ) -> None:
        self._work = work
        self.subject = subject
        self.seconds_left = seconds_left

    @classmethod
    async def open(cls, work: Work, operation_id: str) -> "ClusterLedger | None":
        """Take the operation up: a new epoch, state running, the event of it.

        None if it has ended, so that a job that comes late does nothing.
        """

        async def take_up(tx: Transaction) -> "ClusterLedger | None":
            found = await operations.get(tx, operation_id, project=None)
            cluster = await clusters.lock(tx, found.subject_id)
            operation = await operations.take_up(
                tx, operation_id, at=work.context.clock.now()
            )
            if operation is None:
                return None
            changed = await record(
                work.context,
                tx,
                cluster.id,
                values=_values_at_start(cluster.state),
                operation=operation,
                happened=[ClusterStarted()],
            )
            workspace = await workspaces.get_by_id(tx, operation.workspace_id)
            left = operation.deadline_at - await database_now(tx)
            subject = ClusterSubject(
                workspace=workspace, cluster=changed, operation=operation
            )
            return cls(work, subject, seconds_left=left.total_seconds())

        return await persistently(work, take_up)

    async def reload(self) -> None:
        """Read the records again, to see whether somebody canceled the operation."""
        subject = self.subject

        async def read(tx: Transaction) -> ClusterSubject:
            cluster, _ = await clusters.get(tx, subject.cluster.id, project=None)
            operation = await operations.get(tx, subject.operation.id, project=None)
            return replace(subject, cluster=cluster, operation=operation)

        self.subject = await persistently(self._work, read)

    async def secrets(self) -> dict[str, str]:
        """Return by field what the cluster's secrets stand for just now."""
        cluster, source = self.subject.cluster, self._work.secrets

        async def read(tx: Transaction) -> dict[str, str]:
            return dict(await reveal(self._work.context, tx, cluster.spec))

        found = await persistently(self._work, read)
        for name, one in secrets_of(cluster.spec).items():
            if one.secret is not None and source is not None:
                found[name] = await source.value(one.secret, project=cluster.project)
        return found

    async def enter(self, phase: Phase, *, error: Failure | None = None) -> None:
        """Record that `phase` begins, and why if it is the clean-up of a failure."""
        values = OperationValues(phase=phase)
        if error is not None:
            values["error"] = error
        await self.write(values, happened=[ClusterProgress(detail=phase.value)])

    async def progress(self, detail: str) -> None:
        """Record one line about what moves."""
        await self.write(OperationValues(), happened=[ClusterProgress(detail=detail)])

    async def saw(self, seen: Compute) -> None:
        """Record one look: Azure's own words; nothing while they say nothing new."""
        cluster = self.subject.cluster
        told = ClusterValues(
            provisioning_state=seen.provisioning_state or None,
            provisioning_errors=seen.provisioning_errors,
            resource_id=seen.resource_id or cluster.resource_id,
        )
        stood = ClusterValues(
            provisioning_state=cluster.provisioning_state,
            provisioning_errors=cluster.provisioning_errors,
            resource_id=cluster.resource_id,
        )
        if told == stood:
            return
        line = f"Azure: {seen.provisioning_state or 'gone'}"
        if seen.provisioning_errors:
            line += f", {seen.provisioning_errors[0].message}"
        await self.write(
            OperationValues(), cluster=told, happened=[ClusterProgress(detail=line)]
        )

    async def finish(
        self,
        state: OperationState,
        *,
        cluster: ClusterValues,
        happened: Sequence[EventType],
        error: Failure | None = None,
    ) -> None:
        """End the operation for ever and let the next one in, in one transaction."""
        work, workspace_id = self._work, self.subject.workspace.id

        async def admit(tx: Transaction) -> None:
            await admission.admit_next(work.context, tx, workspace_id)

        values = OperationValues(
            state=state, error=error, finished_at=work.context.clock.now()
        )
        await self.write(values, cluster=cluster, happened=happened, also=admit)

    async def write(
        self,
        values: OperationValues,
        *,
        cluster: ClusterValues | None = None,
        happened: Sequence[EventType] = (),
        also: Callable[[Transaction], Awaitable[None]] | None = None,
    ) -> None:
        """Write operation, cluster, events and `also` together or not at all."""
        subject, context = self.subject, self._work.context

        async def together(tx: Transaction) -> ClusterSubject:
            written = await clusters.change(
                tx,
                subject.cluster.id,
                cluster or ClusterValues(),
                events=len(happened),
                at=context.clock.now(),
            )
            changed = await operations.change(
                tx, subject.operation.id, values, epoch=subject.operation.epoch
            )
            if also is not None:
                await also(tx)
            await announce(context, tx, written, operation=changed, happened=happened)
            return replace(subject, cluster=written, operation=changed)

        self.subject = await persistently(self._work, together)


def _values_at_start(state: ClusterState) -> ClusterValues:
    match state:
        case ClusterState.PENDING:
            return ClusterValues(state=ClusterState.CREATING)
        case ClusterState.LIVE:
            return ClusterValues(state=ClusterState.UPDATING)
        case _:
            return ClusterValues()
