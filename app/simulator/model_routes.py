"""Model management of v1: registered models and the assets they point at."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from app.simulator.errors import AzureError
from app.simulator.model_documents import (
    MODEL_FIELDS,
    asset_document,
    model_document,
)
from app.simulator.model_registry import ModelRegistry, RegisteredModel
from app.simulator.patches import Patch, patches_of
from app.simulator.paths import (
    Handler,
    bad_request,
    object_of,
    text_of,
    texts_of,
    workspace_routes,
)
from app.simulator.queries import is_true, matches, page_of, paged
from app.simulator.services import ServiceBook
from app.simulator.world import SimulatedWorkspace, World

PREFIX = "/modelmanagement/v1.0"


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of models and assets."""
    return workspace_routes(world, PREFIX, _CALLS)


async def _register(workspace: SimulatedWorkspace, request: Request) -> Response:
    body = await object_of(request)
    name, url = text_of(body, "name"), text_of(body, "url")
    if not name or not url:
        raise bad_request("MissingValue", "A model needs a name and a url.")
    registry = workspace.part(ModelRegistry)
    if url.startswith("aml://asset/"):
        registry.asset(url.removeprefix("aml://asset/"))
    tags, properties = texts_of(body, "kvTags"), texts_of(body, "properties")
    model = registry.register(
        name,
        url,
        description=text_of(body, "description"),
        run_id=text_of(body, "runId"),
        fields={field: body.get(field) for field in MODEL_FIELDS},
    )
    model.tags, model.properties = tags, properties
    return JSONResponse(model_document(model))


async def _list(workspace: SimulatedWorkspace, request: Request) -> Response:
    query = request.query_params
    found = [
        model
        for model in workspace.part(ModelRegistry).models(query.get("name"))
        if matches(query.get("tags"), model.tags)
        and matches(query.get("tag"), model.tags)
        and matches(query.get("properties"), model.properties)
        and query.get("runId") in {None, model.run_id}
        and query.get("framework") in {None, model.fields.get("framework")}
    ]
    if is_true(query, "latestVersionOnly"):
        # Newest first, so the first of each name is its latest.
        latest: dict[str, RegisteredModel] = {}
        for model in found:
            latest.setdefault(model.name, model)
        found = list(latest.values())
    page, following = page_of(request, found)
    return JSONResponse(paged([model_document(model) for model in page], following))


async def _get(workspace: SimulatedWorkspace, request: Request) -> Response:
    model = workspace.part(ModelRegistry).get(request.path_params["id"])
    return JSONResponse(model_document(model))


async def _patch(workspace: SimulatedWorkspace, request: Request) -> Response:
    model = workspace.part(ModelRegistry).get(request.path_params["id"])
    for patch in await patches_of(request):
        _apply(model, patch)
    model.modified_at = workspace.world.clock.now()
    return JSONResponse(model_document(model))


def _apply(model: RegisteredModel, patch: Patch) -> None:
    match patch.field:
        case "kvTags":
            model.tags = patch.texts(model.tags)
        case "properties":
            model.properties = patch.added(model.properties)
        case "description":
            model.description = patch.text()
        case "sampleInputData" | "sampleOutputData" | "resourceRequirements":
            model.fields[patch.field] = patch.value
        case "datasets":
            held = model.fields.get("datasets")
            before = list(held) if isinstance(held, list) else []
            added = patch.value if isinstance(patch.value, list) else []
            model.fields["datasets"] = before + added
        case _:
            raise patch.refused()


async def _delete(workspace: SimulatedWorkspace, request: Request) -> Response:
    registry, model_id = workspace.part(ModelRegistry), request.path_params["id"]
    name, _, version = model_id.rpartition(":")
    model = registry.find(name, int(version)) if version.isdecimal() else None
    if model is None:
        return Response(status_code=204)
    users = workspace.part(ServiceBook).users_of(model.id)
    if users:
        raise AzureError(
            412,
            "DeletionRequired",
            f"Model {model.id} is used by the services {', '.join(users)}.",
            details=(("DeletionRequired", "Delete the services first."),),
        )
    registry.delete(model)
    return Response(status_code=200)


async def _create_asset(workspace: SimulatedWorkspace, request: Request) -> Response:
    body = await object_of(request)
    name, listed = text_of(body, "name"), body.get("artifacts")
    if not name or not isinstance(listed, list):
        raise bad_request("MissingValue", "An asset needs a name and artifacts.")
    artifacts = [
        {str(key): str(value) for key, value in each.items() if value is not None}
        for each in listed
        if isinstance(each, dict)
    ]
    kept = ("type", "description", "kvTags", "properties", "runid", "meta")
    fields = {field: body.get(field) for field in kept}
    asset = workspace.part(ModelRegistry).add_asset(name, artifacts, fields)
    return JSONResponse(asset_document(asset))


async def _list_assets(workspace: SimulatedWorkspace, request: Request) -> Response:
    query = request.query_params
    found = [
        asset
        for asset in workspace.part(ModelRegistry).assets()
        if query.get("name") in {None, asset.name}
        and query.get("runId") in {None, asset.fields.get("runid")}
    ]
    page, following = page_of(request, found)
    return JSONResponse(paged([asset_document(asset) for asset in page], following))


async def _get_asset(workspace: SimulatedWorkspace, request: Request) -> Response:
    asset = workspace.part(ModelRegistry).asset(request.path_params["id"])
    return JSONResponse(asset_document(asset))


async def _delete_asset(workspace: SimulatedWorkspace, request: Request) -> Response:
    gone = workspace.part(ModelRegistry).delete_asset(request.path_params["id"])
    return Response(status_code=200 if gone else 204)


_CALLS: Mapping[tuple[str, str], Handler] = MappingProxyType(
    {
        ("POST", "/models"): _register,
        ("GET", "/models"): _list,
        ("GET", "/models/{id}"): _get,
        ("PATCH", "/models/{id}"): _patch,
        ("DELETE", "/models/{id}"): _delete,
        ("POST", "/assets"): _create_asset,
        ("GET", "/assets"): _list_assets,
        ("GET", "/assets/{id}"): _get_asset,
        ("DELETE", "/assets/{id}"): _delete_asset,
    }
)
