"""Serves the models that were registered at the simulator, as target `local` would."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.clock import Clock
from app.core.failure import Failure, TargetError
from app.core.target import ObservedPhase
from app.simulator.model_runner import ModelRunnerError
from app.targets.local_endpoint import LocalEndpoint
from app.targets.local_files import SCORING_SERVER, Launch, ServerFiles
from app.targets.local_server import ScoringServer
from app.targets.sockets import socket_directory

_STARTUP_SECONDS = 120.0
_LOOK_SECONDS = 0.2
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Served:
    server: ScoringServer
    endpoint: LocalEndpoint
    files: ServerFiles


class ConfinedModels:
    """Each model in a process that sees its own files, its socket and little else.

    Use it from the event loop's thread alone: the processes die with that thread.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._sockets = socket_directory(directory)
        self._clock = clock
        self._numbers = itertools.count(1)
        self._served: dict[str, _Served] = {}

    async def start(self, model: Path) -> str:
        """Serve the model in a directory; return the base of its loopback URL."""
        number = str(next(self._numbers))
        files = ServerFiles(home=self._directory / number, run=self._sockets / number)
        launch = Launch(
            model=model,
            command=SCORING_SERVER,
            environment={},
            startup_timeout_seconds=_STARTUP_SECONDS,
        )
        try:
            server = await ScoringServer.start(files, launch, clock=self._clock)
        except TargetError as error:
            raise ModelRunnerError(error.detail) from error
        endpoint = LocalEndpoint()
        served = _Served(server=server, endpoint=endpoint, files=files)
        try:
            await self._until_ready(server)
            await endpoint.open(0)
        except BaseException:
            await _end(served)
            raise
        endpoint.shift(files.socket)
        url = f"http://127.0.0.1:{endpoint.port}"
        self._served[url] = served
        return url

    async def stop(self, url: str) -> None:
        """End the model's process and remove its files."""
        served = self._served.pop(url, None)
        if served is not None:
            await _end(served)

    async def stop_all(self) -> None:
        """End every process."""
        for url in list(self._served):
            await self.stop(url)

    async def _until_ready(self, server: ScoringServer) -> None:
        while True:
            seen = await server.observe()
            if seen.phase is ObservedPhase.READY:
                return
            if seen.phase is not ObservedPhase.STARTING:
                raise ModelRunnerError(_reason(seen.failure))
            await self._clock.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def confined_models(
    directory: Path, clock: Clock
) -> AsyncIterator[ConfinedModels]:
    """Yield what serves models; no process outlives the block."""
    models = ConfinedModels(directory, clock)
    try:
        yield models
    finally:
        await models.stop_all()


def _reason(failure: Failure | None) -> str:
    if failure is None:
        return "its process is gone"
    return f"{failure.message} {failure.cause or ''}".strip()


async def _end(served: _Served) -> None:
    await served.endpoint.close()
    await served.server.stop(_GRACE_SECONDS)
    await asyncio.to_thread(served.files.remove)
