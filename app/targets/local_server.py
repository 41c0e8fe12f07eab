"""One revision's scoring server: a confined process that answers on a Unix socket."""

import asyncio
import os
from pathlib import Path

import httpx

from app.core.clock import Clock
from app.core.failure import Failure
from app.core.target import (
    Invocation,
    InvocationResult,
    Observation,
    ObservedPhase,
)
from app.targets import children
from app.targets.child_log import last_error
from app.targets.failures import model_load_failed, target_unavailable
from app.targets.isolation import isolation_level, model_server_policy
from app.targets.local_files import Launch, ServerFiles

_MODEL_VARIABLE = "__pyfunc_model_path__"

_PING_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.5
# A process that has not answered for so long will not, though it still runs.
_SILENT_SECONDS = 60.0
_MOST_KEPT_BYTES = 1024 * 1024
_RETRY_SECONDS = 0.5
_TAIL = 20
_STARTED = "slipway: starting the scoring server"


class ScoringServer:
    """A process from its start to its end; it never starts again by itself.

    Until it has answered once it is loading its model; if that takes longer than the
    launch allows, it is ended.
    """

    def __init__(self, files: ServerFiles, child: children.Child, clock: Clock) -> None:
        self._files = files
        self._child = child
        self._clock = clock
        self._client = _client(files.socket)
        self._is_late = False
        self._silent_since: float | None = None
        self._watch: asyncio.Task[None] | None = None
        self._was_ready = False

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._child.pid

    @property
    def exit(self) -> children.Exit | None:
        """Return how it ended; None while it runs."""
        return self._child.exit

    @property
    def needs_restart(self) -> bool:
        """Whether it has ended, or runs on without answering."""
        if self.exit is not None:
            return True
        since = self._silent_since
        return since is not None and self._clock.monotonic() - since > _SILENT_SECONDS

    @classmethod
    async def start(
        cls, files: ServerFiles, launch: Launch, *, clock: Clock
    ) -> "ScoringServer":
        """Start the process and return at once.

        Call it on the event loop's thread. Raises TargetError (transient) if the
        machine refuses.
        """
        try:
            await asyncio.to_thread(files.renew)
            files.log.write(f"{_STARTED}\n".encode())
            policy = model_server_policy(
                model=launch.model,
                work=files.work,
                run=files.run,
                environment={
                    **launch.environment,
                    _MODEL_VARIABLE: str(launch.model),
                },
            )
            command = [*launch.command, str(files.socket)]
            child = children.start(command, policy, log=files.log)
        except OSError as error:
            raise target_unavailable(
                "The model's process could not be started.", cause=str(error)
            ) from error
        server = cls(files, child, clock)
        timeout = launch.startup_timeout_seconds
        server._watch = asyncio.create_task(server._wait_until_ready(timeout))
        return server

    async def observe(self) -> Observation:
        """Look at it once."""
        if await self._answers():
            return Observation(
                phase=ObservedPhase.READY,
                raw_state="answering",
                message=f"isolation: {isolation_level()}",
            )
        ended = None if self.exit is None else self.exit.describe()
        if self._was_ready:
            return Observation(
                phase=ObservedPhase.UNREACHABLE,
                raw_state="ended" if ended else "running",
                message=f"The model's process is gone: {ended}."
                if ended
                else "The model's process does not answer.",
            )
        if ended is None:
            return Observation(
                phase=ObservedPhase.STARTING,
                raw_state="loading",
                progress="loading the model",
                retry_after_seconds=_RETRY_SECONDS,
            )
        failure = self._failure(ended)
        return Observation(
            phase=ObservedPhase.FAILED,
            raw_state="ended",
            message=failure.message,
            failure=failure,
        )

    async def score(self, call: Invocation) -> InvocationResult:
        """Score once. Raises TargetError (transient) if it does not answer."""
        try:
            async with self._client.stream(
                "POST",
                "http://model/invocations",
                content=call.body,
                headers={"content-type": call.content_type},
                timeout=call.timeout_seconds,
            ) as response:
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) >= _MOST_KEPT_BYTES:
                        break
                return InvocationResult(
                    status=response.status_code,
                    body=body[:_MOST_KEPT_BYTES],
                    headers=dict(response.headers),
                )
        except httpx.HTTPError as error:
            raise target_unavailable(
                "The model's process did not answer.",
                cause=f"{type(error).__name__}: {error}",
            ) from error

    async def stop(self, grace_seconds: float) -> None:
        """End the process, giving it `grace_seconds` to finish what it is doing."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._child.stop(grace_seconds)
        await self._client.aclose()

    async def _answers(self) -> bool:
        """Return whether it answers just now."""
        is_up = self.exit is None and await self._ping()
        if is_up:
            self._was_ready = True
            self._silent_since = None
        elif self._silent_since is None and self._was_ready:
            self._silent_since = self._clock.monotonic()
        return is_up

    def _failure(self, ended: str) -> Failure:
        """Return why a process that never became ready has ended."""
        lines = self._files.log.tail(10_000)
        if _STARTED in lines:
            lines = lines[len(lines) - lines[::-1].index(_STARTED) :]
        tail = lines[-_TAIL:]
        cause = last_error(lines)
        if self._is_late:
            return model_load_failed(
                "The model was not loaded in the time that startup_timeout_seconds "
                "gives it.",
                cause=cause,
                log=tail,
                remedy="Raise target.startup_timeout_seconds, or make the model load "
                "faster.",
            )
        return model_load_failed(
            f"The model's process ended while it was loading the model: {ended}.",
            cause=cause or (tail[-1] if tail else None),
            log=tail,
        )

    async def _wait_until_ready(self, timeout_seconds: float) -> None:
        deadline = self._clock.monotonic() + timeout_seconds
        pause = _FIRST_PAUSE_SECONDS
        while self.exit is None and not await self._answers():
            if self._clock.monotonic() >= deadline:
                self._is_late = True
                self._child.kill()
                return
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _ping(self) -> bool:
        try:
            response = await self._client.get("http://model/ping")
        except httpx.HTTPError:
            return False
        return response.status_code == httpx.codes.OK


def _client(socket: Path) -> httpx.AsyncClient:
    # No connection is kept: the process may be replaced behind the same path.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    transport = httpx.AsyncHTTPTransport(uds=os.fspath(socket), limits=limits)
    return httpx.AsyncClient(
        transport=transport, timeout=_PING_SECONDS, trust_env=False
    )
