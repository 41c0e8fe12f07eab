"""Target `local`: each revision is the MLflow scoring server in a confined process.

Nothing of it outlives the service but files: the processes die with it, and after a
restart `observe` finds nothing, so that `apply` brings them back from their files.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ClassVar, Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from app.core.clock import Clock
from app.core.lease import Lease
from app.core.specs import LocalOptions
from app.core.target import (
    ApplyRequest,
    Exposure,
    Handle,
    Invocation,
    InvocationResult,
    Observation,
    ObservedPhase,
    ResolvedModel,
)
from app.core.workspace import Workspace
from app.targets.failures import target_unavailable
from app.targets.local_endpoint import LocalEndpoint
from app.targets.local_files import SCORING_SERVER, Launch, ServerFiles
from app.targets.local_server import ScoringServer
from app.targets.parts import TargetParts
from app.targets.sockets import socket_directory

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


class ModelFetcher(Protocol):
    """What brings a model's files to this machine."""

    async def fetch(
        self, workspace: Workspace, model: ResolvedModel, destination: Path
    ) -> None:
        """Make the directory `destination`, whole or not at all."""
        ...


class LocalTarget:
    """Serves on the loopback address of this machine.

    `directory` is its own; `fetcher` fills directories in it. Use it from the event
    loop's thread alone: the processes that it starts die with that thread.
    """

    kind: ClassVar[str] = "local"
    log_sources: ClassVar[tuple[str, ...]] = ("model",)

    def __init__(
        self,
        directory: Path,
        *,
        fetcher: ModelFetcher,
        clock: Clock,
        command: tuple[str, ...] = SCORING_SERVER,
        grace_seconds: float = 15.0,
    ) -> None:
        self._directory = directory
        self._sockets = socket_directory(directory)
        self._fetcher = fetcher
        self._clock = clock
        self._command = command
        self._grace_seconds = grace_seconds
        self._servers: dict[str, ScoringServer] = {}
        self._endpoints: dict[str, LocalEndpoint] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def apply(self, request: ApplyRequest, lease: Lease) -> Handle:
        """Start the revision's process, fetching its model first if need be.

        Finds a process that runs, and starts anew one that has ended. Returns as soon
        as it is started. Raises TargetError or LeaseLostError.
        """
        name = f"{request.mark.deployment}-{request.slot}"
        async with self._lock(name):
            lease.check()
            running = self._servers.get(name)
            if running is None or running.needs_restart:
                model = await self._model(name, request)
                # Fetching may have taken minutes, in which the lease can be lost.
                lease.check()
                if running is not None:
                    await running.stop(0)
                self._servers[name] = await self._start(name, request, model)
        return {"server": name, "deployment": request.deployment_name}

    async def observe(self, handle: Handle) -> Observation:
        """Look at the revision; never changes anything."""
        server = self._servers.get(_name(handle))
        if server is None:
            return Observation(phase=ObservedPhase.MISSING, raw_state="none")
        return await server.observe()

    async def delete(self, handle: Handle, lease: Lease) -> None:
        """End the revision's process and remove its files; missing is success."""
        name = _name(handle)
        async with self._lock(name):
            lease.check()
            server = self._servers.pop(name, None)
            if server is not None:
                await self._drain(self._files(name).socket)
                await server.stop(self._grace_seconds)
            await asyncio.to_thread(self._files(name).remove)

    async def shift(
        self, endpoint: str, handle: Handle, *, previous: str | None
    ) -> Exposure:
        """Send all of the endpoint's new requests to `handle`, idempotently.

        The address stays as it is, over revisions and, if its port is still free,
        over restarts of the service.
        """
        async with self._lock(f"endpoint {endpoint}"):
            opened = self._endpoints.get(endpoint)
            if opened is None:
                opened = LocalEndpoint()
                try:
                    await opened.open(_port(previous))
                except OSError as error:
                    raise target_unavailable(
                        "No port could be opened.", cause=str(error)
                    ) from error
                self._endpoints[endpoint] = opened
        opened.shift(self._files(_name(handle)).socket)
        address = f"http://127.0.0.1:{opened.port}"
        return Exposure(
            scoring_uri=f"{address}/invocations",
            swagger_uri=f"{address}/openapi.json",
        )

    async def close(self, endpoint: str) -> None:
        """Stop answering at the endpoint's address; missing is success."""
        opened = self._endpoints.pop(endpoint, None)
        if opened is not None:
            await opened.close()

    async def invoke(self, handle: Handle, call: Invocation) -> InvocationResult:
        """Score once. Raises TargetError if nobody answers."""
        server = self._servers.get(_name(handle))
        if server is None:
            raise target_unavailable("The model's process does not run.")
        return await server.score(call)

    async def logs(self, handle: Handle, *, source: str, tail: int) -> list[str]:
        """Return the last `tail` lines, oldest first; empty if there are none."""
        if source not in self.log_sources:
            return []
        log = self._files(_name(handle)).log
        return await asyncio.to_thread(log.tail, tail)

    async def shut_down(self) -> None:
        """End all processes and addresses; the files stay for the next start."""
        endpoints, self._endpoints = self._endpoints, {}
        servers, self._servers = self._servers, {}
        await asyncio.gather(*(one.close() for one in endpoints.values()))
        await asyncio.gather(
            *(one.stop(self._grace_seconds) for one in servers.values())
        )

    async def _drain(self, revision: Path) -> None:
        """Let what was forwarded to the revision be answered, for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_seconds):
                for endpoint in list(self._endpoints.values()):
                    await endpoint.withdraw(revision)

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())

    async def _model(self, name: str, request: ApplyRequest) -> Path:
        """Return the directory with the model's files, which no process changes."""
        source = f"{request.workspace.id} {request.model.uri}"
        digest = hashlib.sha256(source.encode()).hexdigest()[:16]
        home = self._files(name).home
        model = home / f"model-{digest}"
        if not model.exists():
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                await self._fetcher.fetch(request.workspace, request.model, model)
            finally:
                # Goes if nothing is in it: nobody would come back for it.
                with suppress(OSError):
                    home.rmdir()
        return model

    async def _start(
        self, name: str, request: ApplyRequest, model: Path
    ) -> ScoringServer:
        options = request.options
        if not isinstance(options, LocalOptions):
            raise TypeError(f"options of target {options.kind} given to target local")
        launch = Launch(
            model=model,
            command=self._command,
            environment=options.environment_variables,
            startup_timeout_seconds=options.startup_timeout_seconds,
        )
        return await ScoringServer.start(self._files(name), launch, clock=self._clock)

    def _files(self, name: str) -> ServerFiles:
        # The digest keeps apart what is the same once it is a safe file name.
        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        home = f"{_UNSAFE.sub('-', name)[:60]}-{digest}"
        return ServerFiles(
            home=self._directory / "servers" / home, run=self._sockets / digest
        )


@asynccontextmanager
async def opened(parts: TargetParts) -> AsyncIterator[Sequence[LocalTarget]]:
    """Yield the target, nothing where it is off; its processes end with the block."""
    if not parts.settings.local_enabled:
        yield ()
        return
    directory = parts.settings.data_dir / "local"
    target = LocalTarget(directory, fetcher=parts.store, clock=parts.clock)
    try:
        yield (target,)
    finally:
        await target.shut_down()


def _name(handle: Handle) -> str:
    return str(handle.get("server", ""))


def _port(uri: str | None) -> int:
    try:
        return (urlsplit(uri).port if uri else 0) or 0
    except ValueError:
        return 0
