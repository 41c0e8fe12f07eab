"""The children that ask azureml-core: few, warm, each for one workspace only.

Importing azureml-core takes 3 to 4 seconds. A child that has done its work stays for a
while with its workspace, and from the first change on a spare one waits ready.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from app.core.failure import TargetError
from app.core.workspace import AzureMlWorkspace
from app.targets.azureml_v1.failures import child_unavailable
from app.targets.azureml_v1.sdk_child import SdkChild, launch
from app.targets.removal import remove_tree


@dataclass(frozen=True, kw_only=True, slots=True)
class SdkPoolSettings:
    """How many children there are, and for how long."""

    most_at_work: int = 4
    """A change takes a second or two; further ones wait for their turn."""

    idle_seconds: float = 120.0
    """How long a child without work stays with its workspace."""


class SdkPool:
    """Lends children out, to one caller at a time each, and never to two workspaces."""

    def __init__(
        self,
        directory: Path,
        *,
        settings: SdkPoolSettings | None = None,
        launch_child: Callable[[Path], SdkChild] = launch,
    ) -> None:
        self._directory = directory
        self._settings = settings or SdkPoolSettings()
        self._launch_child = launch_child
        self._numbers = itertools.count(1)
        self._turns = asyncio.Semaphore(self._settings.most_at_work)
        self._idle: dict[SdkChild, asyncio.TimerHandle] = {}
        self._spare: SdkChild | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def start(self) -> None:
        """Remove what an earlier process left."""
        await asyncio.to_thread(remove_tree, self._directory)
        self._directory.mkdir(parents=True, mode=0o700)

    @asynccontextmanager
    async def lend(self, workspace: AzureMlWorkspace) -> AsyncIterator[SdkChild]:
        """Give the caller a child for `workspace` to itself. Raises TargetError."""
        async with self._turns:
            child = self._take(workspace)
            try:
                yield child
            finally:
                self._put_back(child)

    async def close(self) -> None:
        """End all children; one at work ends when its caller is done."""
        self._is_closed = True
        for child in list(self._idle):
            self._discard(child)
        if self._spare is not None:
            self._spawn(self._spare.end())
            self._spare = None
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _take(self, workspace: AzureMlWorkspace) -> SdkChild:
        if self._is_closed:
            raise child_unavailable("the service is stopping")
        for child in [one for one in self._idle if not one.is_usable]:
            self._discard(child)
        for child in self._idle:
            if child.bound_to == workspace:
                self._idle.pop(child).cancel()
                return child
        if len(self._idle) >= self._settings.most_at_work:
            self._discard(next(iter(self._idle)))
        child = self._fresh()
        child.bound_to = workspace
        return child

    def _fresh(self) -> SdkChild:
        """Return the spare child, or a new one."""
        spare, self._spare = self._spare, None
        if spare is not None and not spare.is_usable:
            self._spawn(spare.end())
            spare = None
        return self._launch() if spare is None else spare

    def _launch(self) -> SdkChild:
        try:
            return self._launch_child(self._directory / str(next(self._numbers)))
        except OSError as error:
            raise child_unavailable(f"it could not be started: {error}") from error

    def _put_back(self, child: SdkChild) -> None:
        if child.is_usable and not self._is_closed:
            self._idle[child] = asyncio.get_running_loop().call_later(
                self._settings.idle_seconds, self._discard, child
            )
        else:
            self._spawn(child.end())
        if self._spare is None and not self._is_closed:
            # Only now: two imports at once would hold up the change that waits.
            with suppress(TargetError):
                self._spare = self._launch()

    def _discard(self, child: SdkChild) -> None:
        timer = self._idle.pop(child, None)
        if timer is not None:
            timer.cancel()
        self._spawn(child.end())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
