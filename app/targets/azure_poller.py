"""The poller of one workspace: rounds of one list of services for all who wait.

However many operations and live deployments look at a workspace, its v1 services are
listed once in each round. Beyond that, only operations that may still tell something
new are asked for, and a few at a time: those first whose service already shows an end.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.clock import Clock
from app.core.failure import TargetError
from app.core.workspace import Workspace
from app.targets.azure_rest import AzureRest
from app.targets.azure_round import (
    Round,
    SeenOperation,
    ServiceLook,
    Waiting,
    still_waiting,
)
from app.targets.azure_services import Service, find_operation, find_service, services
from app.targets.azure_unreachable import unreachable

# What has not changed for long is looked at less often: a tenth of that time.
_OF_THE_QUIET = 0.1
# A list of thousands takes its time; most of a worker's time is for others.
_TIMES_THE_COST = 3.0
# In one round; the others are told what was seen of their operation before.
_MOST_URGENT = 100
_MOST_LATER = 20
_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervals:
    """How long a poller rests between the starts of two rounds."""

    shortest_seconds: float = 2.0
    longest_seconds: float = 15.0


class Poller:
    """Polls one workspace for as long as somebody waits."""

    def __init__(self, rest: AzureRest, *, clock: Clock, intervals: Intervals) -> None:
        self._rest = rest
        self._clock = clock
        self._intervals = intervals
        self._waiting: Waiting = {}
        self._task: asyncio.Task[None] | None = None
        self._workspace: Workspace | None = None
        self._operations: dict[str, SeenOperation] = {}
        self._shown: dict[str, tuple[str, str]] = {}
        self._started_at = float("-inf")
        self._changed_at = float("-inf")
        self._cost_seconds = 0.0

    async def next(self, workspace: Workspace, service: str) -> ServiceLook:
        """Return what the next round finds of `service`."""
        self._workspace = workspace
        future: asyncio.Future[ServiceLook] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(service, []).append(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="azure-poller")
        return await future

    async def close(self) -> None:
        """End polling; whoever still waits gets a transient TargetError."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        # A task that is canceled before its first step ends without its `finally`.
        Round(self._waiting).fail(unreachable("the worker stops"))

    async def _run(self) -> None:
        try:
            while self._waiting and self._workspace is not None:
                await self._clock.sleep(self._rest_seconds())
                current = Round(still_waiting(self._waiting))
                self._waiting = {}
                if current.waiting:
                    await self._round(self._workspace, current)
        finally:
            # Only a mistake of ours or the worker's end leaves anybody here.
            Round(self._waiting).fail(unreachable("the poller ended"))
            self._waiting = {}

    async def _round(self, workspace: Workspace, current: Round) -> None:
        self._started_at = self._clock.monotonic()
        try:
            await self._look_round(workspace, current)
        except TargetError as error:
            current.fail(error)
        finally:
            current.fail(unreachable("the round was broken off"))

    def _rest_seconds(self) -> float:
        """Return how long to rest until the next round."""
        now = self._clock.monotonic()
        quiet = now - self._changed_at
        interval = max(
            self._intervals.shortest_seconds,
            quiet * _OF_THE_QUIET,
            self._cost_seconds * _TIMES_THE_COST,
        )
        interval = min(interval, self._intervals.longest_seconds)
        return max(0.0, self._started_at + interval - now)

    async def _look_round(self, workspace: Workspace, current: Round) -> None:
        """Tell everybody who waits what is found."""
        listed = await services(self._rest, workspace)
        current.found = {service.name: service for service in listed}
        current.listed_at = self._clock.monotonic()
        self._cost_seconds = current.listed_at - self._started_at
        self._forget_others(listed)
        urgent, later = self._sorted(current)
        asked = [*urgent[:_MOST_URGENT], *later[:_MOST_LATER]]
        for name in current.waiting.keys() - set(asked):
            self._tell(current, name)
        slots = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for name in asked:
                group.create_task(self._look_closer(workspace, current, name, slots))

    def _sorted(self, current: Round) -> tuple[list[str], list[str]]:
        """Return whom to look at more closely: at once, and if there is time.

        A service that the list does not have is asked for by its name: a list whose
        pages were made at different moments may miss one.
        """
        urgent: list[str] = []
        later: list[str] = []
        for name in current.waiting:
            service = current.found.get(name)
            if service is None:
                urgent.append(name)
            elif service.operation and not self._is_settled(service.operation):
                (later if service.is_in_transition else urgent).append(name)
        # Whoever was looked at longest ago goes first, so that nobody is left out.
        urgent.sort(key=lambda name: self._last_seen(current.found.get(name)))
        later.sort(key=lambda name: self._last_seen(current.found.get(name)))
        return urgent, later

    async def _look_closer(
        self,
        workspace: Workspace,
        current: Round,
        name: str,
        slots: asyncio.Semaphore,
    ) -> None:
        async with slots:
            try:
                await self._complete(workspace, current, name)
            except TargetError as error:
                current.refuse(name, error)
                return
        self._tell(current, name)

    async def _complete(self, workspace: Workspace, current: Round, name: str) -> None:
        """Find what the list did not tell of the service `name`."""
        if name not in current.found:
            found = await find_service(self._rest, workspace, name)
            if found is None:
                return
            current.found[name] = found
        operation = current.found[name].operation
        if operation and not self._is_settled(operation):
            document = await find_operation(self._rest, workspace, operation)
            if document is not None:
                seen_at = self._clock.monotonic()
                self._operations[operation] = SeenOperation(document, seen_at)

    def _tell(self, current: Round, name: str) -> None:
        service = current.found.get(name)
        seen = self._operations.get(service.operation) if service else None
        self._note(name, service, seen)
        now = self._clock.monotonic()
        look = ServiceLook(
            service=service.document if service else None,
            operation=seen.document if seen else None,
            age_seconds=now - current.listed_at,
            operation_age_seconds=now - seen.seen_at if seen else None,
        )
        current.tell(name, look)

    def _note(
        self, name: str, service: Service | None, seen: SeenOperation | None
    ) -> None:
        """Remember when anything that somebody waits for was last seen to change."""
        shown = (
            service.state if service else "",
            str(seen.document.get("state")) if seen else "",
        )
        if self._shown.get(name) != shown:
            self._shown[name] = shown
            self._changed_at = self._clock.monotonic()

    def _is_settled(self, operation: str) -> bool:
        seen = self._operations.get(operation)
        return seen is not None and seen.has_ended

    def _last_seen(self, service: Service | None) -> float:
        seen = self._operations.get(service.operation) if service else None
        return seen.seen_at if seen else float("-inf")

    def _forget_others(self, listed: Sequence[Service]) -> None:
        """Forget the operations that are no service's latest any more."""
        kept = {service.operation for service in listed}
        for operation in self._operations.keys() - kept:
            del self._operations[operation]
