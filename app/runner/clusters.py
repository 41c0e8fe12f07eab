"""The job of a cluster's operation: create or adopt, wait, and take away."""

import asyncio

import structlog

from app.core.cluster_port import (
    ClusterPort,
    ClusterRequest,
    ComputePhase,
    UnderlyingAction,
)
from app.core.errors import FencedError
from app.core.event import (
    ClusterCanceled,
    ClusterDeleted,
    ClusterFailed,
    ClusterLive,
    ClusterUpdated,
    EventType,
)
from app.core.failure import Failure, FailureCode, TargetError
from app.core.lease import Lease, LeaseLostError
from app.core.lifecycle import ClusterState, OperationKind, OperationState, Phase
from app.runner import failpoints
from app.runner.cluster_calls import FIRST_LOOK_SECONDS, ClusterCalls
from app.runner.cluster_failures import cluster_failed, delete_failed
from app.runner.cluster_ledger import ClusterLedger
from app.runner.failures import canceled, deadline_exceeded, internal_error
from app.runner.running import AbortReason, RunningJob
from app.runner.work import CancelRequestedError, OperationFailedError, Work
from app.services.cluster_cancellation import values_when_given_up
from app.storage.clusters import ClusterValues

_LOG = structlog.get_logger(__name__)

# What a canceled creation may take to be gone before its record says so.
_WITHDRAW_SECONDS = 3600.0
_CHANGED = {
    OperationKind.CLUSTER_CREATE: ClusterLive,
    OperationKind.CLUSTER_ATTACH: ClusterLive,
    OperationKind.CLUSTER_UPDATE: ClusterUpdated,
}


class ClusterRunner:
    """Moves operations of clusters on, from wherever a worker left them, to an end."""

    def __init__(self, work: Work, port: ClusterPort) -> None:
        self._work = work
        self._port = port

    async def advance(self, job: RunningJob, operation_id: str) -> None:
        """Run the operation to its end; nothing if it has ended."""
        ledger = await ClusterLedger.open(self._work, operation_id)
        if ledger is None:
            return
        failpoints.reach("started")
        run = _Run(self._work, self._port, ledger, job.lease)
        try:
            while not await self._ended(job, run):
                await ledger.reload()
        except (FencedError, LeaseLostError) as error:
            _LOG.warning("operation_lost", reason=error.code)

    async def _ended(self, job: RunningJob, run: "_Run") -> bool:
        """Run on; False if somebody wants the record read again first."""
        try:
            await run.drive()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if job.abort_reason is not AbortReason.USER_REQUEST or task is None:
                raise
            task.uncancel()
            return False
        return True


