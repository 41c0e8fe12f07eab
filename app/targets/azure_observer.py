"""One poller for each workspace of a worker: one list of services for all who wait."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.clock import Clock
from app.core.workspace import Workspace
from app.targets.azure_poller import Intervals, Poller
from app.targets.azure_rest import AzureRest
from app.targets.azure_round import ServiceLook


class AzureObserver:
    """Looks at v1 services for everybody in this worker."""

    def __init__(
        self, rest: AzureRest, *, clock: Clock, intervals: Intervals | None = None
    ) -> None:
        self._rest = rest
        self._clock = clock
        self._intervals = intervals or Intervals()
        self._pollers: dict[str, Poller] = {}

    async def look(self, workspace: Workspace, service: str) -> ServiceLook:
        """Return the next look at `service`, 2 to 15 seconds after the one before.

        The first one is made at once. Raises TargetError if Azure could not be asked.
        """
        poller = self._pollers.get(workspace.id)
        if poller is None:
            poller = Poller(self._rest, clock=self._clock, intervals=self._intervals)
            self._pollers[workspace.id] = poller
        return await poller.next(workspace, service)

    async def close(self) -> None:
        """End every poller; whoever still waits gets a transient TargetError."""
        for poller in self._pollers.values():
            await poller.close()


@asynccontextmanager
async def opened(rest: AzureRest, *, clock: Clock) -> AsyncIterator[AzureObserver]:
    """Yield the worker's observer; no poller is left when the block ends."""
    observer = AzureObserver(rest, clock=clock)
    try:
        yield observer
    finally:
        await observer.close()
