"""Notice what becomes of live deployments that somebody else keeps alive: Azure."""

import asyncio
from collections.abc import Sequence

import structlog

from app.core.deployment import Deployment, Operation
from app.core.errors import AppError
from app.core.target import Observation, ObservedPhase
from app.runner.sightings import Sightings
from app.runner.work import Work
from app.storage import deployments
from app.storage.deployments import DeploymentValues

_LOG = structlog.get_logger(__name__)

# The targets share one look at a workspace among all that ask, so asking is cheap.
_LOOK_EVERY_SECONDS = 10.0


class RemoteWatch:
    """Looks at every serving deployment of `kinds`, for ever, and changes nothing.

    One that stopped answering is told of once (`deployment.unreachable`), and told of
    again when it answers (`deployment.recovered`); Azure's own word is kept beside.
    """

    def __init__(self, work: Work, *, kinds: Sequence[str]) -> None:
        self._work = work
        self._kinds = tuple(kinds)
        self._sightings = Sightings(work)

    async def run(self) -> None:
        """Look every ten seconds until canceled."""
        while True:
            try:
                await self.look()
            except AppError as error:
                _LOG.warning("remote_watch_interrupted", reason=error.code)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def look(self) -> None:
        """Look at every serving deployment once."""
        async with self._work.context.database.reading() as connection:
            serving = await deployments.serving(connection, self._kinds)
        looks = [self._look_at(deployment, latest) for deployment, latest in serving]
        for problem in await asyncio.gather(*looks, return_exceptions=True):
            if isinstance(problem, AppError):
                # One workspace that cannot be read says nothing of its services.
                _LOG.info("remote_look_failed", reason=problem.code)
            elif isinstance(problem, BaseException):
                raise problem

    async def _look_at(self, deployment: Deployment, latest: Operation) -> None:
        if not latest.state.is_terminal:
            return  # Its operation looks for itself, and knows what is meant.
        seen = await self._sightings.observe(deployment)
        if seen is None:
            return
        if seen.phase is ObservedPhase.READY:
            if deployment.serving is not True:
                values = DeploymentValues(serving=True, azure_state=seen.raw_state)
                await self._sightings.recovered(deployment, latest, values)
        elif seen.phase is not ObservedPhase.STARTING:
            await self._sightings.unreachable(deployment, latest, _words(seen))


def _words(seen: Observation) -> str:
    said = seen.message or (seen.failure.message if seen.failure else "")
    return f"{seen.raw_state}: {said}" if said else seen.raw_state
