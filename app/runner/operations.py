"""One job owns one operation: it looks at the record and goes on from there."""

import asyncio
from datetime import timedelta

import structlog

from app.core.conditions import ConditionType
from app.core.deployment import Operation
from app.core.errors import FencedError
from app.core.event import (
    DeploymentCanceled,
    DeploymentFailed,
    DeploymentLive,
    DeploymentRolledBack,
    DeploymentUpdated,
    EventType,
)
from app.core.failure import Failure, TargetError
from app.core.lease import LeaseLostError
from app.core.lifecycle import (
    PHASE_ORDER,
    DeploymentState,
    OperationKind,
    OperationState,
    Phase,
)
from app.runner import failpoints
from app.runner.clusters import ClusterRunner
from app.runner.failures import canceled, deadline_exceeded, internal_error
from app.runner.ledger import Ledger
from app.runner.phases import Phases
from app.runner.records import persistently
from app.runner.regeneration import Regeneration
from app.runner.removals import Removals
from app.runner.running import AbortReason, RunningJob
from app.runner.steps import ConditionTuple
from app.runner.work import (
    CancelRequestedError,
    OperationFailedError,
    Work,
)
from app.services import tasks
from app.services.cancellation import values_when_given_up
from app.services.planning import SPEC_VERSION
from app.storage import deployments, jobs, steps
from app.storage.database import Connection, Transaction
from app.storage.deployments import DeploymentValues
from app.storage.steps import Kind

_LOG = structlog.get_logger(__name__)

# How long a job of a newer release waits until a worker that knows it may have come.
_PUT_BACK_FOR = timedelta(seconds=30)

_ENDED_WELL: dict[OperationKind, type[EventType]] = {
    OperationKind.DEPLOY: DeploymentLive,
    OperationKind.UPDATE: DeploymentUpdated,
    OperationKind.ROLLBACK: DeploymentRolledBack,
}


