"""The faults that any request can meet, whatever it is about."""

from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Message, Send

from app.simulator.errors import AzureError, Style, html_page
from app.simulator.faults import Fault, FaultKind, Faults
from app.simulator.journal import SeenRequest

_WHERE = ("method", "host", "path")
_RETRY_AFTER = "seconds in `Retry-After`; none by default"

KINDS = (
    FaultKind(
        name="throttled",
        about="429 with `Retry-After`; nothing is done.",
        where=_WHERE,
        parameters={"retry_after": "seconds in `Retry-After`; 5 by default"},
    ),
    FaultKind(
        name="conflict",
        about="409; nothing is done.",
        where=_WHERE,
        parameters={"code": "Azure's code; `Conflict` by default", "message": "text"},
    ),
    FaultKind(
        name="forbidden",
        about="403 `AuthorizationFailed`; nothing is done.",
        where=_WHERE,
    ),
    FaultKind(
        name="unauthorized",
        about="401 `ExpiredAuthenticationToken`; nothing is done.",
        where=_WHERE,
    ),
    FaultKind(
        name="server-error",
        about="A 5xx in the surface's own shape; nothing is done.",
        where=_WHERE,
        parameters={
            "status": "500 by default; 502, 503, 504",
            "retry_after": _RETRY_AFTER,
        },
    ),
    FaultKind(
        name="html",
        about="A gateway's HTML page in place of JSON; nothing is done.",
        where=_WHERE,
        parameters={"status": "502 by default", "retry_after": _RETRY_AFTER},
    ),
    FaultKind(
        name="dropped-connection",
        about="The connection ends before anything is done.",
        where=_WHERE,
    ),
    FaultKind(
        name="lost-answer",
        about="The work is done, then the connection ends without an answer.",
        where=_WHERE,
    ),
    FaultKind(
        name="truncated-answer",
        about="The work is done; the connection ends in the middle of the body.",
        where=_WHERE,
    ),
    FaultKind(
        name="malformed-answer",
        about="The work is done; the answer has its status and no JSON.",
        where=_WHERE,
    ),
    FaultKind(
        name="slow",
        about="The request waits before anything is done.",
        where=_WHERE,
        parameters={"seconds": "real seconds; 5 by default"},
    ),
)


class Spoiling:
    """The faults that strike one request."""

    def __init__(self, faults: Faults, seen: SeenRequest) -> None:
        self._faults = faults
        self._seen = seen

    def take(self, name: str) -> Fault | None:
        """Return the fault `name` if it strikes this request."""
        seen = self._seen
        fault = self._faults.take(
            name, method=seen.method, host=seen.host, path=seen.path
        )
        if fault is not None:
            seen.fault = name
        return fault

    def refusal(self, style: Style) -> AzureError | Response | None:
        """Return what is answered in place of the work, if a fault says so."""
        if fault := self.take("html"):
            status = int(fault.number("status", 502))
            headers = _retry_after(fault)
            return Response(html_page(status), status, headers, "text/html")
        return self._throttled() or self._refused() or self._broken(style)

    def answer(self, send: Send) -> "SpoiledAnswer":
        """Return what the work answers to; taken before the work, struck after it."""
        for name in ("lost-answer", "truncated-answer", "malformed-answer"):
            if self.take(name):
                return SpoiledAnswer(send, name)
        return SpoiledAnswer(send, "")

    def _throttled(self) -> AzureError | None:
        fault = self.take("throttled")
        if fault is None:
            return None
        seconds = str(int(fault.number("retry_after", 5)))
        return AzureError(
            429,
            "TooManyRequests",
            f"Too many requests. Please try again after '{seconds}' seconds.",
            headers={"Retry-After": seconds},
        )

    def _refused(self) -> AzureError | None:
        if fault := self.take("conflict"):
            message = fault.text("message", "Another operation is in progress.")
            return AzureError(409, fault.text("code", "Conflict"), message)
        if self.take("forbidden"):
            return AzureError(
                403,
                "AuthorizationFailed",
                "The client does not have authorization to perform action "
                f"'{self._seen.method}' over scope '{self._seen.path}' or the scope "
                "is invalid.",
            )
        if self.take("unauthorized"):
            return AzureError(
                401, "ExpiredAuthenticationToken", "The access token expiry has passed."
            )
        return None

    def _broken(self, _style: Style) -> AzureError | None:
        fault = self.take("server-error")
        if fault is None:
            return None
        status = int(fault.number("status", 500))
        code = (
            "ServiceUnavailable"
            if status == HTTPStatus.SERVICE_UNAVAILABLE
            else "InternalServerError"
        )
        message = "An internal server error occurred. Please try again later."
        return AzureError(status, code, message, headers=_retry_after(fault))


class SpoiledAnswer:
    """Passes an answer on, or keeps it back and spoils it."""

    def __init__(self, send: Send, spoiling: str) -> None:
        self._send = send
        self._spoiling = spoiling
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        """Take one message of the answer."""
        if not self._spoiling:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start = message
        else:
            self._body += message.get("body", b"")

    async def finish(self) -> bool:
        """Send what is to be sent; tell whether the connection is to be cut."""
        if self._start is None or self._spoiling == "lost-answer":
            return bool(self._spoiling)
        if self._spoiling == "malformed-answer":
            self._body = b"\xef\xbb\xbf{" + self._body[1 : len(self._body) // 2]
            self._start["headers"] = [
                pair for pair in self._start["headers"] if pair[0] != b"content-length"
            ]
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": self._body})
            return False
        half = self._body[: len(self._body) // 2]
        await self._send(self._start)
        await self._send(
            {"type": "http.response.body", "body": half, "more_body": True}
        )
        return True


def _retry_after(fault: Fault) -> dict[str, str]:
    if "retry_after" not in fault.parameters:
        return {}
    return {"Retry-After": str(int(fault.number("retry_after", 0)))}
