"""What was asked: every request, and every host that is not Azure's."""

import itertools
from collections import deque
from dataclasses import dataclass, field

# A long bench must not fill the memory with its own requests.
_KEPT = 5_000
_BODY_LIMIT = 64 * 1024


@dataclass(kw_only=True, slots=True)
class SeenRequest:
    """One request; `status` 0 = no answer was sent, `is_unknown` = no such route."""

    number: int
    method: str
    host: str
    path: str
    query: str
    client_request_id: str
    request_id: str
    at_seconds: float
    status: int = 0
    fault: str = ""
    principal: str = ""
    is_unknown: bool = False
    body: bytearray = field(default_factory=bytearray)

    def keep(self, chunk: bytes) -> None:
        """Keep `chunk` of the body, up to a limit."""
        room = _BODY_LIMIT - len(self.body)
        self.body += chunk[:room]

    def state(self, *, with_body: bool = False) -> dict[str, object]:
        """Return it as JSON."""
        shown: dict[str, object] = {
            "number": self.number,
            "method": self.method,
            "host": self.host,
            "path": self.path,
            "query": self.query,
            "status": self.status,
            "fault": self.fault or None,
            "principal": self.principal or None,
            "unknown_route": self.is_unknown,
            "request_id": self.request_id,
            "client_request_id": self.client_request_id or None,
            "at_seconds": round(self.at_seconds, 3),
        }
        if with_body:
            shown["body"] = self.body.decode("utf-8", "replace")
        return shown


@dataclass(slots=True)
class Journal:
    """The newest requests in order, and all hosts that were refused."""

    requests: deque[SeenRequest] = field(
        default_factory=lambda: deque[SeenRequest](maxlen=_KEPT)
    )
    unexpected_hosts: dict[str, int] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def next_number(self) -> int:
        """Return the number of the next request, from 1."""
        return next(self._numbers)

    def refuse(self, host: str) -> None:
        """Count one more attempt to reach a host that is not Azure's."""
        self.unexpected_hosts[host] = self.unexpected_hosts.get(host, 0) + 1

    def seen(self, method: str = "", path: str = "") -> list[SeenRequest]:
        """Return the requests with this method whose path contains `path`."""
        return [
            request
            for request in self.requests
            if request.method == (method or request.method)
            and path.lower() in request.path.lower()
        ]

    def unknown(self) -> list[SeenRequest]:
        """Return the requests that no route of the simulator knew."""
        return [request for request in self.requests if request.is_unknown]

    def clear(self) -> None:
        """Forget everything but the numbering."""
        self.requests.clear()
        self.unexpected_hosts.clear()
