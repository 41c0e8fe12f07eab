"""The little HTTP that a local endpoint speaks itself: one head in, problems out."""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address

LONGEST_HEAD = 32 * 1024

_REQUEST_LINE = re.compile(rb"[A-Z]{1,20} [!-~]+ HTTP/1\.[01]")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
# What says something about one connection alone.
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"upgrade"})
_PORT = re.compile(r":[0-9]{1,5}$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """An answer that comes from the endpoint itself, as problem+json (RFC 9457)."""

    status: HTTPStatus
    code: str
    title: str
    remedy: str

    def response(self) -> bytes:
        """Return the whole response."""
        fields = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status.value,
            "code": self.code,
            "remedy": self.remedy,
        }
        body = json.dumps(fields).encode()
        head = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "content-type: application/problem+json",
            f"content-length: {len(body)}",
            "connection: close",
        ]
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            head.append("retry-after: 1")
        return "\r\n".join([*head, "", ""]).encode() + body


NOTHING_SERVES = Problem(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    code="not_serving",
    title="Nothing is serving",
    remedy="Try again; if it stays, read the deployment's conditions and logs.",
)
GONE = Problem(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    code="upstream_failed",
    title="The model's process ended before it had answered",
    remedy="Read the deployment's logs; it is started again by itself.",
)
BUSY = Problem(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    code="too_many",
    title="Too many requests at once",
    remedy="Send fewer at once.",
)
TOO_SLOW = Problem(
    status=HTTPStatus.REQUEST_TIMEOUT,
    code="timed_out",
    title="The request's head did not arrive in time",
    remedy="Send the request at once.",
)
TOO_LONG = Problem(
    status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    code="too_large",
    title="The request's head is too long",
    remedy=f"Send less than {LONGEST_HEAD} bytes of headers.",
)
UNREADABLE = Problem(
    status=HTTPStatus.BAD_REQUEST,
    code="malformed_request",
    title="The request cannot be read",
    remedy="Send an HTTP/1.1 request.",
)
MISDIRECTED = Problem(
    status=HTTPStatus.MISDIRECTED_REQUEST,
    code="misdirected",
    title="The request was meant for another host",
    remedy="Use the scoring URI as it was given, with its address.",
)


def rewrite_head(head: bytes) -> bytes | Problem:
    """Return a request's head made for a single exchange, or why it is refused.

    A Host other than an address or `localhost` is refused: it comes from a page that
    made its own name point here (DNS rebinding), and the server behind looks at none.
    """
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if not _REQUEST_LINE.fullmatch(first):
        return UNREADABLE
    kept = [first]
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            return UNREADABLE
        name, value = header[1].lower(), header[2]
        if name == b"host" and not _is_ours(value.decode("latin-1")):
            return MISDIRECTED
        if name not in _HOP_BY_HOP:
            kept.append(name + b": " + value)
    return b"\r\n".join([*kept, b"connection: close", b"", b""])


def _is_ours(host: str) -> bool:
    name = _PORT.sub("", host).strip("[]").lower()
    if name == "localhost":
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
