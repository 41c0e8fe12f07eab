"""What routes ask for by type: parts, the caller, and the usual headers."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from app.api.parts import Parts, parts_of
from app.core.principal import Principal, Scope
from app.services.context import Context

# Only what may stand in a link is taken from a caller's own Host header.
_HOST = re.compile(
    r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?"
)

# These are all coroutines: FastAPI would run plain functions in a thread.
# Documents the scheme; the route class itself reads the key, before anything else.
_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    description="`slw_…`, made by `slipway keys create`.",
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


async def _caller(
    request: Request, _: Annotated[object, Security(_BEARER)]
) -> Principal:
    caller: Principal = request.state.principal
    return caller


# Whoever has a valid key, whatever its scopes.
Caller = Annotated[Principal, Depends(_caller)]


def _requires(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    async def principal(caller: Caller) -> Principal:
        caller.require(scope)
        return caller

    return principal


CurrentParts = Annotated[Parts, Depends(_parts)]
CurrentContext = Annotated[Context, Depends(_context)]
BaseUrl = Annotated[str, Depends(_base_url)]

Reader = Annotated[Principal, Depends(_requires(Scope.READ))]
Deployer = Annotated[Principal, Depends(_requires(Scope.DEPLOY))]
KeyHolder = Annotated[Principal, Depends(_requires(Scope.KEYS))]
Admin = Annotated[Principal, Depends(_requires(Scope.ADMIN))]
