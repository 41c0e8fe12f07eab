"""Run history as the plugin calls it: the files of a run, uploaded and found again.

A run's files are artifacts of the origin `ExperimentRun`. The path names the run's
experiment too, by name or by id, which nothing depends on.
"""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from app.simulator.artifact_routes import batch_of, content_of, metadata_of
from app.simulator.artifacts import Artifact, ArtifactStore
from app.simulator.errors import AzureError
from app.simulator.mlflow_tracking import Tracking, artifact_container
from app.simulator.paths import Handler, object_of, workspace_routes
from app.simulator.world import SimulatedWorkspace, World

ORIGIN = "ExperimentRun"

_RUN_PATHS = (
    "/experiments/{experiment}/runs/{run}/artifacts",
    "/experimentids/{experiment}/runs/{run}/artifacts",
)


def routes(world: World) -> list[BaseRoute]:
    """Return the routes below `/history/`."""
    calls = {
        (method, run + path): handler
        for run in _RUN_PATHS
        for (method, path), handler in _CALLS.items()
    }
    return workspace_routes(world, "/history/v1.0", calls)


async def _list(workspace: SimulatedWorkspace, request: Request) -> Response:
    path = request.query_params.get("path", "")
    store = workspace.part(ArtifactStore)
    found = store.list(ORIGIN, _container(workspace, request), path)
    return JSONResponse({"value": [metadata_of(one) for one in found]})


async def _list_readable(workspace: SimulatedWorkspace, request: Request) -> Response:
    path = request.query_params.get("path", "")
    store = workspace.part(ArtifactStore)
    found = store.list(ORIGIN, _container(workspace, request), path)
    return JSONResponse({"value": [content_of(store, one, "r") for one in found]})


async def _readable(workspace: SimulatedWorkspace, request: Request) -> Response:
    store = workspace.part(ArtifactStore)
    return JSONResponse(content_of(store, _artifact(workspace, request), "r"))


async def _metadata(workspace: SimulatedWorkspace, request: Request) -> Response:
    return JSONResponse(metadata_of(_artifact(workspace, request)))


async def _create_batch(workspace: SimulatedWorkspace, request: Request) -> Response:
    container = _container(workspace, request)
    body = await object_of(request)
    store = workspace.part(ArtifactStore)
    return JSONResponse(batch_of(store, ORIGIN, container, body))


def _container(workspace: SimulatedWorkspace, request: Request) -> str:
    run_id = request.path_params["run"]
    if run_id not in workspace.part(Tracking).runs:
        raise AzureError(404, "UserError", f"Run {run_id} was not found.")
    return artifact_container(run_id)


def _artifact(workspace: SimulatedWorkspace, request: Request) -> Artifact:
    path = request.query_params.get("path", "")
    store = workspace.part(ArtifactStore)
    return store.get(ORIGIN, _container(workspace, request), path)


_CALLS: Mapping[tuple[str, str], Handler] = MappingProxyType(
    {
        ("GET", "/contentinfo"): _readable,
        ("GET", "/prefix/contentinfo"): _list_readable,
        ("GET", "/metadata"): _metadata,
        ("GET", "/path"): _list,
        ("POST", "/batch/metadata"): _create_batch,
        ("GET", ""): _list,
    }
)
