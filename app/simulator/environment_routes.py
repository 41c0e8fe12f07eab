"""Environment definitions: registered, read and listed; the images are simulated."""

from collections.abc import Mapping
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from app.simulator.errors import AzureError
from app.simulator.paths import Handler, object_of, workspace_routes
from app.simulator.world import SimulatedWorkspace, World

Definition = dict[str, object]


class Environments:
    """The environment definitions of one workspace; a part of it."""

    def __init__(self, _: SimulatedWorkspace) -> None:
        self._versions: dict[str, dict[str, Definition]] = {}

    def put(self, name: str, version: str | None, body: Definition) -> Definition:
        """Keep a definition, as the next version where none is named."""
        versions = self._versions.setdefault(name, {})
        chosen = version or str(len(versions) + 1)
        definition = {**body, "name": name, "version": chosen}
        definition.pop("Name", None)
        versions[chosen] = definition
        return definition

    def get(self, name: str, version: str | None) -> Definition:
        """Return a version, the newest where none is named; the service's 404."""
        versions = self._versions.get(name, {})
        chosen = version or next(reversed(versions), "")
        if chosen not in versions:
            raise AzureError(
                404,
                "EnvironmentNotFound",
                f"No definition exists for environment {name} version {chosen}.",
            )
        return versions[chosen]

    def newest(self) -> list[Definition]:
        """Return the newest version of each."""
        return [list(versions.values())[-1] for versions in self._versions.values()]


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of environment definitions."""
    return workspace_routes(world, "/environment/v1.0", _CALLS)


async def _put(workspace: SimulatedWorkspace, request: Request) -> Response:
    name, version = _place(request)
    body = await object_of(request)
    return JSONResponse(workspace.part(Environments).put(name, version, body))


async def _get(workspace: SimulatedWorkspace, request: Request) -> Response:
    return JSONResponse(workspace.part(Environments).get(*_place(request)))


async def _list(workspace: SimulatedWorkspace, _: Request) -> Response:
    found = workspace.part(Environments).newest()
    return JSONResponse({"value": found, "continuationToken": None})


def _place(request: Request) -> tuple[str, str | None]:
    version = request.path_params.get("version")
    # The SDK writes an environment without a version so.
    return request.path_params["name"], None if version == "None" else version


_ONE = "/environments/{name}"
_CALLS: Mapping[tuple[str, str], Handler] = MappingProxyType(
    {
        ("GET", "/environments/"): _list,
        ("GET", "/environments"): _list,
        ("PUT", f"{_ONE}/versions/{{version}}"): _put,
        ("GET", f"{_ONE}/versions/{{version}}"): _get,
        ("PUT", _ONE): _put,
        ("GET", _ONE): _get,
    }
)
