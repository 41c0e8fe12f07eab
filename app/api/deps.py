"""What routes ask for by type: parts, the caller, and the usual headers."""

import re
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase

from app.api.parts import Parts, parts_of
from app.core.principal import Principal, Scope
from app.services.context import Context

# Only what may stand in a link is taken from a caller's own Host header.
_HOST = re.compile(
    r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?"
)


def base_url(request: Request) -> str:
    """Return what links begin with: PUBLIC_URL, else the address that was called."""
    parts = parts_of(request)
    host = request.headers.get("host", "")
    if parts.settings.public_url or not _HOST.fullmatch(host):
        return parts.context.base_url
    return f"{request.url.scheme}://{host}"


def request_id(request: Request) -> str | None:
    """Return the id under which this request is logged."""
    found: str | None = request.scope.get("slipway.request_id")
    return found


async def _base_url(request: Request) -> str:
    return base_url(request)


async def _parts(request: Request) -> Parts:
    return parts_of(request)


async def _context(request: Request) -> Context:
    return parts_of(request).context


class _Holder(SecurityBase):
    """Whoever holds a valid key, with `scope` if one is asked for.

    Documents the scheme; the route class itself reads the key, before anything else.
    One dependency for all of it, because each one costs every request.
    """

    def __init__(self, scope: Scope | None = None) -> None:
        self.scheme_name = "ApiKey"
        self.model = HTTPBearerModel(
            description="`slw_…`, made by `slipway keys create`."
        )
        self._scope = scope

    async def __call__(self, request: Request) -> Principal:
        """Return the caller. Raises ForbiddenError without the scope."""
        caller: Principal = request.state.principal
        if self._scope is not None:
            caller.require(self._scope)
        return caller


# All of these are coroutines: FastAPI would run plain functions in a thread.
CurrentParts = Annotated[Parts, Depends(_parts)]
CurrentContext = Annotated[Context, Depends(_context)]
BaseUrl = Annotated[str, Depends(_base_url)]

# Whoever has a valid key, whatever its scopes.
Caller = Annotated[Principal, Security(_Holder())]
Reader = Annotated[Principal, Security(_Holder(Scope.READ))]
Deployer = Annotated[Principal, Security(_Holder(Scope.DEPLOY))]
KeyHolder = Annotated[Principal, Security(_Holder(Scope.KEYS))]
Admin = Annotated[Principal, Security(_Holder(Scope.ADMIN))]
