"""What a child process may send: checked before every HTTP request that it makes.

azureml-core, the storage client that it brings and azure-core all send through
requests' one adapter, so this is the one place where nothing passes unseen.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

# A write that has less time than this left is not worth starting.
SHORTEST_WRITE_SECONDS = 1.0
_LONGEST_REQUEST_SECONDS = 60.0
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_FIRST_REFUSED = 400
_LONGEST_BODY = 64 * 1024

OwnsHost = Callable[[str], bool]
"""Says whether the workspace's token may be sent to a host."""


class LeaseRanOutError(Exception):
    """A write was not started: this worker's time to write had run out."""


class RepeatedWriteError(Exception):
    """A write was not sent again: what came of the first is found out by looking."""


class TokenAstrayError(Exception):
    """A request was not made: it would have taken the token to a stranger."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """The last request, and what came of it; `status` None if no answer came."""

    method: str
    url: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Permit:
    """The token and the lease of the request at hand, as the parent tells them.

    `lease_until` is a moment of the machine's monotonic clock; None allows no write.
    It may be told anew at any time, from another thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lease_until: float | None = None
        self._token = ""
        self._owns: OwnsHost = lambda _: False
        self._written: set[tuple[str, str]] = set()
        self.last: Exchange | None = None
        self.ran_out = False

    @property
    def token(self) -> str:
        """Return the bearer token to use just now."""
        with self._lock:
            return self._token

    def begin(self, owns: OwnsHost) -> None:
        """Forget the request before."""
        with self._lock:
            self._lease_until = None
            self._owns = owns
            self._written.clear()
            self.last = None
            self.ran_out = False

    def renew(self, *, lease_until: float | None, token: str | None) -> None:
        """Take what the parent tells; None leaves it as it is."""
        with self._lock:
            if lease_until is not None:
                self._lease_until = lease_until
            if token is not None:
                self._token = token

    def seconds_for(self, request: requests.PreparedRequest) -> float:
        """Return how long `request` may take.

        Raises LeaseRanOutError for a write that may not start, RepeatedWriteError for
        one that was sent before, TokenAstrayError for a request that must not be made.
        """
        with self._lock:
            lease_until, owns = self._lease_until, self._owns
        to = urlsplit(request.url or "")
        is_ours = to.scheme == "https" and owns(to.hostname or "")
        if "Authorization" in request.headers and not is_ours:
            raise TokenAstrayError("a token was to be sent outside of Azure's hosts")
        if (request.method or "").upper() in _READS:
            return _LONGEST_REQUEST_SECONDS
        left = 0.0 if lease_until is None else lease_until - time.monotonic()
        if left < SHORTEST_WRITE_SECONDS:
            self.ran_out = True
            raise LeaseRanOutError("there was no time left in which to write")
        write = (request.method or "", request.url or "")
        if write in self._written:
            raise RepeatedWriteError("a write was to be sent twice")
        self._written.add(write)
        return min(left, _LONGEST_REQUEST_SECONDS)

    def install(self) -> None:
        """Put this permit before every request of the process, for good."""
        send = HTTPAdapter.send
        permit = self

        def permitted(
            adapter: HTTPAdapter,
            request: requests.PreparedRequest,
            *arguments: Any,  # noqa: ANN401 - as requests declares them
            **options: Any,  # noqa: ANN401
        ) -> requests.Response:
            # Positional: stream, timeout. Ours is never longer than what is left.
            seconds = permit.seconds_for(request)
            stream = arguments[0] if arguments else options.pop("stream", False)
            asked = arguments[1] if len(arguments) > 1 else options.pop("timeout", None)
            timeout = seconds if asked is None else _shorter(asked, seconds)
            # Retries are the runner's, after a look.
            adapter.max_retries = Retry(0, read=False)
            permit.last = Exchange(method=request.method or "", url=request.url or "")
            answer = send(adapter, request, stream, timeout, *arguments[2:], **options)
            permit.last = _exchange(request, answer)
            return answer

        HTTPAdapter.send = permitted  # type: ignore[method-assign,assignment]


def _shorter(asked: Any, seconds: float) -> Any:  # noqa: ANN401 - requests' own kinds
    if isinstance(asked, tuple):
        return tuple(seconds if one is None else min(one, seconds) for one in asked)
    return min(asked, seconds) if isinstance(asked, int | float) else seconds


def _exchange(request: requests.PreparedRequest, answer: requests.Response) -> Exchange:
    is_refused = answer.status_code >= _FIRST_REFUSED
    return Exchange(
        method=request.method or "",
        url=request.url or "",
        status=answer.status_code,
        headers=tuple((name.lower(), text) for name, text in answer.headers.items()),
        # Reading it here leaves it readable: requests keeps the whole.
        body=answer.text[:_LONGEST_BODY] if is_refused else "",
    )
