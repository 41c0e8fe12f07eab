"""Replace one key of an endpoint; done twice, the second key is the one in use."""

import asyncio
from functools import partial

import structlog

from app.core.deployment import Revision
from app.core.errors import FencedError
from app.core.event import DeploymentCanceled, DeploymentFailed, DeploymentUpdated
from app.core.failure import Failure
from app.core.lease import Lease, LeaseLostError
from app.core.lifecycle import OperationState
from app.core.target import KeyName, SupportsKeys
from app.runner.arrivals import Arrivals
from app.runner.failures import (
    deadline_exceeded,
    internal_error,
    nothing_serves,
    regeneration_canceled,
)
from app.runner.ledger import Ledger
from app.runner.work import OperationFailedError, Work
from app.services.endpoint_keys import KEY
from app.storage.deployments import DeploymentValues

_LOG = structlog.get_logger(__name__)


class Regeneration:
    """One operation of the kind `regenerate`; it never changes what serves.

    Whoever takes it over from a worker that died begins again: nobody was told of the
    key that the first one may have made.
    """

    def __init__(self, work: Work, ledger: Ledger, lease: Lease) -> None:
        self._work = work
        self._ledger = ledger
        self._lease = lease

    async def run(self) -> None:
        """Bring the operation to its end, or leave it to whoever took it over."""
        operation = self._ledger.subject.operation
        if operation.cancel_requested_at is not None:
            await self._cancel()
            return
        try:
            async with asyncio.timeout(max(self._ledger.seconds_left, 0)):
                await self._replace(KeyName(operation.checkpoint[KEY]))
        except OperationFailedError as error:
            await self._fail(error.failure)
        except TimeoutError:
            allowed = operation.deadline_at - operation.created_at
            await self._fail(deadline_exceeded(allowed.total_seconds()))
        except (FencedError, LeaseLostError):
            raise
        except Exception as error:  # noqa: BLE001  # the last resort: settle, truthfully
            _LOG.exception("regeneration_broke")
            await self._fail(internal_error(error))
        else:
            name = operation.checkpoint[KEY]
            await self._ledger.finish(
                OperationState.SUCCEEDED,
                deployment=DeploymentValues(),
                happened=[DeploymentUpdated(detail=f"the {name} key was replaced")],
            )

    async def _replace(self, name: KeyName) -> None:
        serving: Revision | None = await self._ledger.serving_revision()
        if serving is None or serving.handle is None:
            raise OperationFailedError(nothing_serves())
        target = self._work.target(serving.spec.target.kind)
        if not isinstance(target, SupportsKeys):
            raise OperationFailedError(nothing_serves())
        await Arrivals(self._work, self._ledger, self._lease).insist(
            partial(target.regenerate_key, serving.handle, name, self._lease)
        )

    async def _cancel(self) -> None:
        failure = regeneration_canceled()
        await self._ledger.finish(
            OperationState.CANCELED,
            deployment=DeploymentValues(),
            happened=[DeploymentCanceled(detail=failure.message)],
            error=failure,
        )

    async def _fail(self, failure: Failure) -> None:
        await self._ledger.finish(
            OperationState.FAILED,
            deployment=DeploymentValues(),
            happened=[DeploymentFailed(detail=failure.message)],
            error=failure,
        )
