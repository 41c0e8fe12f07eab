"""A local target over servers that are up at once, and requests for it."""

import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.clock import SystemClock
from app.core.failure import TargetError
from app.core.specs import LocalOptions
from app.core.target import (
    ApplyRequest,
    Handle,
    Mark,
    Observation,
    ObservedPhase,
    ResolvedModel,
)
from app.core.workspace import Workspace
from app.targets.local import LocalTarget
from tests.models import workspace_of
from tests.support import eventually

STUB_SERVER = Path(__file__).with_name("stub_server.py")
# From the model's own directory: the jail shows no other.
_RUN_STUB = (
    "import os, runpy;"
    "runpy.run_path(os.environ['__pyfunc_model_path__'] + '/server.py')"
)
STUB_COMMAND = (sys.executable, "-c", _RUN_STUB)


@dataclass
class FakeFetcher:
    """Brings stub servers; `behaviors` says by model URI how each behaves."""

    behaviors: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: list[TargetError] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    async def fetch(
        self, workspace: Workspace, model: ResolvedModel, destination: Path
    ) -> None:
        del workspace
        if self.broken:
            raise self.broken.pop(0)
        self.fetched.append(model.uri)
        behavior = {"answer": model.version, **self.behaviors.get(model.uri, {})}
        _make_model(destination, behavior)


def _make_model(directory: Path, behavior: dict[str, Any]) -> None:
    directory.mkdir()
    shutil.copy(STUB_SERVER, directory / "server.py")
    (directory / "behavior.json").write_text(json.dumps(behavior))


@asynccontextmanager
async def running_target(
    directory: Path, fetcher: FakeFetcher, *, command: tuple[str, ...] = STUB_COMMAND
) -> AsyncIterator[LocalTarget]:
    target = LocalTarget(
        directory,
        fetcher=fetcher,
        clock=SystemClock(),
        command=command,
        grace_seconds=5,
    )
    try:
        yield target
    finally:
        await target.shut_down()


def request(
    version: str = "1",
    *,
    deployment: str = "dep_1",
    slot: str = "r1",
    workspace: Workspace | None = None,
    **options: Any,  # noqa: ANN401 - those of LocalOptions
) -> ApplyRequest:
    return ApplyRequest(
        workspace=workspace or workspace_of("sqlite:////nowhere/mlflow.db"),
        deployment_name="diabetes",
        endpoint=f"local/default/local/{deployment}",
        slot=slot,
        mark=Mark(
            installation="i", deployment=deployment, revision=1, operation="o", epoch=1
        ),
        options=LocalOptions(kind="local", **options),
        model=ResolvedModel(name="m", version=version, uri=f"models:/m/{version}"),
        tags={},
        properties={},
        description="",
        handle=None,
    )


async def settled(
    target: LocalTarget, handle: Handle, *, within_seconds: float = 20
) -> Observation:
    """Return the first observation of `handle` that is not STARTING."""

    seen: list[Observation] = []

    async def has_settled() -> bool:
        seen.append(await target.observe(handle))
        return seen[-1].phase is not ObservedPhase.STARTING

    claim: Callable[[], bool | Awaitable[bool]] = has_settled
    await eventually(claim, within_seconds=within_seconds)
    return seen[-1]


async def ready(target: LocalTarget, handle: Handle) -> None:
    seen = await settled(target, handle)
    assert seen.phase is ObservedPhase.READY, seen
