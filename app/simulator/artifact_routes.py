"""The artifact service: metadata and signed addresses of files.

azureml-core puts the artifact's path into the URL, azureml-mlflow into the query; both
are answered, below `/artifact/v1.0` and `/artifact/v2.0` alike.
"""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from app.simulator.artifacts import Artifact, ArtifactStore
from app.simulator.errors import AzureError
from app.simulator.paths import (
    Handler,
    bad_request,
    object_of,
    text_of,
    workspace_routes,
)
from app.simulator.world import SimulatedWorkspace, World


def routes(world: World) -> list[BaseRoute]:
    """Return the routes below `/artifact/`."""
    return [
        route
        for version in ("v1.0", "v2.0")
        for route in workspace_routes(world, f"/artifact/{version}", _CALLS)
    ]


def metadata_of(artifact: Artifact) -> dict[str, object]:
    """Return an artifact as the service shows it."""
    return {
        "artifactId": artifact.id,
        "origin": artifact.origin,
        "container": artifact.container,
        "path": artifact.path,
        "etag": None,
        "createdTime": artifact.created_at.isoformat(),
        "dataPath": None,
    }


def content_of(
    store: ArtifactStore, artifact: Artifact, permissions: str
) -> dict[str, object]:
    """Return where an artifact's bytes are read or written."""
    return {
        "contentUri": store.uri(artifact, permissions),
        "origin": artifact.origin,
        "container": artifact.container,
        "path": artifact.path,
        "tags": None,
    }


def batch_of(
    store: ArtifactStore, origin: str, container: str, body: Mapping[str, object]
) -> dict[str, object]:
    """Create the artifacts that a batch names and return where to write each."""
    made = {path: store.create(origin, container, path) for path in _paths(body)}
    return {
        "artifacts": {path: metadata_of(made[path]) for path in made},
        "artifactContentInformation": {
            path: content_of(store, made[path], "rcw") for path in made
        },
        "errors": {},
    }


async def _create(workspace: SimulatedWorkspace, request: Request) -> Response:
    body = await object_of(request)
    names = [text_of(body, name) for name in ("origin", "container", "path")]
    origin, container, path = (name or "" for name in names)
    if not (origin and container and path):
        raise bad_request("ArtifactPathMissing", "Origin, container and path needed.")
    artifact = workspace.part(ArtifactStore).create(origin, container, path)
    return JSONResponse(metadata_of(artifact))


async def _create_batch(workspace: SimulatedWorkspace, request: Request) -> Response:
    origin, container, _ = _place(request)
    body = await object_of(request)
    store = workspace.part(ArtifactStore)
    return JSONResponse(batch_of(store, origin, container, body))


async def _metadata(workspace: SimulatedWorkspace, request: Request) -> Response:
    return JSONResponse(
        metadata_of(workspace.part(ArtifactStore).get(*_place(request)))
    )


async def _readable(workspace: SimulatedWorkspace, request: Request) -> Response:
    store = workspace.part(ArtifactStore)
    return JSONResponse(content_of(store, store.get(*_place(request)), "r"))


async def _writable(workspace: SimulatedWorkspace, request: Request) -> Response:
    store = workspace.part(ArtifactStore)
    return JSONResponse(content_of(store, store.create(*_place(request)), "rcw"))


async def _download(workspace: SimulatedWorkspace, request: Request) -> Response:
    store = workspace.part(ArtifactStore)
    content = store.read(store.get(*_place(request)))
    return Response(content, media_type="application/octet-stream")


async def _upload(workspace: SimulatedWorkspace, request: Request) -> Response:
    store, place = workspace.part(ArtifactStore), _place(request)
    content = await request.body()
    if request.query_params.get("append", "").lower() == "true":
        before = store.create(*place)
        content = (store.read(before) if store.has_content(before) else b"") + content
    return JSONResponse(metadata_of(store.write(*place, content)))


async def _list(workspace: SimulatedWorkspace, request: Request) -> Response:
    found = workspace.part(ArtifactStore).list(*_place(request))
    return _page([metadata_of(artifact) for artifact in found])


async def _list_readable(workspace: SimulatedWorkspace, request: Request) -> Response:
    store = workspace.part(ArtifactStore)
    found = store.list(*_place(request))
    return _page([content_of(store, artifact, "r") for artifact in found])


async def _delete(workspace: SimulatedWorkspace, request: Request) -> Response:
    store = workspace.part(ArtifactStore)
    store.delete(store.get(*_place(request)))
    return Response(status_code=200)


async def _delete_all(workspace: SimulatedWorkspace, request: Request) -> Response:
    store = workspace.part(ArtifactStore)
    for artifact in store.list(*_place(request)):
        store.delete(artifact)
    return Response(status_code=200)


def _place(request: Request) -> tuple[str, str, str]:
    places = request.path_params
    path = places.get("path", request.query_params.get("path", ""))
    return places["origin"], places["container"], path


def _paths(body: Mapping[str, object]) -> list[str]:
    listed = body.get("paths")
    if not isinstance(listed, list):
        raise bad_request("ArtifactPathMissing", "The batch names no paths.")
    paths = [each.get("path") for each in listed if isinstance(each, dict)]
    if not all(isinstance(path, str) and path for path in paths):
        raise AzureError(400, "UserError", "A path of the batch is empty.")
    return [str(path) for path in paths]


def _page(items: list[dict[str, object]]) -> Response:
    return JSONResponse({"value": items, "continuationToken": None, "nextLink": None})


_IN_URL = "/{origin}/{container}/{path:path}"
_IN_QUERY = "/artifacts/{origin}/{container}"
_CALLS: Mapping[tuple[str, str], Handler] = MappingProxyType(
    {
        ("POST", "/artifacts/metadata"): _create,
        ("POST", "/artifacts/batch/metadata/{origin}/{container}"): _create_batch,
        ("DELETE", "/artifacts/batch/{origin}/{container}"): _delete_all,
        ("GET", f"/artifacts/metadata{_IN_URL}"): _metadata,
        ("DELETE", f"/artifacts/metadata{_IN_URL}"): _delete,
        ("GET", f"/artifacts/contentinfo{_IN_URL}"): _readable,
        ("GET", f"/artifacts/write{_IN_URL}"): _writable,
        ("GET", f"/artifacts/prefix/contentinfo{_IN_URL}"): _list_readable,
        ("GET", f"/artifacts/content{_IN_URL}"): _download,
        ("POST", f"/artifacts/content{_IN_URL}"): _upload,
        ("POST", f"{_IN_QUERY}/batch/metadata"): _create_batch,
        ("DELETE", f"{_IN_QUERY}/batch"): _delete_all,
        ("GET", f"{_IN_QUERY}/metadata"): _metadata,
        ("DELETE", f"{_IN_QUERY}/metadata"): _delete,
        ("GET", f"{_IN_QUERY}/contentinfo"): _readable,
        ("GET", f"{_IN_QUERY}/write"): _writable,
        ("GET", f"{_IN_QUERY}/prefix/contentinfo"): _list_readable,
        ("GET", f"{_IN_QUERY}/content"): _download,
        ("POST", f"{_IN_QUERY}/content"): _upload,
        ("GET", _IN_QUERY): _list,
        ("GET", f"{_IN_QUERY}/{{path:path}}"): _list,
    }
)
