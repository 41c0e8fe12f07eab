"""How the data plane's calls name a workspace, and how their bodies are read."""

import json
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.simulator.errors import AzureError
from app.simulator.world import SimulatedWorkspace, World

WORKSPACE = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
)

Handler = Callable[[SimulatedWorkspace, Request], Awaitable[Response]]


def workspace_routes(
    world: World, prefix: str, calls: Mapping[tuple[str, str], Handler]
) -> list[BaseRoute]:
    """Return a route below `prefix` and the workspace for each method and path.

    More special paths must stand first in `calls`.
    """
    return [
        Route(f"{prefix}{WORKSPACE}{path}", _bound(world, handler), methods=[method])
        for (method, path), handler in calls.items()
    ]


def _bound(world: World, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        places = request.path_params
        workspace = world.workspace(
            places["subscription"], places["group"], places["workspace"]
        )
        return await handler(workspace, request)

    return answer


async def json_of(request: Request) -> object:
    """Return the request's JSON, None for an empty body; Azure's 400 for no JSON."""
    body = await request.body()
    if not body:
        return None
    try:
        return json.loads(body)
    except ValueError as error:
        raise bad_request("InvalidJson", "The request body is not JSON.") from error


async def object_of(request: Request) -> dict[str, object]:
    """Return the request's JSON object; Azure's 400 for anything else."""
    body = await json_of(request)
    if not isinstance(body, dict):
        raise bad_request("InvalidBody", "The request body is not a JSON object.")
    return body


def bad_request(code: str, message: str) -> AzureError:
    """Return the 400 of model management, with the reason in its details."""
    return AzureError(
        400, "BadRequest", "The request is invalid.", details=((code, message),)
    )


def text_of(body: Mapping[str, object], name: str) -> str | None:
    """Return a text field, None without one; Azure's 400 for another type."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request("InvalidValue", f"{name} must be a string.")
    return value


def texts_of(body: Mapping[str, object], name: str) -> dict[str, str]:
    """Return a map of texts, empty without one; Azure's 400 for anything else."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(each, str) for each in value.values()
    ):
        raise bad_request("InvalidValue", f"{name} must map strings to strings.")
    return {str(key): str(each) for key, each in value.items()}


def host_of(request: Request) -> str:
    """Return the scheme and host that the client called."""
    return f"https://{request.headers.get('host', '')}"
