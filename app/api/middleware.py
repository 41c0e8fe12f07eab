"""What every request goes through: an id, a readable address, safe headers."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api import errors
from app.core.clock import Ids
from app.core.errors import AppError, MalformedError

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOG = structlog.get_logger(__name__)

# The API serves data to programs: no browser may guess, frame or refer to it.
_SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class RequestMiddleware:
    """Gives each request an id, in its logs and its answer, and survives it.

    Whatever the application failed to foresee becomes a 500 problem with that id;
    the traceback goes to the log alone. Outside of it there is nothing but the server.
    """

    def __init__(self, app: ASGIApp, *, ids: Ids) -> None:
        self._app = app
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(Headers(scope=scope))
        scope["slipway.request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._serve(scope, receive, _Marked(send, request_id))

    async def _serve(self, scope: Scope, receive: Receive, send: "_Marked") -> None:
        error: AppError
        try:
            _check_address(scope)
            await self._app(scope, receive, send)
        except AppError as refused:
            error = refused
        except Exception:  # noqa: BLE001
            # The last resort: the process serves others, so it logs and goes on.
            _LOG.exception("request_crashed", path=scope["path"])
            error = errors.unexpected()
        else:
            return
        if send.has_started:
            # Half an answer cannot be mended: the server must cut the connection.
            raise error
        response = errors.respond(error, request_id=send.request_id)
        await response(scope, receive, send)

    def _request_id(self, headers: Headers) -> str:
        given = headers.get("x-request-id", "")
        return given if _REQUEST_ID.fullmatch(given) else self._ids.new("req")


class _Marked:
    """Sends on, with the request's id and the safe headers on the answer."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.has_started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self.request_id
            for name, value in _SAFE_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


def _check_address(scope: Scope) -> None:
    """Raise MalformedError for a path or query that is not UTF-8, or holds a NUL."""
    parts: Iterable[bytes] = (scope.get("raw_path") or b"", scope["query_string"])
    for part in parts:
        plain = unquote_to_bytes(part)
        try:
            text = plain.decode()
        except UnicodeDecodeError as error:
            raise MalformedError("The path or query is not valid UTF-8.") from error
        if "\0" in text:
            raise MalformedError("The path or query holds a NUL character.")
