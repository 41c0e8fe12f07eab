"""The really registered models that serve just now, each with its own files."""

import asyncio
import http.client
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from app.simulator.errors import AzureError
from app.simulator.model_registry import ModelRegistry
from app.simulator.model_runner import ModelRunner, ModelRunnerError
from app.simulator.services import ServiceRecord
from app.simulator.world import SimulatedWorkspace, World

_SCORING_SECONDS = 60
_DESCRIPTION = "MLmodel"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    """A model that serves, or is about to, until its task is canceled."""

    models: tuple[str, ...]
    url: "asyncio.Future[str]"
    task: "asyncio.Task[None]"


class RunningModels:
    """Starts a service's model on its first request; a part of the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[str, _Held] = {}

    async def score(
        self,
        runner: ModelRunner,
        workspace: SimulatedWorkspace,
        record: ServiceRecord,
        body: bytes,
    ) -> tuple[int, bytes]:
        """Return the status and body that the model's server answers."""
        held = self._held.get(record.id)
        if held is None or held.models != record.models or held.task.done():
            self.release(record)
            held = self._start(runner, workspace, record)
        try:
            url = await asyncio.shield(held.url)
            return await asyncio.to_thread(_invoke, url, body)
        except (ModelRunnerError, OSError) as error:
            raise AzureError(502, "BadGateway", f"The model: {error}") from error

    def release(self, record: ServiceRecord) -> None:
        """Stop what serves a service's model, if anything does."""
        held = self._held.pop(record.id, None)
        if held is not None:
            held.task.cancel()

    def _start(
        self, runner: ModelRunner, workspace: SimulatedWorkspace, record: ServiceRecord
    ) -> _Held:
        files = _files(workspace, record)
        url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = self._world.spawn(_hold(runner, files, url))
        held = _Held(models=record.models, url=url, task=task)
        self._held[record.id] = held
        return held


async def _hold(
    runner: ModelRunner, files: dict[str, bytes], url: "asyncio.Future[str]"
) -> None:
    """Serve the model until canceled; its files go with it."""
    with tempfile.TemporaryDirectory(prefix="slipway-model-") as folder:
        try:
            model = await asyncio.to_thread(_written, Path(folder), files)
            url.set_result(await runner.start(model))
        except (ModelRunnerError, OSError) as error:
            url.set_exception(error)
            return
        finally:
            if not url.done():
                url.cancel()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.shield(runner.stop(url.result()))


def _files(workspace: SimulatedWorkspace, record: ServiceRecord) -> dict[str, bytes]:
    registry = workspace.part(ModelRegistry)
    for model_id in record.models:
        files = registry.files(registry.get(model_id))
        if any(Path(name).name == _DESCRIPTION for name in files):
            return files
    raise AzureError(502, "BadGateway", "No model of the service is an MLflow model.")


def _written(folder: Path, files: dict[str, bytes]) -> Path:
    """Write the files below `folder`; return the directory that holds the MLmodel."""
    root = folder.resolve()
    for name, content in files.items():
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise ModelRunnerError(f"its file {name!r} lies outside of it")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    described = sorted(root.rglob(_DESCRIPTION), key=lambda path: len(path.parts))
    return described[0].parent


def _invoke(url: str, body: bytes) -> tuple[int, bytes]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(
        place.hostname or "127.0.0.1", place.port, timeout=_SCORING_SECONDS
    )
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/invocations", body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
