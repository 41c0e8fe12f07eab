"""Every write of a worker about its operation, fenced by the epoch it began with."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from app.core.conditions import Condition, ConditionStatus, ConditionType, merge
from app.core.deployment import Deployment, Operation
from app.core.errors import UnavailableError
from app.core.event import (
    DeploymentPhaseChanged,
    DeploymentProgress,
    DeploymentStarted,
    EventType,
)
from app.core.failure import Failure
from app.core.lifecycle import (
    DeploymentState,
    OperationKind,
    OperationState,
    Phase,
)
from app.core.retry import backoff
from app.core.target import Handle, ResolvedModel
from app.runner.work import Subject, Work
from app.services import admission
from app.services.events import announce, record
from app.storage import deployments, operations, revisions, workspaces
from app.storage.database import Transaction, database_now
from app.storage.deployments import DeploymentValues
from app.storage.operations import OperationValues

_LOG = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

# A condition as the phases tell it: type, whether it holds, reason, message.
ConditionTuple = tuple[ConditionType, bool | None, str, str]

_FIRST_WAIT = timedelta(milliseconds=100)
_LONGEST_WAIT = timedelta(seconds=2)


class Ledger:
    """The records of one operation, as its worker may write them.

    Every write takes the deployment's row first, so that no two transactions wait
    for one another, and names the epoch: FencedError means that another worker has
    taken over. A database that is away is waited for; the engine ends the wait.
    """

    def __init__(self, work: Work, subject: Subject, *, seconds_left: float) -> None:
        self._work = work
        self.subject = subject
        self.seconds_left = seconds_left

    @classmethod
    async def open(cls, work: Work, operation_id: str) -> "Ledger | None":
        """Take the operation up: a new epoch, state running, the event of it.

        None if it has ended, so that a job that comes late does nothing.
        """

        async def take_up(tx: Transaction) -> "Ledger | None":
            found = await operations.get(tx, operation_id, project=None)
            await deployments.lock(tx, found.deployment_id, project=None)
            operation = await operations.take_up(
                tx, operation_id, at=work.context.clock.now()
            )
            if operation is None:
                return None
            return await cls._opened(work, tx, operation)

        return await persistently(work, take_up)

    async def reload(self) -> Operation:
        """Return the operation as it stands, to see whether it was canceled."""
        subject = self.subject

        async def read(tx: Transaction) -> tuple[Deployment, Operation]:
            found, _ = await deployments.get(tx, subject.deployment.id, project=None)
            operation = await operations.get(tx, subject.operation.id, project=None)
            return found, operation

        found, operation = await persistently(self._work, read)
        self.subject = replace(subject, deployment=found, operation=operation)
        return operation

    async def enter(self, phase: Phase, *, error: Failure | None = None) -> None:
        """Record that `phase` begins, and why if it is the clean-up of a failure."""
        values = OperationValues(phase=phase)
        if error is not None:
            values["error"] = error
        await self.write(values, happened=[DeploymentPhaseChanged(detail=phase.value)])

    async def progress(self, detail: str) -> None:
        """Record one line about what moves within the phase."""
        await self.write(
            OperationValues(), happened=[DeploymentProgress(detail=detail)]
        )

    async def keep_model(self, model: ResolvedModel) -> None:
        """Pin the revision to `model` for ever."""
        number = self.subject.revision.number
        values = DeploymentValues()
        if self.subject.deployment.serving_revision is None:
            values["model"] = model

        async def pin(tx: Transaction, deployment_id: str) -> None:
            await revisions.set_model(tx, deployment_id, number, model)

        await self.write(
            OperationValues(),
            deployment=values,
            conditions=[(ConditionType.MODEL_READY, True, "Resolved", model.uri)],
            happened=[DeploymentProgress(detail=f"model pinned to {model.uri}")],
            also=pin,
        )
        pinned = replace(self.subject.revision, model=model)
        self.subject = replace(self.subject, revision=pinned)

    async def keep_handle(self, number: int, handle: Handle | None) -> None:
        """Record where the target has revision `number`; None once it is gone."""

        async def keep(tx: Transaction, deployment_id: str) -> None:
            await revisions.set_handle(tx, deployment_id, number, handle)

        await self.write(OperationValues(), also=keep)
        if number == self.subject.revision.number:
            kept = replace(self.subject.revision, handle=handle)
            self.subject = replace(self.subject, revision=kept)

    async def keep_log(self, number: int, lines: Sequence[str]) -> None:
        """Keep the last log of a revision that is about to go."""

        async def keep(tx: Transaction, deployment_id: str) -> None:
            await revisions.set_log_tail(tx, deployment_id, number, lines)

        await self.write(OperationValues(), also=keep)

    async def finish(
        self,
        state: OperationState,
        *,
        deployment: DeploymentValues,
        conditions: Sequence[ConditionTuple] = (),
        happened: Sequence[EventType],
        error: Failure | None = None,
    ) -> None:
        """End the operation for ever and let the next one in, in one transaction."""
        work, workspace_id = self._work, self.subject.workspace.id

        async def admit(tx: Transaction, _deployment_id: str) -> None:
            await admission.admit_next(work.context, tx, workspace_id)

        values = OperationValues(
            state=state, error=error, finished_at=work.context.clock.now()
        )
        await self.write(
            values,
            deployment=deployment,
            conditions=conditions,
            happened=happened,
            also=admit,
        )

    async def write(
        self,
        values: OperationValues,
        *,
        deployment: DeploymentValues | None = None,
        conditions: Sequence[ConditionTuple] = (),
        happened: Sequence[EventType] = (),
        also: Callable[[Transaction, str], Awaitable[None]] | None = None,
    ) -> None:
        """Write operation, deployment, events and `also` together or not at all."""
        subject, context = self.subject, self._work.context

        async def together(tx: Transaction) -> tuple[Deployment, Operation]:
            columns = DeploymentValues(**(deployment or DeploymentValues()))
            if conditions:
                standing = await deployments.lock(
                    tx, subject.deployment.id, project=None
                )
                columns["conditions"] = merge(
                    standing.conditions,
                    [_condition(item, context.clock.now()) for item in conditions],
                )
            written = await deployments.change(
                tx,
                subject.deployment.id,
                columns,
                events=len(happened),
                at=context.clock.now(),
            )
            changed = await operations.change(
                tx, subject.operation.id, values, epoch=subject.operation.epoch
            )
            if also is not None:
                await also(tx, written.id)
            await announce(context, tx, written, operation=changed, happened=happened)
            return written, changed

        written, changed = await persistently(self._work, together)
        self.subject = replace(subject, deployment=written, operation=changed)

    @classmethod
    async def _opened(
        cls, work: Work, tx: Transaction, operation: Operation
    ) -> "Ledger":
        deployment = await deployments.lock(tx, operation.deployment_id, project=None)
        number = operation.revision or deployment.wanted_revision
        revision = await revisions.get(tx, deployment.id, number)
        changed = await record(
            work.context,
            tx,
            deployment.id,
            values=_values_at_start(deployment.state, operation.kind),
            operation=operation,
            happened=[DeploymentStarted(detail=_how_started(operation))],
        )
        subject = Subject(
            workspace=await workspaces.get_by_id(tx, operation.workspace_id),
            deployment=changed,
            operation=operation,
            revision=revision,
        )
        left = operation.deadline_at - await database_now(tx)
        return cls(work, subject, seconds_left=left.total_seconds())


async def persistently(
    work: Work, action: Callable[[Transaction], Awaitable[_Result]]
) -> _Result:
    """Run `action` in a transaction, again and again while the database is away.

    A worker that loses its lease meanwhile is canceled by the engine.
    """
    failures = 0
    while True:
        try:
            async with work.context.database.transaction() as tx:
                return await action(tx)
        except UnavailableError:
            failures += 1
            _LOG.warning("database_away", failures=failures)
        wait = backoff(failures, _FIRST_WAIT, cap=_LONGEST_WAIT, jitter=0.5)
        await asyncio.sleep(wait.total_seconds())


def _values_at_start(state: DeploymentState, kind: OperationKind) -> DeploymentValues:
    if kind is OperationKind.DELETE:
        return DeploymentValues()
    match state:
        case DeploymentState.PENDING:
            return DeploymentValues(state=DeploymentState.DEPLOYING)
        case DeploymentState.LIVE:
            return DeploymentValues(state=DeploymentState.UPDATING)
        case _:
            return DeploymentValues()


def _how_started(operation: Operation) -> str:
    if operation.epoch == 1:
        return "a worker took the operation up"
    phase = operation.phase.value if operation.phase is not None else "the start"
    return f"a worker took the operation up again, at {phase}"


def _condition(item: ConditionTuple, at: datetime) -> Condition:
    kind, holds, reason, message = item
    statuses = {
        True: ConditionStatus.TRUE,
        False: ConditionStatus.FALSE,
        None: ConditionStatus.UNKNOWN,
    }
    return Condition(
        type=kind,
        status=statuses[holds],
        reason=reason,
        message=message,
        last_transition_at=at,
    )
