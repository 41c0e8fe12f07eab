"""The control API: who may use it, and its routes."""

import hmac
import ipaddress
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from app.simulator import aad
from app.simulator.control_changing import changing_routes
from app.simulator.control_errors import ControlError, answer
from app.simulator.control_reading import reading_routes
from app.simulator.world import World


class Control:
    """Plain HTTP beside the simulated Azure, for whoever runs it.

    Without a token it answers this machine alone, and only to its own names, so that
    no web page can reach it through a name of its own. With one it asks for it always.
    """

    def __init__(self, world: World, environment: Mapping[str, str]) -> None:
        self._token = world.settings.control_token
        routes = [*reading_routes(world, environment), *changing_routes(world)]
        self._app = Starlette(
            routes=[*aad.app_service_routes(world), Mount("/control", routes=routes)],
            exception_handlers={ControlError: answer},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of the control API."""
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["path"] == aad.APP_SERVICE_PATH:
            # Whoever reaches the simulated Azure may sign in to it.
            return None
        if self._token is not None:
            given = headers.get("authorization", "").encode()
            if hmac.compare_digest(given, f"Bearer {self._token}".encode()):
                return None
            return _refused(401, "The control token is missing or wrong.")
        if not (_is_local(scope["client"][0]) and _is_local(_name(headers))):
            return _refused(403, "Without a control token only this machine may ask.")
        return None


def _name(headers: Headers) -> str:
    host = headers.get("host", "")
    return host.rpartition(":")[0].strip("[]") if ":" in host else host


def _is_local(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _refused(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)
