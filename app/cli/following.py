"""A subject's events as they happen, over lost connections and restarts."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from app.cli import answers
from app.cli.answers import Event
from app.cli.connection import (
    Connection,
    RefusedError,
    check,
    read_as,
    unreachable,
)

# A service that restarts after a crash answers again well within this.
_PATIENCE_SECONDS = 60.0
# Slipway says something every 15 s; a silent connection is a dead one.
_QUIET_SECONDS = 45.0
_PAUSE_SECONDS = 0.5
_TOO_MANY = 429

_EVENT = TypeAdapter(Event)
_OPERATION = TypeAdapter(answers.Operation)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event, and the very JSON that the service sent."""

    event: Event
    raw: Any


def stream(
    connection: Connection,
    subject_id: str,
    *,
    after: int = 0,
    seconds: float | None = None,
    among: str = "deployments",
) -> Iterator[Told | None]:
    """Yield each event numbered higher than `after` once, in order.

    `among` is where the subject stands: deployments or clusters.
    None says that nothing happened for a while, so that the caller may look for
    itself. It ends after about `seconds`, else never; raises OperatorError once the
    service has not answered for a minute.
    """
    path = f"/v1/{among}/{quote(subject_id, safe='')}/events"
    deadline = None if seconds is None else time.monotonic() + seconds
    patience = _Patience(connection.client.base_url)
    while (left := _left(deadline)) > 0:
        was_silent = True
        with patience:
            for told in _listen(connection, path, after=after, seconds=left):
                was_silent = False
                patience.renew()
                after = after if told is None else told.event.sequence
                yield told
                if _left(deadline) <= 0:
                    return
        if was_silent:
            yield None
        threading.Event().wait(min(_PAUSE_SECONDS, max(_left(deadline), 0)))


def until_ended(
    connection: Connection,
    subject_id: str,
    operation: answers.Operation,
    *,
    tell: Callable[[Event], None],
    seconds: float | None,
    among: str = "deployments",
) -> answers.Operation | None:
    """Return the operation once it has ended, telling its events on the way.

    None if it has not after about `seconds`.
    """
    path = f"/v1/operations/{quote(operation.id, safe='')}"
    for told in stream(connection, subject_id, seconds=seconds, among=among):
        if told is None:
            current = _look(connection, path, known=operation)
        elif (found := told.event.data.operation) and found.id == operation.id:
            tell(told.event)
            current = found
        else:
            continue
        if current.has_ended:
            return current
    return None


class _Patience:
    """Bears, as a context, that nobody answers: a minute long since the last word."""

    def __init__(self, url: httpx.URL) -> None:
        self._url = url
        self._heard_at = time.monotonic()

    def renew(self) -> None:
        """Count the minute from now on."""
        self._heard_at = time.monotonic()

    def __enter__(self) -> None:
        """Begin to listen."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        is_over = time.monotonic() - self._heard_at > _PATIENCE_SECONDS
        match error:
            case httpx.TransportError():
                if is_over:
                    raise unreachable(self._url, error) from error
                return True
            case RefusedError():
                return not is_over and (
                    error.is_server_fault or error.status == _TOO_MANY
                )
            case _:
                return False


def _look(
    connection: Connection, path: str, *, known: answers.Operation
) -> answers.Operation:
    """Return the operation as it stands, or as it was known if nobody answers."""
    try:
        response = connection.client.get(path)
        check(response)
    except (httpx.TransportError, RefusedError):
        # The stream decides for how long silence is borne.
        return known
    return read_as(_OPERATION, response.json())


def _left(deadline: float | None) -> float:
    return _QUIET_SECONDS if deadline is None else deadline - time.monotonic()


def _listen(
    connection: Connection, path: str, *, after: int, seconds: float
) -> Iterator[Told | None]:
    """Yield what one connection brings; None for each sign of life without news."""
    client = connection.client
    timeout = httpx.Timeout(min(seconds, _QUIET_SECONDS))
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    with client.stream("GET", path, headers=headers, timeout=timeout) as response:
        if response.is_error:
            response.read()
            check(response)
        data: list[bytes] = []
        for line in _lines(response.iter_bytes()):
            name, _, value = line.partition(b":")
            if name == b"data":
                data.append(value.removeprefix(b" "))
            elif not line and data:
                yield _told(b"\n".join(data))
                data = []
            elif line.startswith(b":"):
                yield None


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    # Not httpx's own: it also ends lines at characters that JSON may hold as they are.
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in whole)


def _told(data: bytes) -> Told | None:
    try:
        raw = json.loads(data)
    except ValueError:
        raw = None
    return Told(event=read_as(_EVENT, raw), raw=raw)
