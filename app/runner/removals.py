"""Take things away at a target: what failed, what was replaced, what is deleted."""

import asyncio
from datetime import timedelta

import structlog

from app.core.conditions import ConditionType
from app.core.deployment import Revision
from app.core.event import (
    DeploymentDeleted,
    DeploymentFailed,
    DeploymentUnreachable,
)
from app.core.failure import Blame, Failure, FailureCode, TargetError
from app.core.lease import Lease
from app.core.lifecycle import DeploymentState, OperationState, Phase
from app.core.retry import backoff
from app.core.target import ChangesInPlace, SupportsLogs, SupportsTraffic, Target
from app.runner import failpoints
from app.runner.arrivals import Arrivals
from app.runner.failures import deadline_exceeded
from app.runner.ledger import Ledger
from app.runner.records import persistently
from app.runner.steps import Step
from app.runner.work import OperationFailedError, Work
from app.storage import revisions
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues

_LOG = structlog.get_logger(__name__)

_TRIES = 5
_FIRST_WAIT = timedelta(milliseconds=500)
_LONGEST_WAIT = timedelta(seconds=5)
_LOG_LINES_KEPT = 200
# What a change in place undoes took Azure up to 20 minutes to do.
_PUT_BACK_SECONDS = 1800.0


class Removals:
    """What one operation takes away; missing things are success everywhere."""

    def __init__(self, work: Work, ledger: Ledger, lease: Lease) -> None:
        self._work = work
        self._ledger = ledger
        self._lease = lease

    async def delete_all(self) -> None:
        """Carry out a delete: every revision, then the endpoint, then the record."""
        operation = self._ledger.subject.operation
        if operation.phase is not Phase.CLEANUP:
            await self._ledger.enter(Phase.CLEANUP)
        failpoints.reach("delete")
        try:
            if not operation.keep_at_target:
                await self._remove_everything()
        except TargetError as error:
            await self._delete_failed(error.failure)
            return
        failpoints.reach("delete.removed")
        await self._ledger.finish(
            OperationState.SUCCEEDED,
            deployment=DeploymentValues(
                state=DeploymentState.DELETED,
                serving=False,
                serving_revision=None,
                scoring_uri=None,
                swagger_uri=None,
                traffic=(),
            ),
            conditions=[(ConditionType.SERVING, False, "Deleted", "")],
            happened=[DeploymentDeleted()],
        )

    async def withdraw(self) -> None:
        """Take away what a failed or canceled operation brought to the target.

        What serves, or shares its slot with what serves, is never touched. Callers
        are sent back to it first, in case traffic had already moved. A target that
        refuses leaves the handle in the record, and the housekeeping tries again.
        """
        subject = self._ledger.subject
        target = self._work.target(subject.revision.spec.target.kind)
        try:
            await self._send_callers_back(target)
            revision = await self._reread(subject.revision)
            if isinstance(target, ChangesInPlace) and self._has_other(revision):
                await self._keep_last_log(target, revision)
                await self._put_back(target)
                await self._ledger.keep_handle(revision.number, None)
            elif not await self._is_in_use(revision):
                await self._remove(target, revision)
        except OperationFailedError as error:
            _LOG.warning("put_back_failed", cause=error.failure.cause)
            await self._not_put_back(error.failure)
        except TimeoutError:
            await self._not_put_back(deadline_exceeded(_PUT_BACK_SECONDS))
        except TargetError as error:
            _LOG.warning("withdraw_failed", detail=error.detail)
            await self._ledger.progress(f"could not be removed yet: {error.detail}")

    def _has_other(self, revision: Revision) -> bool:
        """Whether another revision served before this one and is to stay."""
        deployment = self._ledger.subject.deployment
        serving = deployment.serving_revision
        is_going = deployment.state is DeploymentState.DELETING
        return serving not in {None, revision.number} and not is_going

    async def _put_back(self, target: Target) -> None:
        """Apply what served before, where a change was made to that very thing.

        Raises OperationFailedError if it does not come up again.
        """
        serving = await self._ledger.serving_revision()
        if serving is None:
            return
        arrivals = Arrivals(self._work, self._ledger, self._lease)
        await self._ledger.progress(f"putting revision {serving.number} back")
        handle = await arrivals.apply(target, serving)
        await self._ledger.keep_handle(serving.number, handle)
        async with asyncio.timeout(_PUT_BACK_SECONDS):
            await arrivals.wait(target, serving, handle)

    async def _not_put_back(self, failure: Failure) -> None:
        """Record that the revision from before the change serves nobody any more."""
        reason = failure.cause or failure.message
        await self._ledger.write(
            Step(
                deployment=DeploymentValues(serving=False),
                conditions=[(ConditionType.SERVING, False, "NotPutBack", reason)],
                happened=[DeploymentUnreachable(detail=f"not put back: {reason}")],
            )
        )

    async def retire_others(self) -> None:
        """Remove every revision but the one that callers now reach."""
        target = self._work.target(self._ledger.subject.revision.spec.target.kind)
        for revision in await self._with_handles():
            if revision.number == self._ledger.subject.deployment.serving_revision:
                continue
            if await self._is_in_use(revision):
                await self._forget_shared(target, revision)
                continue
            try:
                await self._remove(target, revision)
            except TargetError as error:
                _LOG.warning("retire_failed", detail=error.detail)
                continue
            await self._ledger.progress(f"revision {revision.number} was removed")

    async def _forget_shared(self, target: Target, revision: Revision) -> None:
        """Drop the second name of a thing that now goes by its new revision alone."""
        if isinstance(target, ChangesInPlace):
            await self._ledger.keep_handle(revision.number, None)

    async def _remove_everything(self) -> None:
        subject = self._ledger.subject
        target = self._work.target(subject.deployment.spec.target.kind)
        for revision in await self._with_handles():
            await self._remove(target, revision)
            await self._ledger.progress(f"revision {revision.number} is gone")
        if isinstance(target, SupportsTraffic):
            async with self._work.locks.held(subject.deployment.endpoint_key):
                await target.close(subject.deployment.endpoint_key)

    async def _remove(self, target: Target, revision: Revision) -> None:
        handle = revision.handle
        if handle is None:
            return
        await self._keep_last_log(target, revision)
        async with self._work.locks.held(self._ledger.subject.deployment.endpoint_key):
            await self._delete_at(target, revision)
        await self._ledger.keep_handle(revision.number, None)

    async def _keep_last_log(self, target: Target, revision: Revision) -> None:
        if revision.handle is None or not isinstance(target, SupportsLogs):
            return
        lines = await target.logs(revision.handle, source="model", tail=_LOG_LINES_KEPT)
        if lines:
            await self._ledger.keep_log(revision.number, lines)

    async def _delete_at(self, target: Target, revision: Revision) -> None:
        for failures in range(1, _TRIES + 1):
            try:
                await target.delete(revision.handle or {}, self._lease)
            except TargetError as error:
                if not error.transient or failures == _TRIES:
                    raise
            else:
                return
            wait = backoff(failures, _FIRST_WAIT, cap=_LONGEST_WAIT, jitter=0)
            await asyncio.sleep(wait.total_seconds())

    async def _send_callers_back(self, target: Target) -> None:
        subject = self._ledger.subject
        if subject.operation.phase is None or not isinstance(target, SupportsTraffic):
            return
        endpoint = subject.deployment.endpoint_key
        async with self._work.locks.held(endpoint):
            serving = subject.deployment.serving_revision
            if serving is None:
                await target.close(endpoint)
                return
            revision = await self._reread_number(serving)
            if revision.handle is not None:
                await target.shift(
                    endpoint, revision.handle, previous=subject.deployment.scoring_uri
                )

    async def _is_in_use(self, revision: Revision) -> bool:
        serving = await self._ledger.serving_revision()
        if serving is None:
            return False
        shares_thing = revision.handle is not None and revision.handle == serving.handle
        return revision.slot == serving.slot or shares_thing

    async def _with_handles(self) -> list[Revision]:
        deployment_id = self._ledger.subject.deployment.id

        async def read(tx: Transaction) -> list[Revision]:
            return await revisions.with_handle(tx, deployment_id)

        return await persistently(self._work, read, is_reading=True)

    async def _reread(self, revision: Revision) -> Revision:
        return await self._reread_number(revision.number)

    async def _reread_number(self, number: int) -> Revision:
        deployment_id = self._ledger.subject.deployment.id

        async def read(tx: Transaction) -> Revision:
            return await revisions.get(tx, deployment_id, number)

        return await persistently(self._work, read, is_reading=True)

    async def _delete_failed(self, failure: Failure) -> None:
        told = Failure(
            code=FailureCode.DELETE_FAILED,
            message="The target did not confirm the delete.",
            cause=failure.cause or failure.message,
            remedy="Retry the operation; `?at_azure=keep` forgets without touching.",
            retryable=True,
            blame=failure.blame if failure.blame is not Blame.CALLER else Blame.SLIPWAY,
            evidence=failure.evidence,
        )
        await self._ledger.finish(
            OperationState.FAILED,
            deployment=DeploymentValues(state=DeploymentState.FAILED),
            conditions=[
                (ConditionType.PROVISIONED, None, "DeleteFailed", told.message)
            ],
            happened=[DeploymentFailed(detail=told.message)],
            error=told,
        )
