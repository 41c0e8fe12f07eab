"""The children that ask MLflow stores: bounded, warm, and each for one store only.

Importing MLflow takes 6 to 9 seconds and 250 MB. A child that has done its work stays
for a while with its store, and one that belongs to no store yet waits ready, so that
as a rule nobody waits for the import. There are never more than `max_children`.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.failure import TargetError
from app.targets.failures import store_unavailable
from app.targets.removal import remove_tree
from app.targets.store_access import AzureAccess
from app.targets.store_child import StoreChild, Stores, launch

_logger = logging.getLogger(__name__)

Launch = Callable[[Path, Sequence[Path]], StoreChild]
"""Starts a child with a directory of its own and the stores that it may reach."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolSettings:
    """How many children there are, and for how long."""

    max_children: int = 4
    """All of them: at work, idle, and the spare one."""

    idle_seconds: float = 300.0
    """How long a child without work stays with its store."""

    wait_seconds: float = 120.0
    """Longest wait for a child when all are at work."""

    spare_delay_seconds: float = 20.0
    """When a spare that was taken is replaced: not while a model is being loaded."""


class StorePool:
    """Lends children out, to one caller at a time each.

    `allowed` are the directories in which stores on this machine may lie.
    """

    def __init__(
        self,
        directory: Path,
        *,
        allowed: Sequence[Path],
        settings: PoolSettings,
        launch_child: Launch = launch,
    ) -> None:
        self._directory = directory
        self._allowed = tuple(allowed)
        self._settings = settings
        self._launch_child = launch_child
        self._numbers = itertools.count(1)
        # Each with what will end it; a spare child waits for ever.
        self._idle: dict[StoreChild, asyncio.TimerHandle | None] = {}
        self._lent: dict[StoreChild, Stores] = {}
        self._count = 0
        self._changed = asyncio.Condition()
        self._refill_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def start(self) -> None:
        """Remove what an earlier process left, and start the spare child."""
        await asyncio.to_thread(remove_tree, self._directory)
        self._directory.mkdir(parents=True, mode=0o700)
        self._refill()

    @asynccontextmanager
    async def lend(
        self, stores: Stores, *, access: AzureAccess | None = None
    ) -> AsyncIterator[StoreChild]:
        """Give the caller a child for `stores` to itself. Raises TargetError.

        `access` is how to reach them, where they are a workspace of Azure ML.
        """
        child = await self._take(stores)
        child.access = access
        try:
            if child.stores is None:
                await child.bind(stores)
            yield child
        finally:
            self._put_back(child)

    async def close(self) -> None:
        """End all children; one at work ends when its caller is done."""
        self._is_closed = True
        if self._refill_timer is not None:
            self._refill_timer.cancel()
        for child in list(self._idle):
            self._discard(child)
        async with self._changed:
            self._changed.notify_all()
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _take(self, stores: Stores) -> StoreChild:
        try:
            async with asyncio.timeout(self._settings.wait_seconds), self._changed:
                while (child := self._find(stores)) is None:
                    await self._changed.wait()
                self._lent[child] = stores
                return child
        except TimeoutError as error:
            raise store_unavailable(
                "all processes that ask stores are at work, for longer than usual"
            ) from error

    def _find(self, stores: Stores) -> StoreChild | None:
        """Return the best child there is; None if all are at work for others."""
        if self._is_closed:
            raise store_unavailable("the service is stopping")
        for child in [one for one in self._idle if not one.is_usable]:
            self._discard(child)
        ours = [child for child in self._idle if child.stores == stores]
        spare = [child for child in self._idle if child.stores is None]
        if found := ours or spare:
            self._stop_timer(found[0])
            self._plan_refill()
            return found[0]
        if self._count >= self._settings.max_children and self._may_oust(stores):
            self._discard(next(iter(self._idle)))
        if self._count >= self._settings.max_children:
            return None
        return self._launch()

    def _may_oust(self, stores: Stores) -> bool:
        """Say whether an idle child of another store may be ended for `stores`.

        Not for one that has its share at work: two stores in turn would otherwise end
        each other's children, and each question would wait for an import.
        """
        at_work = sum(lent == stores for lent in self._lent.values())
        return bool(self._idle) and at_work < max(1, self._settings.max_children // 2)

    def _launch(self) -> StoreChild:
        work = self._directory / str(next(self._numbers))
        try:
            child = self._launch_child(work, self._allowed)
        except OSError as error:
            raise store_unavailable(f"no process could be started: {error}") from error
        self._count += 1
        return child

    def _plan_refill(self) -> None:
        if self._refill_timer is None:
            self._refill_timer = asyncio.get_running_loop().call_later(
                self._settings.spare_delay_seconds, self._refill
            )

    def _refill(self) -> None:
        """Start a spare child if there is none and room for one more at work."""
        self._refill_timer = None
        has_spare = any(child.stores is None for child in self._idle)
        if has_spare or self._count + 1 >= self._settings.max_children:
            return
        try:
            self._idle[self._launch()] = None
        except TargetError as error:
            _logger.warning("spare_not_started", extra={"cause": error.failure.cause})

    def _put_back(self, child: StoreChild) -> None:
        self._lent.pop(child, None)
        if child.is_usable and child.stores is not None and not self._is_closed:
            self._idle[child] = asyncio.get_running_loop().call_later(
                self._settings.idle_seconds, self._discard, child
            )
        else:
            self._discard(child)
        self._spawn(self._notify())

    def _discard(self, child: StoreChild) -> None:
        self._stop_timer(child)
        self._count -= 1
        self._spawn(child.end())

    def _stop_timer(self, child: StoreChild) -> None:
        timer = self._idle.pop(child, None)
        if timer is not None:
            timer.cancel()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
