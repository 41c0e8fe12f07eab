"""A worker on target `aci` that tells when it sees a service up: `... URL`.

All of it is what runs in production but the creates, which plain requests make: a
thousand through azureml-core take four minutes of a core.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from app.core.clock import Clock, SystemClock
from app.core.lease import Lease
from app.core.target import (
    ApplyRequest,
    Handle,
    Observation,
    ObservedPhase,
    ResolvedModel,
)
from app.core.workspace import Workspace
from app.runner.engine import Engine
from app.runner.operations import OperationRunner
from app.runner.running import TaskDefinition
from app.runner.timing import EngineSettings
from app.runner.work import Work
from app.services import tasks, workspaces
from app.services.context import Context
from app.settings import Settings
from app.targets import azure_observer, azure_tokens
from app.targets.azure_call import Call, Host
from app.targets.azure_paths import azure_identity, service_path
from app.targets.azure_rest import AzureRest
from app.targets.azure_tokens import AzureTokens
from app.targets.azure_transport import azure_client
from app.targets.azureml_v1 import target
from app.targets.azureml_v1.changes import V1Changes
from app.targets.azureml_v1.sdk_pool import SdkPool
from app.targets.azureml_v1.services import V1Services
from app.targets.azureml_v1.target import AciTarget, V1Parts
from app.targets.azureml_v1.wanted import Wanted
from app.targets.parts import TargetParts
from bench.house import context
from tests.fakes import FakeStore, targets

_SLOTS = 5000


class NoFiles(FakeStore):
    """A store of models that have no files: nobody builds an image here."""

    async def fetch(
        self, workspace: Workspace, model: ResolvedModel, destination: Path
    ) -> None:
        """Refuse: target `aci` fetches nothing."""
        raise NotImplementedError


class PlainChanges(V1Changes):
    """Creates a service by one request of its own."""

    def __init__(
        self, rest: AzureRest, pool: SdkPool, tokens: AzureTokens, *, clock: Clock
    ) -> None:
        super().__init__(V1Services(rest), pool, tokens, clock=clock)
        self._rest = rest

    @override
    async def _create(
        self, request: ApplyRequest, wanted: Wanted, lease: Lease
    ) -> None:
        environment: dict[str, Any] = {
            "python": {"condaDependencies": {"dependencies": []}}
        }
        body = {
            "name": request.deployment_name,
            "computeType": "ACI",
            "environmentImageRequest": {"modelIds": [], "environment": environment},
            "kvTags": dict(wanted.tags),
        }
        path = service_path(azure_identity(request.workspace), "x").rpartition("/")[0]
        call = Call(path=path, method="POST", host=Host.REGIONAL, body=body)
        await self._rest.send(request.workspace, call, lease=lease)


class ToldAci(AciTarget):
    """Prints when it first sees a service up."""

    def __init__(self, parts: V1Parts) -> None:
        super().__init__(parts)
        self._told: set[str] = set()

    @override
    async def observe(self, handle: Handle) -> Observation:
        """Look at the service, and say when it was first seen up."""
        seen = await super().observe(handle)
        name = str(handle["service"])
        if seen.phase is ObservedPhase.READY and name not in self._told:
            self._told.add(name)
            print(json.dumps([name, SystemClock().now().timestamp()]), flush=True)
        return seen


async def main(url: str) -> None:
    """Work until the process is killed."""
    async with context(url) as parts, _told(parts) as told:
        work = Work(
            context=parts,
            store=FakeStore(),
            targets=targets(told),
            installation_id="bench",
        )
        definition = TaskDefinition(
            name=tasks.ADVANCE,
            queue=tasks.OPERATIONS_QUEUE,
            handler=OperationRunner(work).advance,
        )
        engine = Engine(
            url,
            [definition],
            queues={definition.queue: _SLOTS},
            clock=SystemClock(),
            settings=EngineSettings(),
        )
        await engine.run(asyncio.Event())


@asynccontextmanager
async def _told(parts: Context) -> AsyncIterator[ToldAci]:
    clock, settings = parts.clock, Settings(default_credential=True)
    async with AsyncExitStack() as stack:
        tokens = await stack.enter_async_context(azure_tokens.opened(settings))
        client = await stack.enter_async_context(azure_client())
        rest = AzureRest(client, tokens, clock=clock)
        shared = TargetParts(
            settings=settings,
            clock=clock,
            store=NoFiles(),
            tokens=tokens,
            rest=rest,
            observer=await stack.enter_async_context(
                azure_observer.opened(rest, clock=clock)
            ),
            find_workspace=partial(workspaces.by_id, parts),
        )
        aci, _ = await stack.enter_async_context(target.opened(shared))
        # Never started: it is asked for nothing.
        pool = SdkPool(settings.data_dir / "azureml_v1")
        plain = PlainChanges(rest, pool, tokens, clock=clock)
        yield ToldAci(replace(aci._parts, changes=plain))  # noqa: SLF001


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