class OperationRunner:
    """Moves operations on, from wherever a worker left them, to a truthful end."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def advance(self, job: RunningJob, *, operation_id: str) -> None:
        """Run the operation to its end; nothing if it has ended or is not for us.

        A cancellation by the engine for a shutdown, or because this worker was held
        for dead, leaves the record for the next one.
        """
        with structlog.contextvars.bound_contextvars(operation_id=operation_id):
            found = await self._understood(operation_id)
            if found is None:
                return
            if found.cluster_id is not None and self._work.clusters is not None:
                clusters = ClusterRunner(self._work, self._work.clusters)
                await clusters.advance(job, operation_id)
                return
            ledger = await Ledger.open(self._work, operation_id)
            if ledger is None:
                return
            failpoints.reach("started")
            try:
                await self._run(job, ledger)
            except (FencedError, LeaseLostError) as error:
                _LOG.warning("operation_lost", reason=error.code)

    async def _understood(self, operation_id: str) -> Kind | None:
        """Put back a job that only a newer release, or another worker, understands."""

        async def look(connection: Connection) -> Kind:
            return await steps.kind(connection, operation_id)

        kind = await persistently(self._work, look, is_reading=True)
        if kind.spec_version <= SPEC_VERSION and self._is_ours(kind):
            return kind
        again = tasks.advance(
            operation_id,
            kind.endpoint_key,
            at=self._work.context.clock.now() + _PUT_BACK_FOR,
        )

        async def put_back(tx: Transaction) -> None:
            await jobs.defer(tx, [again])

        await persistently(self._work, put_back)
        return None

    def _is_ours(self, kind: Kind) -> bool:
        if kind.cluster_id is not None:
            return self._work.clusters is not None
        return kind.target in self._work.targets

    async def _run(self, job: RunningJob, ledger: Ledger) -> None:
        removals = Removals(self._work, ledger, job.lease)
        while True:
            try:
                if ledger.subject.operation.kind is OperationKind.REGENERATE:
                    await Regeneration(self._work, ledger, job.lease).run()
                    return
                await self._drive(
                    ledger, removals, Phases(self._work, ledger, job.lease)
                )
            except asyncio.CancelledError:
                if job.abort_reason is not AbortReason.USER_REQUEST:
                    raise
                # Somebody wants the record read again; what it says decides.
                _uncancel()
                await ledger.reload()
                continue
            return

    async def _drive(self, ledger: Ledger, removals: Removals, phases: Phases) -> None:
        if ledger.subject.operation.kind is OperationKind.DELETE:
            await removals.delete_all()
            return
        try:
            await self._go_on(ledger, phases)
        except CancelRequestedError:
            phase = ledger.subject.operation.phase or Phase.RESOLVE
            await self._give_up(ledger, removals, canceled(phase.value))
        except OperationFailedError as error:
            await self._give_up(ledger, removals, error.failure)
        except TargetError as error:
            await self._give_up(ledger, removals, error.failure)
        except (FencedError, LeaseLostError):
            raise
        except Exception as error:  # noqa: BLE001  # the last resort: settle, truthfully
            _LOG.exception("operation_broke")
            await self._give_up(ledger, removals, internal_error(error))
        else:
            await removals.retire_others()
            failpoints.reach("cleanup.done")
            await self._succeed(ledger)

    async def _go_on(self, ledger: Ledger, phases: Phases) -> None:
        if ledger.subject.operation.error is not None:
            raise OperationFailedError(ledger.subject.operation.error)
        try:
            async with asyncio.timeout(max(ledger.seconds_left, 0)):
                await self._phases(ledger, phases)
        except TimeoutError:
            operation = ledger.subject.operation
            allowed = operation.deadline_at - operation.created_at
            raise OperationFailedError(
                deadline_exceeded(allowed.total_seconds())
            ) from None

    async def _phases(self, ledger: Ledger, phases: Phases) -> None:
        begin = _where_to_begin(ledger.subject.operation)
        for phase, step in phases.steps().items():
            if PHASE_ORDER.index(phase) < PHASE_ORDER.index(begin):
                continue
            if _is_canceled(ledger):
                raise CancelRequestedError
            if ledger.subject.operation.phase is not phase:
                ledger.begin(phase)
            failpoints.reach(phase.value)
            await step()
        # From here on callers reach the revision: it is too late to cancel.
        if ledger.subject.operation.phase is not Phase.CLEANUP:
            ledger.begin(Phase.CLEANUP)
        await ledger.flush()
        failpoints.reach(Phase.CLEANUP.value)

    async def _succeed(self, ledger: Ledger) -> None:
        kind = ledger.subject.operation.kind
        values = DeploymentValues()
        if ledger.subject.deployment.state is not DeploymentState.DELETING:
            values["state"] = DeploymentState.LIVE
        await ledger.finish(
            OperationState.SUCCEEDED,
            deployment=values,
            happened=[_ENDED_WELL[kind]()],
        )

    async def _give_up(
        self, ledger: Ledger, removals: Removals, failure: Failure
    ) -> None:
        """Take away what the operation made, and end it as failed or canceled."""
        if ledger.subject.operation.error is None:
            await ledger.enter(Phase.CLEANUP, error=failure)
        await removals.withdraw()
        was_canceled = failure.code == "canceled"
        state = DeploymentState.CANCELED if was_canceled else DeploymentState.FAILED

        async def read(tx: Transaction) -> DeploymentValues:
            found = await deployments.lock(
                tx, ledger.subject.deployment.id, project=None
            )
            return await values_when_given_up(tx, found, state=state)

        happened: type[EventType] = (
            DeploymentCanceled if was_canceled else DeploymentFailed
        )
        await ledger.finish(
            OperationState.CANCELED if was_canceled else OperationState.FAILED,
            deployment=await persistently(self._work, read),
            conditions=_conditions_of(ledger, failure),
            happened=[happened(detail=failure.message)],
            error=failure,
        )


def _where_to_begin(operation: Operation) -> Phase:
    """Return the phase to go on with.

    What was up may have died with the worker that verified it or moved traffic to
    it, so those begin with another look at the target.
    """
    phase = operation.phase or Phase.RESOLVE
    return Phase.DEPLOY if phase in {Phase.VERIFY, Phase.SHIFT} else phase


def _is_canceled(ledger: Ledger) -> bool:
    operation: Operation = ledger.subject.operation
    return operation.cancel_requested_at is not None


def _conditions_of(ledger: Ledger, failure: Failure) -> list[ConditionTuple]:
    """Say that nothing serves; where something does, its conditions stay its own."""
    if ledger.subject.deployment.serving_revision is not None:
        return []
    reason = "".join(part.capitalize() for part in failure.code.split("_"))
    return [(ConditionType.SERVING, False, reason, failure.message)]


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
