"""Keep what is live alive: notice that it stopped answering, and bring it back."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

import structlog

from app.core.deployment import Deployment, Operation
from app.core.errors import AppError
from app.core.lease import Lease
from app.core.retry import backoff
from app.core.target import Observation, ObservedPhase, SupportsTraffic, Target
from app.runner.asking import apply_request
from app.runner.sightings import Sightings, is_same
from app.runner.work import OperationFailedError, Subject, Work
from app.storage import deployments, revisions, workspaces
from app.storage.deployments import DeploymentValues

_LOG = structlog.get_logger(__name__)

_LOOK_EVERY_SECONDS = 1.0
_FIRST_WAIT = timedelta(seconds=1)
_LONGEST_WAIT = timedelta(minutes=1)
# Loading a model costs a core for seconds; more at once would only be slower.
_HEALED_AT_ONCE = 2


class Watch:
    """Looks at every serving deployment of this worker's own targets, for ever.

    One that does not answer is told of once (`deployment.unreachable`), brought up
    again with a growing pause between tries, and told of again when it answers
    (`deployment.recovered`). After a restart of the process nothing of a local
    target runs, so the first look brings all of it back.
    """

    def __init__(self, work: Work, lease: Lease, *, kinds: Sequence[str]) -> None:
        self._work = work
        self._lease = lease
        self._sightings = Sightings(work)
        self._kinds = tuple(kinds)
        self._slots = asyncio.Semaphore(_HEALED_AT_ONCE)
        self._healing: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look once a second until canceled."""
        try:
            while True:
                try:
                    await self.look()
                except AppError as error:
                    _LOG.warning("watch_interrupted", reason=error.code)
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        finally:
            for task in self._healing.values():
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*self._healing.values(), return_exceptions=True)

    async def look(self) -> None:
        """Look at every serving deployment once and start to heal what is down."""
        async with self._work.context.database.reading() as connection:
            serving = await deployments.serving(connection, self._kinds)
        for deployment, operation in serving:
            if deployment.id not in self._healing:
                seen = await self._sightings.observe(deployment)
                if seen is None or seen.phase is not ObservedPhase.READY:
                    self._start_healing(deployment, operation, seen)

    def _start_healing(
        self, deployment: Deployment, operation: Operation, seen: Observation | None
    ) -> None:
        task = asyncio.create_task(self._heal(deployment, operation, seen))
        self._healing[deployment.id] = task
        task.add_done_callback(lambda _: self._healing.pop(deployment.id, None))

    async def _heal(
        self, deployment: Deployment, operation: Operation, seen: Observation | None
    ) -> None:
        message = "it is not running" if seen is None else seen.message
        if not await self._sightings.unreachable(deployment, operation, message):
            return
        failures = 0
        while await self._sightings.is_current(deployment):
            if failures:
                wait = backoff(failures, _FIRST_WAIT, cap=_LONGEST_WAIT, jitter=0.2)
                await asyncio.sleep(wait.total_seconds())
            try:
                async with self._slots:
                    if await self._bring_back(deployment, operation):
                        return
            except (AppError, OperationFailedError) as error:
                _LOG.warning(
                    "heal_failed", deployment_id=deployment.id, error=str(error)
                )
            failures += 1

    async def _bring_back(self, deployment: Deployment, operation: Operation) -> bool:
        target = self._target(deployment)
        async with self._work.locks.held(deployment.endpoint_key):
            subject = await self._subject(deployment, operation)
            if subject is None:
                return True
            handle = await target.apply(
                await apply_request(self._work, subject), self._lease
            )
        while True:
            seen = await target.observe(handle)
            if seen.phase is not ObservedPhase.STARTING:
                break
            await asyncio.sleep(_LOOK_EVERY_SECONDS / 4)
        if seen.phase is not ObservedPhase.READY:
            return False
        async with self._work.locks.held(deployment.endpoint_key):
            subject = await self._subject(deployment, operation)
            if subject is None:
                return True
            values = DeploymentValues(serving=True)
            if isinstance(target, SupportsTraffic):
                exposure = await target.shift(
                    deployment.endpoint_key, handle, previous=deployment.scoring_uri
                )
                values["scoring_uri"] = exposure.scoring_uri
            await self._sightings.recovered(subject.deployment, operation, values)
        return True

    async def _subject(
        self, deployment: Deployment, operation: Operation
    ) -> Subject | None:
        """Return what serves as it stands now; None if that is something else."""
        async with self._work.context.database.reading() as connection:
            found, _ = await deployments.get(connection, deployment.id, project=None)
            if not is_same(found, deployment):
                return None
            return Subject(
                workspace=await workspaces.get_by_id(connection, found.workspace_id),
                deployment=found,
                operation=operation,
                revision=await revisions.get(
                    connection, found.id, found.serving_revision or 0
                ),
            )

    def _target(self, deployment: Deployment) -> Target:
        return self._work.target(deployment.spec.target.kind)
