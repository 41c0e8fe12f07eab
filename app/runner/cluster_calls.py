"""What a cluster's operation asks of Azure, again where Azure is only away."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from app.core.cluster_port import (
    ClusterMark,
    ClusterPort,
    ClusterRequest,
    Compute,
    ComputePhase,
    UnderlyingAction,
)
from app.core.failure import TargetError
from app.core.lease import Lease
from app.core.retry import backoff
from app.runner import failpoints
from app.runner.cluster_failures import cluster_failed
from app.runner.cluster_ledger import ClusterLedger
from app.runner.work import OperationFailedError, Work

_Result = TypeVar("_Result")

# Between two looks: a cluster takes Azure minutes at the least.
FIRST_LOOK_SECONDS = 1.0
_LONGEST_LOOK_SECONDS = 15.0
# Azure that does not answer is asked again this often, seven minutes in all.
_TRIES = 12
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(seconds=60)


class ClusterCalls:
    """The port as one operation uses it, under the worker's lease."""

    def __init__(
        self, work: Work, port: ClusterPort, *, ledger: ClusterLedger, lease: Lease
    ) -> None:
        self._work = work
        self._port = port
        self._ledger = ledger
        self._lease = lease

    async def apply(self, request: ClusterRequest) -> Compute:
        """Have the compute made as asked, or find that it was."""
        return await self._insist(lambda: self._port.apply(request, self._lease))

    async def until_gone(self, action: UnderlyingAction) -> None:
        """Return once the workspace has the compute no more, or it is not ours."""
        pause = FIRST_LOOK_SECONDS
        is_going = False
        while True:
            # Azure refuses while it is still at work on the compute: asked again.
            seen = await (self.look() if is_going else self._begin_removal(action))
            await self._ledger.saw(seen)
            if seen.phase is ComputePhase.MISSING:
                return
            if is_going and seen.phase is not ComputePhase.DELETING:
                raise OperationFailedError(cluster_failed(seen))
            is_going = seen.phase is ComputePhase.DELETING
            pause = await self.pause(seen, pause)

    async def _begin_removal(self, action: UnderlyingAction) -> Compute:
        subject = self._ledger.subject
        seen = await self._insist(
            lambda: self._port.remove(
                subject.workspace,
                subject.cluster.name,
                action,
                mark=self.mark(),
                lease=self._lease,
            )
        )
        failpoints.reach("cluster.removing")
        return seen

    def mark(self) -> ClusterMark:
        """Return what is written on the compute by this operation."""
        operation = self._ledger.subject.operation
        return ClusterMark(
            installation=self._work.installation_id,
            cluster=operation.subject_id,
            operation=operation.id,
            epoch=operation.epoch,
        )

    async def look(self) -> Compute:
        """Return what Azure says of the compute now."""
        subject = self._ledger.subject
        return await self._insist(
            lambda: self._port.find(subject.workspace, subject.cluster.name)
        )

    async def pause(self, seen: Compute, pause: float) -> float:
        """Wait before the next look, and return how long to wait after that one."""
        seconds = seen.retry_after_seconds or pause
        await self._work.context.clock.sleep(seconds)
        return min(pause * 1.5, _LONGEST_LOOK_SECONDS)

    async def _insist(self, attempt: Callable[[], Awaitable[_Result]]) -> _Result:
        """Return what `attempt` does, tried again while it fails for a time only."""
        for failures in range(1, _TRIES + 1):
            try:
                return await attempt()
            except TargetError as error:
                if not error.transient or failures == _TRIES:
                    raise OperationFailedError(error.failure) from error
                await self._ledger.progress(
                    f"{error.failure.message} Trying again ({failures}/{_TRIES})."
                )
            wait = backoff(failures, _FIRST_WAIT, cap=_LONGEST_WAIT, jitter=0)
            await self._work.context.clock.sleep(wait.total_seconds())
        raise AssertionError("the last try returns or raises")
