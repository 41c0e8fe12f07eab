"""The table of hosts: which of Azure's names lead to which routes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

from app.simulator import (
    aad,
    arm,
    artifact_routes,
    blob_routes,
    computes,
    discovery,
    environment_routes,
    history,
    mlflow_routes,
    model_routes,
    scoring,
    service_routes,
)
from app.simulator.errors import AzureError, Style
from app.simulator.tokens import ARM_AUDIENCES, ML_AUDIENCES
from app.simulator.world import World

RoutesOf = Callable[[World], Sequence[BaseRoute]]

UNKNOWN = "slipway.simulator.unknown_route"


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """One service of Azure: its hosts, its paths, and how it says no.

    Without `audiences` the surface looks at no token of Azure AD.
    """

    name: str
    hosts: str
    prefix: str
    style: Style
    audiences: tuple[str, ...]
    routes: RoutesOf
    # Also at http://, port 80.
    is_plain: bool = False


def _all(*sources: RoutesOf) -> RoutesOf:
    return lambda world: [route for routes in sources for route in routes(world)]


_LOGIN = r"login\.(microsoftonline|microsoft|windows)\.(com|net)"
_REGIONAL = (
    r"([a-z0-9-]+\.workspace\.)?[a-z0-9]+\."
    r"(api\.azureml\.ms|experiments\.azureml\.net|modelmanagement\.azureml\.net)"
)
_BLOB = r"[a-z0-9]{3,24}\.blob\.core\.windows\.net"
_SCORING = (
    r"[a-z0-9-]+\.[a-z0-9]+\.azurecontainer\.io"
    r"|[a-z0-9-]+\.[a-z0-9]+\.cloudapp\.azure\.com"
    # Documentation addresses: nobody's machine, in place of a cluster's public one.
    r"|203\.0\.113\.[0-9]{1,3}"
)

SURFACES = (
    Surface(
        name="aad",
        hosts=_LOGIN,
        prefix="/",
        style=Style.AAD,
        audiences=(),
        routes=aad.routes,
    ),
    Surface(
        name="managed-identity",
        hosts=r"169\.254\.169\.254",
        prefix="/metadata/",
        style=Style.AAD,
        audiences=(),
        routes=aad.managed_identity_routes,
        is_plain=True,
    ),
    Surface(
        name="arm-metadata",
        hosts=r"management\.azure\.com",
        prefix="/metadata/",
        style=Style.ARM,
        audiences=(),
        routes=discovery.metadata_routes,
    ),
    Surface(
        name="arm",
        hosts=r"management\.azure\.com",
        prefix="/",
        style=Style.ARM,
        audiences=ARM_AUDIENCES,
        routes=_all(arm.routes, computes.routes),
    ),
    Surface(
        name="discovery",
        hosts=_REGIONAL,
        prefix="/discovery",
        style=Style.MMS,
        audiences=(),
        routes=discovery.routes,
    ),
    Surface(
        name="resource-provider",
        hosts=_REGIONAL,
        prefix="/rp/",
        style=Style.ARM,
        audiences=ML_AUDIENCES,
        routes=computes.read_routes,
    ),
    Surface(
        name="mlflow",
        hosts=_REGIONAL,
        prefix="/mlflow/",
        style=Style.MLFLOW,
        audiences=ML_AUDIENCES,
        routes=mlflow_routes.routes,
    ),
    Surface(
        name="model-management",
        hosts=_REGIONAL,
        prefix="/",
        style=Style.MMS,
        audiences=ML_AUDIENCES,
        routes=_all(
            model_routes.routes,
            service_routes.routes,
            artifact_routes.routes,
            environment_routes.routes,
            history.routes,
        ),
    ),
    Surface(
        name="blob",
        hosts=_BLOB,
        prefix="/",
        style=Style.BLOB,
        audiences=(),
        routes=blob_routes.routes,
    ),
    Surface(
        name="scoring",
        hosts=_SCORING,
        prefix="/",
        style=Style.MMS,
        audiences=(),
        routes=scoring.routes,
        is_plain=True,
    ),
)


class Surfaces:
    """The surfaces of one world, with their routes made once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._apps: Mapping[str, Router] = MappingProxyType(
            {surface.name: _router(surface.routes(world)) for surface in SURFACES}
        )

    def knows(self, host: str, *, plain: bool = False) -> bool:
        """Tell whether `host` is one of Azure's names (at port 80, if `plain`)."""
        return any(
            surface.is_plain or not plain
            for surface in SURFACES
            if self._has(surface, host)
        )

    def find(self, host: str, path: str) -> Surface | None:
        """Return the surface that answers at `host` for `path`."""
        for surface in SURFACES:
            if self._has(surface, host) and path.lower().startswith(surface.prefix):
                return surface
        return None

    def app(self, surface: Surface) -> Router:
        """Return the routes of `surface`."""
        return self._apps[surface.name]

    def _has(self, surface: Surface, host: str) -> bool:
        if re.fullmatch(surface.hosts, host):
            return True
        return surface.name == "scoring" and host in self._world.scoring_hosts


def _router(routes: Sequence[BaseRoute]) -> Router:
    for route in routes:
        if isinstance(route, Route):
            # ARM ids and the paths made of them have no letter case.
            route.path_regex = re.compile(route.path_regex.pattern, re.IGNORECASE)
    return Router(list(routes), redirect_slashes=False, default=_unknown)


async def _unknown(scope: Scope, _receive: Receive, _send: Send) -> None:
    scope["state"][UNKNOWN] = True
    raise AzureError(
        404,
        "InvalidResourceType",
        f"The simulator has no route for {scope['method']} {scope['path']}.",
    )
