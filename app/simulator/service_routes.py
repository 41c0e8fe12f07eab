"""Model management of v1: web services, their operations, keys, tokens and logs."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from app.simulator.errors import AzureError
from app.simulator.patches import patches_of
from app.simulator.paths import (
    WORKSPACE,
    Handler,
    bad_request,
    host_of,
    object_of,
    text_of,
    workspace_routes,
)
from app.simulator.queries import is_true, matches, page_of, paged
from app.simulator.service_access import key_of, regenerate, token_of
from app.simulator.service_checks import name_conflict, validate
from app.simulator.service_deployments import create, update
from app.simulator.service_documents import texts
from app.simulator.service_logs import initializer_log, tail_of
from app.simulator.service_operations import ServiceOperation
from app.simulator.service_removal import remove
from app.simulator.service_views import service_document
from app.simulator.services import ServiceBook, ServiceRecord
from app.simulator.world import SimulatedWorkspace, World

_PREFIX = "/modelmanagement/v1.0"
_LINES = 5_000


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of services and operations."""
    return workspace_routes(world, _PREFIX, _CALLS)


async def _create(workspace: SimulatedWorkspace, request: Request) -> Response:
    body = await object_of(request)
    return _started(workspace, request, create(workspace.part(ServiceBook), body))


async def _list(workspace: SimulatedWorkspace, request: Request) -> Response:
    records = workspace.part(ServiceBook).all()
    found = [record for record in records if _is_asked_for(record, request)]
    page, following = page_of(request, found)
    expand = is_true(request.query_params, "expand")
    shown = [service_document(workspace, each, expand=expand) for each in page]
    return JSONResponse(paged(shown, following))


async def _get(workspace: SimulatedWorkspace, request: Request) -> Response:
    record = workspace.part(ServiceBook).get(request.path_params["name"])
    expand = is_true(request.query_params, "expand")
    return JSONResponse(service_document(workspace, record, expand=expand))


async def _patch(workspace: SimulatedWorkspace, request: Request) -> Response:
    book, name = workspace.part(ServiceBook), request.path_params["name"]
    return _started(workspace, request, update(book, name, await patches_of(request)))


async def _delete(workspace: SimulatedWorkspace, request: Request) -> Response:
    book, name = workspace.part(ServiceBook), request.path_params["name"]
    if book.find(name) is None:
        return Response(status_code=204)
    operation = remove(book, name)
    if operation is None:
        return Response(status_code=200)
    return _started(workspace, request, operation)


async def _keys(workspace: SimulatedWorkspace, request: Request) -> Response:
    record = workspace.part(ServiceBook).get(request.path_params["name"])
    keys = key_of(record)
    return JSONResponse({"primaryKey": keys.primary, "secondaryKey": keys.secondary})


async def _regenerate(workspace: SimulatedWorkspace, request: Request) -> Response:
    book, name = workspace.part(ServiceBook), request.path_params["name"]
    body = await object_of(request)
    which = text_of(body, "keyType") or ""
    operation = regenerate(book, name, which, text_of(body, "keyValue"))
    return _started(workspace, request, operation)


async def _token(workspace: SimulatedWorkspace, request: Request) -> Response:
    record = workspace.part(ServiceBook).get(request.path_params["name"])
    return JSONResponse(token_of(workspace.world, record), status_code=201)


async def _logs(workspace: SimulatedWorkspace, request: Request) -> Response:
    record = workspace.part(ServiceBook).get(request.path_params["name"])
    query = request.query_params
    tail = query.get("tail", "")
    if tail and not tail.isdecimal():
        raise bad_request("InvalidValue", "tail must be a whole number.")
    log = record.container_log
    if is_true(query, "init"):
        log = initializer_log(list(record.wanted_models)) if log else None
    content = None if log is None else tail_of(log, int(tail or _LINES))
    return JSONResponse({"content": content})


async def _operation(workspace: SimulatedWorkspace, request: Request) -> Response:
    operation = workspace.part(ServiceBook).operation(request.path_params["id"])
    offset = request.query_params.get("offset", "0")
    seconds = workspace.world.clock.seconds()
    start = int(offset) if offset.isdecimal() else 0
    document = operation.document(seconds, start)
    return JSONResponse(document, headers=_pace(workspace))


async def _validate_name(workspace: SimulatedWorkspace, request: Request) -> Response:
    name = request.path_params["name"]
    if workspace.part(ServiceBook).find(name) is None:
        return JSONResponse({})
    return _told(name_conflict(name))


async def _validate(workspace: SimulatedWorkspace, request: Request) -> Response:
    body = await object_of(request)
    asked = body.get("createRequest")
    if not isinstance(asked, dict):
        return JSONResponse({})
    return _validated(workspace, asked)


async def _validate_resource(
    workspace: SimulatedWorkspace, request: Request
) -> Response:
    return _validated(workspace, await object_of(request))


def _validated(workspace: SimulatedWorkspace, asked: dict[str, object]) -> Response:
    try:
        validate(workspace.part(ServiceBook), asked)
    except AzureError as error:
        return _told(error)
    return JSONResponse({})


def _told(error: AzureError) -> Response:
    """Return a refusal as the validation calls tell it: inside a 200."""
    message = "; ".join(text for _, text in error.details) or error.message
    return JSONResponse({"error": {"code": error.code, "message": message}})


def _pace(workspace: SimulatedWorkspace) -> dict[str, str]:
    """Return `Retry-After` where the settings have one; whether Azure does is unsure.

    Without it azureml-mlflow looks again after 30 s; azureml-core never reads it.
    """
    seconds = workspace.world.settings.latency("operation-retry-after")
    return {"Retry-After": f"{seconds:.0f}"} if seconds else {}


def _started(
    workspace: SimulatedWorkspace, request: Request, operation: ServiceOperation
) -> Response:
    places = request.path_params
    base = f"{host_of(request)}{_PREFIX}{WORKSPACE.format(**places)}"
    location = f"{base}/operations/{operation.id}"
    headers = {"Operation-Location": location, **_pace(workspace)}
    return Response(status_code=202, headers=headers)


def _is_asked_for(record: ServiceRecord, request: Request) -> bool:
    query = request.query_params
    models = record.wanted_models
    names = {model.rpartition(":")[0] for model in models}
    wanted_type = query.get("computeType", record.compute_type)
    return (
        query.get("name") in {None, record.name}
        and wanted_type.upper() == record.compute_type.upper()
        and query.get("modelId") in {None, *models}
        and query.get("modelName") in {None, *names}
        and query.get("imageId") in {None, record.document.get("imageId")}
        and matches(query.get("tags"), texts(record.document, "kvTags"))
        and matches(query.get("tag"), texts(record.document, "kvTags"))
        and matches(query.get("properties"), texts(record.document, "properties"))
    )


_CALLS: Mapping[tuple[str, str], Handler] = MappingProxyType(
    {
        ("POST", "/services/validate/name/{name}"): _validate_name,
        ("POST", "/services/validate/resource"): _validate_resource,
        ("POST", "/services/validate"): _validate,
        ("POST", "/services"): _create,
        ("GET", "/services"): _list,
        ("GET", "/services/{name}"): _get,
        ("PATCH", "/services/{name}"): _patch,
        ("DELETE", "/services/{name}"): _delete,
        ("POST", "/services/{name}/listkeys"): _keys,
        ("POST", "/services/{name}/regenerateKeys"): _regenerate,
        ("POST", "/services/{name}/token"): _token,
        ("GET", "/services/{name}/logs"): _logs,
        ("GET", "/operations/{id}"): _operation,
    }
)
