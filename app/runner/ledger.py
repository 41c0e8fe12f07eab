"""Every write of a worker about its operation, fenced by the epoch it began with."""

from collections.abc import Sequence
from dataclasses import replace

from app.core.conditions import ConditionType
from app.core.deployment import Deployment, Operation, Revision
from app.core.errors import FencedError
from app.core.event import (
    DeploymentPhaseChanged,
    DeploymentProgress,
    EventType,
)
from app.core.failure import Failure
from app.core.lifecycle import (
    OperationState,
    Phase,
)
from app.core.target import Handle, Observation, ResolvedModel, azure_name
from app.runner.records import persistently
from app.runner.steps import ConditionTuple, Step, take, taking_up
from app.runner.work import Subject, Work
from app.services import admission
from app.services.events import notify_webhooks
from app.storage import revisions, steps
from app.storage.database import Connection, Transaction
from app.storage.deployments import DeploymentValues
from app.storage.events import NewEvent
from app.storage.operations import OperationValues
from app.storage.steps import ChangedMeanwhileError, Standing


class Ledger:
    """The records of one operation, as its worker may write them.

    Every write takes the deployment's row first, so that no two transactions wait
    for one another, and names the epoch: FencedError means that another worker has
    taken over. A database that is away is waited for; the engine ends the wait.

    What is noted is written with the next write, in order and in one transaction;
    `flush` writes it before anything outside is called. `subject` has it already.
    """

    def __init__(self, work: Work, found: Standing) -> None:
        self._work = work
        left = found.operation.deadline_at - found.read_at
        self.seconds_left = left.total_seconds()
        self.subject = Subject(
            workspace=found.workspace,
            deployment=found.deployment,
            operation=found.operation,
            revision=found.revision,
        )
        # As the database has them; None while it is not sure what it has.
        self._stored: tuple[Deployment, Operation] | None
        self._stored = (found.deployment, found.operation)
        self._noted: list[Step] = []
        self._told: list[NewEvent] = []

    @classmethod
    async def open(cls, work: Work, operation_id: str) -> "Ledger | None":
        """Take the operation up: a new epoch, state running, the event of it.

        None if it has ended, so that a job that comes late does nothing.
        """
        while True:
            found = await _find(work, operation_id)
            if found.operation.state.is_terminal:
                return None
            ledger = cls(work, found)
            ledger.note(taking_up(work.context, found))
            try:
                await ledger._store()
            except ChangedMeanwhileError:
                continue
            return ledger

    async def reload(self) -> Operation:
        """Return the operation as it stands, to see whether it was canceled.

        What was noted and not yet written is forgotten: the record decides.
        """
        self._noted, self._told = [], []
        await self._reread()
        return self.subject.operation

    def begin(self, phase: Phase) -> None:
        """Note that `phase` begins."""
        self.note(
            Step(
                operation=OperationValues(phase=phase),
                happened=[DeploymentPhaseChanged(detail=phase.value)],
            )
        )

    async def enter(self, phase: Phase, *, error: Failure | None = None) -> None:
        """Record that `phase` begins, and why if it is the clean-up of a failure."""
        values = OperationValues(phase=phase)
        if error is not None:
            values["error"] = error
        happened = [DeploymentPhaseChanged(detail=phase.value)]
        await self.write(Step(operation=values, happened=happened))

    async def progress(self, detail: str) -> None:
        """Record one line about what moves within the phase."""
        await self.write(Step(happened=[DeploymentProgress(detail=detail)]))

    async def saw(
        self, handle: Handle, seen: Observation, *, progress: str | None = None
    ) -> None:
        """Record one look: Azure's own word for the state, and what moved.

        Nothing is written while neither says anything new.
        """
        values = DeploymentValues()
        is_news = seen.raw_state != self.subject.deployment.azure_state
        if azure_name(handle) is not None and is_news:
            values["azure_state"] = seen.raw_state
        # An event's detail is one line, and a target may have several to tell.
        lines = progress.splitlines() if progress else []
        happened = [DeploymentProgress(detail=line) for line in lines if line]
        if values or happened:
            await self.write(Step(deployment=values, happened=happened))

    async def serving_revision(self) -> Revision | None:
        """Return the revision that callers reach, as it stands; None if none."""
        deployment = self.subject.deployment
        number = deployment.serving_revision
        if number is None:
            return None

        async def read(tx: Transaction) -> Revision:
            return await revisions.get(tx, deployment.id, number)

        return await persistently(self._work, read, is_reading=True)

    def keep_model(self, model: ResolvedModel) -> None:
        """Note that the revision is pinned to `model` for ever."""
        number = self.subject.revision.number
        values = DeploymentValues()
        if self.subject.deployment.serving_revision is None:
            values["model"] = model

        async def pin(tx: Transaction, deployment_id: str) -> None:
            await revisions.set_model(tx, deployment_id, number, model)

        self.note(
            Step(
                deployment=values,
                conditions=[(ConditionType.MODEL_READY, True, "Resolved", model.uri)],
                happened=[DeploymentProgress(detail=f"model pinned to {model.uri}")],
                also=pin,
            )
        )
        pinned = replace(self.subject.revision, model=model)
        self.subject = replace(self.subject, revision=pinned)

    async def keep_handle(self, number: int, handle: Handle | None) -> None:
        """Record where the target has revision `number`; None once it is gone."""

        async def keep(tx: Transaction, deployment_id: str) -> None:
            await revisions.set_handle(tx, deployment_id, number, handle)

        await self.write(Step(also=keep))
        if number == self.subject.revision.number:
            kept = replace(self.subject.revision, handle=handle)
            self.subject = replace(self.subject, revision=kept)

    async def keep_log(self, number: int, lines: Sequence[str]) -> None:
        """Keep the last log of a revision that is about to go."""

        async def keep(tx: Transaction, deployment_id: str) -> None:
            await revisions.set_log_tail(tx, deployment_id, number, lines)

        await self.write(Step(also=keep))

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
            Step(
                operation=values,
                deployment=deployment,
                conditions=conditions,
                happened=happened,
                also=admit,
            )
        )

    async def write(self, step: Step) -> None:
        """Write `step`, and what was noted before it, together or not at all."""
        self.note(step)
        await self.flush()

    def note(self, step: Step) -> None:
        """Have `step` written with the next one, or by `flush`."""
        self.subject, told = take(self._work.context, self.subject, step)
        self._noted.append(step)
        self._told.extend(told)

    async def flush(self) -> None:
        """Write what was noted, if anything was, in one transaction.

        If somebody else wrote to the deployment since it was read, the steps are
        taken again from what stands now.
        """
        while self._noted:
            if self._stored is None:
                await self._reread()
            noted = self._noted
            try:
                await self._store()
            except ChangedMeanwhileError:
                self._noted = noted

    async def _store(self) -> None:
        before, subject, context = self._stored, self.subject, self._work.context
        noted, told = self._noted, self._told
        if before is None:
            raise ChangedMeanwhileError
        after = (subject.deployment, subject.operation)

        async def together(tx: Transaction) -> None:
            is_heard = await steps.write(tx, before, after, told=told)
            for step in noted:
                if step.also is not None:
                    await step.also(tx, subject.deployment.id)
            if is_heard and told:
                await notify_webhooks(context, tx, subject.deployment, told)

        # A cancellation from here on leaves open what was kept, so each step is
        # tried once, and what follows begins with another look.
        self._stored, self._noted, self._told = None, [], []
        await persistently(self._work, together)
        self._stored = after

    async def _reread(self) -> None:
        """Take what was noted again, from what stands now; FencedError if not ours."""
        mine = self.subject.operation
        found = await _find(self._work, mine.id)
        if found.operation.epoch != mine.epoch or found.operation.state.is_terminal:
            raise FencedError(f"Operation {mine.id} is not ours to change any more.")
        self._stored = (found.deployment, found.operation)
        noted, self._noted, self._told = self._noted, [], []
        self.subject = replace(
            self.subject,
            deployment=found.deployment,
            operation=found.operation,
            # Noted steps may know more of it than the record.
            revision=self.subject.revision if noted else found.revision,
        )
        for step in noted:
            self.note(step)


async def _find(work: Work, operation_id: str) -> Standing:
    async def read(connection: Connection) -> Standing:
        return await steps.find(connection, operation_id)

    return await persistently(work, read, is_reading=True)
