"""Every error as RFC 9457 problem+json: one table from type to status."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException

from app.api.deps import base_url, request_id
from app.api.parts import parts_of
from app.api.validation import problems_of
from app.core.errors import (
    AppError,
    FencedError,
    FieldProblem,
    ForbiddenError,
    InvalidError,
    MalformedError,
    MediaTypeError,
    MethodNotAllowedError,
    NotFoundError,
    PreconditionError,
    StateConflictError,
    TimedOutError,
    TooLargeError,
    TooManyError,
    UnauthorizedError,
    UnavailableError,
    UpstreamError,
)
from app.core.failure import TargetError
from app.core.option import Option

MEDIA_TYPE = "application/problem+json"

# The nearest ancestor decides; whatever is not here is a fault of ours.
STATUS: Mapping[type[AppError], int] = {
    MalformedError: 400,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    MethodNotAllowedError: 405,
    StateConflictError: 409,
    # Somebody else was faster between two statements of one request.
    FencedError: 409,
    PreconditionError: 412,
    TooLargeError: 413,
    MediaTypeError: 415,
    InvalidError: 422,
    TooManyError: 429,
    AppError: 500,
    TargetError: 502,
    UpstreamError: 502,
    UnavailableError: 503,
    TimedOutError: 504,
}

_RETRY_AFTER_SECONDS = 2
_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """An error as callers get it (RFC 9457); `code` never changes once released."""

    type: Annotated[str, Option("`urn:slipway:error:` and the code.")]
    title: str
    status: int
    detail: str
    code: str
    errors: Annotated[
        tuple[FieldProblem, ...],
        Option(
            "Each wrong field; `pointer` leads into the body (RFC 6901), or begins "
            "with /path, /query or /header for a parameter."
        ),
    ]
    remedy: str
    request_id: str | None
    links: Mapping[str, str]


_PROBLEM = TypeAdapter(Problem)


def status_of(kind: type[AppError]) -> int:
    """Return the HTTP status of an error type."""
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


def problem(error: AppError, *, request_id: str | None) -> Problem:
    """Return `error` as callers are shown it."""
    return Problem(
        type=f"urn:slipway:error:{error.code}",
        title=error.title,
        status=status_of(type(error)),
        detail=error.detail,
        code=error.code,
        errors=error.fields,
        remedy=error.advice,
        request_id=request_id,
        links=error.links,
    )


def respond(error: AppError, *, request_id: str | None) -> Response:
    """Return the answer to a request that ended in `error`."""
    content = problem(error, request_id=request_id)
    headers = _headers(error, content.status)
    return Response(
        _PROBLEM.dump_json(content),
        status_code=content.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def unexpected() -> AppError:
    """Return what a caller is told of a fault of ours; the log has the rest."""
    return AppError("An unexpected error; it was logged with this request id.")


def install(app: FastAPI) -> None:
    """Answer every error of `app` as problem+json, the router's own ones too."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)


def _headers(error: AppError, status: int) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    wait = error.retry_after_seconds
    if wait is None and status in {429, 503}:
        wait = _RETRY_AFTER_SECONDS
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = 'Bearer realm="slipway"'
    if isinstance(error, TooLargeError):
        # The rest of the body is not read, so nothing can follow it.
        headers["Connection"] = "close"
    return headers


async def _on_app_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, AppError):
        raise error
    status = status_of(type(error))
    if status == status_of(AppError):
        _LOG.error("request_failed", code=error.code, exc_info=error)
    elif status > status_of(AppError):
        # Somebody else is away: where in our code that was noticed says nothing.
        _LOG.warning("request_failed", code=error.code, detail=error.detail)
    return respond(_seen_from(request, error), request_id=request_id(request))


async def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = InvalidError(
        "One or more fields are wrong.", fields=problems_of(error.errors(), error.body)
    )
    return respond(found, request_id=request_id(request))


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Translate what the router raises: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    found: AppError
    match error.status_code:
        case 404:
            found = NotFoundError(
                "There is nothing at this path.", remedy="See /openapi.json."
            )
        case 405:
            found = MethodNotAllowedError("This path does not have this method.")
        case _:
            found = MalformedError("The request cannot be read.")
    response = respond(found, request_id=request_id(request))
    response.headers.update(error.headers or {})
    return response


def _seen_from(request: Request, error: AppError) -> AppError:
    """Make the links of `error` begin where the caller reached Slipway."""
    known, seen = parts_of(request).context.base_url, base_url(request)
    error.links = {
        name: seen + link.removeprefix(known) if link.startswith(known) else link
        for name, link in error.links.items()
    }
    return error
