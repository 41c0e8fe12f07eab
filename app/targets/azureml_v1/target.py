"""Targets `aci` and `aks`: v1 web services of Azure ML, named as their deployment.

All revisions of a deployment are one service, changed in place. Writes go through
azureml-core in child processes, looks and all else over plain REST.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal
from weakref import WeakValueDictionary

from app.core.errors import UpstreamError
from app.core.lease import Lease
from app.core.target import (
    ApplyRequest,
    Handle,
    Invocation,
    InvocationResult,
    KeyName,
    Observation,
    ScoringKeys,
    ScoringToken,
)
from app.targets.azure_observer import AzureObserver
from app.targets.azureml_v1.build_log import BuildLogs
from app.targets.azureml_v1.changes import V1Changes
from app.targets.azureml_v1.failures import service_gone
from app.targets.azureml_v1.last_words import LastWords
from app.targets.azureml_v1.looks import Progress, log_lines, observation
from app.targets.azureml_v1.sdk_pool import SdkPool
from app.targets.azureml_v1.services import LiveService, V1Services
from app.targets.azureml_v1.wanted import Owner
from app.targets.failures import target_unavailable
from app.targets.parts import FindWorkspace, TargetParts
from app.targets.scoring import HttpScorer


@dataclass(frozen=True, kw_only=True, slots=True)
class V1Parts:
    """What both targets share."""

    services: V1Services
    changes: V1Changes
    observer: AzureObserver
    build_logs: BuildLogs
    last_words: LastWords
    scorer: HttpScorer
    find_workspace: FindWorkspace
    # Names are in one space: a service of either kind has its own.
    locks: WeakValueDictionary[str, asyncio.Lock] = field(
        default_factory=WeakValueDictionary
    )


class V1Target:
    """One of the two; every service of either kind has its name in one space."""

    changes_in_place: ClassVar[Literal[True]] = True
    log_sources: ClassVar[tuple[str, ...]] = ("model", "build", "operation")
    kind: ClassVar[str]

    def __init__(self, parts: V1Parts) -> None:
        self._parts = parts
        self._progress = Progress()

    async def apply(self, request: ApplyRequest, lease: Lease) -> Handle:
        """Begin to make the service what is wanted; return once Azure has taken it.

        Looks by name first: what is ours is adopted, changed or replaced, anything
        else is never touched. Raises TargetError or LeaseLostError.
        """
        async with self._lock(request.workspace.id, request.deployment_name):
            await self._parts.changes.bring(request, lease)
        handle: Handle = {
            "workspace": request.workspace.id,
            "service": request.deployment_name,
            "kind": self.kind,
            "azure_name": request.deployment_name,
            "installation": request.mark.installation,
            "deployment": request.mark.deployment,
        }
        if request.handle is not None and request.handle.get("adopted") is True:
            handle["adopted"] = True
        return handle

    async def observe(self, handle: Handle) -> Observation:
        """Look at the service, together with everybody who looks at its workspace."""
        workspace = await self._parts.find_workspace(_workspace(handle))
        look = await self._parts.observer.look(workspace, _service(handle))
        seen = observation(look, self._progress)
        if seen.failure is None:
            return seen
        tail = await self._parts.last_words.of(workspace, look)
        evidence = replace(seen.failure.evidence, log_tail=tail)
        return replace(seen, failure=replace(seen.failure, evidence=evidence))

    async def delete(self, handle: Handle, lease: Lease) -> None:
        """Delete the service and wait until it is gone; missing is success.

        Its mark is compared just before: another's service is never touched.
        """
        workspace = await self._parts.find_workspace(_workspace(handle))
        name = _service(handle)
        async with self._lock(workspace.id, name):
            owner = Owner.of_handle(handle)
            await self._parts.changes.remove(workspace, name, owner, lease)

    async def invoke(self, handle: Handle, call: Invocation) -> InvocationResult:
        """Score once, with the key or token that the service asks for.

        Raises TargetError if nobody answers.
        """
        live = await self._live(handle)
        if live.scoring_uri is None:
            raise target_unavailable("The service has no scoring address yet.")
        authorization = await self._authorization(live)
        try:
            return await self._parts.scorer.score(
                live.scoring_uri, replace(call, authorization=authorization)
            )
        except UpstreamError as error:
            raise target_unavailable(error.detail) from error

    async def keys(self, handle: Handle) -> ScoringKeys:
        """Return both keys. Raises TargetError: `auth_disabled` if there are none."""
        return await self._parts.services.keys(await self._live(handle))

    async def regenerate_key(self, handle: Handle, name: KeyName, lease: Lease) -> None:
        """Replace one key by one that Azure makes. Raises TargetError."""
        live = await self._live(handle)
        async with self._lock(live.workspace.id, live.name):
            # Also a refusal, where the service has no keys.
            await self._parts.services.keys(live)
            await self._parts.changes.set_key(live, name, None, lease)

    async def scoring_token(self, handle: Handle) -> ScoringToken:
        """Return a token. Raises TargetError: `auth_disabled` if there are none."""
        return await self._parts.services.token(await self._live(handle))

    async def logs(self, handle: Handle, *, source: str, tail: int) -> list[str]:
        """Return the last `tail` lines, oldest first; empty if there are none."""
        live = await self._live(handle)
        match source:
            case "model":
                return await self._parts.services.log(live, tail)
            case "build":
                return await self._parts.build_logs.tail(live.operation or {}, tail)
            case "operation":
                return log_lines(live.operation or {})[-tail:]
            case _:
                return []

    async def _authorization(self, live: LiveService) -> str | None:
        if live.asks_for_key:
            return f"Bearer {(await self._parts.services.keys(live)).primary}"
        if live.asks_for_token:
            return f"Bearer {(await self._parts.services.token(live)).value}"
        return None

    async def _live(self, handle: Handle) -> LiveService:
        workspace = await self._parts.find_workspace(_workspace(handle))
        live = await self._parts.services.find(workspace, _service(handle))
        if live is None:
            raise service_gone(_service(handle))
        return live

    def _lock(self, workspace: str, name: str) -> asyncio.Lock:
        return self._parts.locks.setdefault(f"{workspace}/{name}", asyncio.Lock())


class AciTarget(V1Target):
    """Serves in a container group of Azure Container Instances."""

    kind: ClassVar[str] = "aci"


class AksTarget(V1Target):
    """Serves in a Kubernetes cluster of the workspace."""

    kind: ClassVar[str] = "aks"


@asynccontextmanager
async def opened(parts: TargetParts) -> AsyncIterator[Sequence[V1Target]]:
    """Yield both targets; their processes and connections end with the block."""
    pool = SdkPool(parts.settings.data_dir / "azureml_v1")
    await pool.start()
    services = V1Services(parts.rest)
    changes = V1Changes(services, pool, parts.tokens, clock=parts.clock)
    try:
        async with HttpScorer() as scorer, BuildLogs() as build_logs:
            shared = V1Parts(
                services=services,
                changes=changes,
                observer=parts.observer,
                build_logs=build_logs,
                last_words=LastWords(services, build_logs),
                scorer=scorer,
                find_workspace=parts.find_workspace,
            )
            yield AciTarget(shared), AksTarget(shared)
    finally:
        await pool.close()


def _workspace(handle: Handle) -> str:
    return str(handle.get("workspace", ""))


def _service(handle: Handle) -> str:
    return str(handle.get("service", ""))