class _Run:
    """One operation at work, on the port and the operation's ledger."""

    def __init__(
        self, work: Work, port: ClusterPort, ledger: ClusterLedger, lease: Lease
    ) -> None:
        self._ledger = ledger
        self._calls = ClusterCalls(work, port, ledger=ledger, lease=lease)

    async def drive(self) -> None:
        """Do what the operation is for and record how it ended."""
        if self._ledger.subject.operation.kind.is_removal:
            await self._remove()
            return
        try:
            await self._change()
        except CancelRequestedError:
            await self._give_up(canceled(Phase.PROVISION.value))
        except OperationFailedError as error:
            await self._give_up(error.failure)
        except TargetError as error:
            await self._give_up(error.failure)
        except (FencedError, LeaseLostError):
            raise
        except Exception as error:  # noqa: BLE001  # the last resort: settle, truthfully
            _LOG.exception("operation_broke")
            await self._give_up(internal_error(error))

    async def _change(self) -> None:
        operation = self._ledger.subject.operation
        if operation.error is not None:
            raise OperationFailedError(operation.error)
        if operation.cancel_requested_at is not None:
            raise CancelRequestedError
        if operation.phase is not Phase.PROVISION:
            await self._ledger.enter(Phase.PROVISION)
        try:
            async with asyncio.timeout(max(self._ledger.seconds_left, 0)):
                await self._until_ready()
        except TimeoutError:
            allowed = operation.deadline_at - operation.created_at
            raise OperationFailedError(
                deadline_exceeded(allowed.total_seconds())
            ) from None
        happened: EventType = _CHANGED[operation.kind]()
        values = ClusterValues(applied_spec=self._ledger.subject.cluster.spec)
        if self._ledger.subject.cluster.state is not ClusterState.DELETING:
            values["state"] = ClusterState.LIVE
        await self._ledger.finish(
            OperationState.SUCCEEDED, cluster=values, happened=[happened]
        )

    async def _until_ready(self) -> None:
        """Return once the compute stands at Azure as it is wanted."""
        subject = self._ledger.subject
        request = ClusterRequest(
            workspace=subject.workspace,
            name=subject.cluster.name,
            spec=subject.cluster.spec,
            mark=self._calls.mark(),
            may_replace=subject.cluster.applied_spec is None,
            secrets=await self._ledger.secrets(),
        )
        seen = await self._calls.apply(request)
        failpoints.reach("cluster.applied")
        pause = FIRST_LOOK_SECONDS
        while True:
            await self._ledger.saw(seen)
            match seen.phase:
                case ComputePhase.READY if seen.spec_fingerprint == request.fingerprint:
                    return
                case ComputePhase.FAILED:
                    raise OperationFailedError(cluster_failed(seen))
                case ComputePhase.MISSING | ComputePhase.READY:
                    seen = await self._calls.apply(request)
                    continue
                case ComputePhase.CHANGING | ComputePhase.DELETING:
                    pass
            pause = await self._calls.pause(seen, pause)
            seen = await self._calls.look()

    async def _give_up(self, failure: Failure) -> None:
        """End the operation as failed or canceled.

        A canceled creation is taken back. What failed stays at Azure to be looked at,
        and is replaced by the next try.
        """
        if self._ledger.subject.operation.error is None:
            await self._ledger.enter(Phase.CLEANUP, error=failure)
        was_canceled = failure.code is FailureCode.CANCELED
        subject = self._ledger.subject
        is_first = subject.cluster.applied_spec is None
        is_leaving = subject.cluster.state is ClusterState.DELETING
        if was_canceled and is_first and not is_leaving:
            await self._withdraw()
        await self._ledger.reload()
        values = values_when_given_up(
            self._ledger.subject.cluster.state,
            subject.operation,
            failed_as=ClusterState.CANCELED if was_canceled else ClusterState.FAILED,
        )
        if subject.cluster.applied_spec is not None:
            values["spec"] = subject.cluster.applied_spec
        happened = ClusterCanceled if was_canceled else ClusterFailed
        await self._ledger.finish(
            OperationState.CANCELED if was_canceled else OperationState.FAILED,
            cluster=values,
            happened=[happened(detail=failure.message)],
            error=failure,
        )

    async def _withdraw(self) -> None:
        attached = self._ledger.subject.operation.kind is OperationKind.CLUSTER_ATTACH
        action = UnderlyingAction.DETACH if attached else UnderlyingAction.DELETE
        try:
            async with asyncio.timeout(_WITHDRAW_SECONDS):
                await self._calls.until_gone(action)
        except (TargetError, OperationFailedError, TimeoutError) as error:
            _LOG.warning("withdraw_failed", detail=str(error))
            await self._ledger.progress(f"could not be removed yet: {error}")

    async def _remove(self) -> None:
        operation = self._ledger.subject.operation
        if operation.phase is not Phase.CLEANUP:
            await self._ledger.enter(Phase.CLEANUP)
        detaches = operation.kind is OperationKind.CLUSTER_DETACH
        action = UnderlyingAction.DETACH if detaches else UnderlyingAction.DELETE
        allowed = operation.deadline_at - operation.created_at
        try:
            async with asyncio.timeout(max(self._ledger.seconds_left, 0)):
                await self._calls.until_gone(action)
        except TimeoutError:
            failure = deadline_exceeded(allowed.total_seconds())
        except (TargetError, OperationFailedError) as error:
            failure = error.failure
        else:
            await self._ledger.finish(
                OperationState.SUCCEEDED,
                cluster=ClusterValues(
                    state=ClusterState.DELETED, provisioning_state=None
                ),
                happened=[ClusterDeleted(detail=f"underlying cluster: {action}")],
            )
            return
        told = delete_failed(failure)
        await self._ledger.finish(
            OperationState.FAILED,
            cluster=ClusterValues(state=ClusterState.FAILED),
            happened=[ClusterFailed(detail=told.message)],
            error=told,
        )
