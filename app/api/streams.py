"""Server-sent events: replayed from any id, then as they happen, until the end."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog
from fastapi import Request
from pydantic_core import to_json
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.api.parts import Parts, parts_of
from app.api.route import authenticate
from app.core.errors import UnauthorizedError, UnavailableError
from app.core.event import Event
from app.core.principal import Principal
from app.services.events import envelope
from app.storage import clusters, deployments, events, operations
from app.storage.events import Cursor, Filter
from app.storage.notifications import ANY, EVENTS

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0

_BATCH = 100
# A NOTIFY may be lost: the log is read again after this at the latest.
_LOOK_AGAIN_SECONDS = 5.0
# An event is shown once every older transaction has ended, which may be a moment
# after its own NOTIFY.
_QUICK_LOOKS = 5
_QUICK_LOOK_SECONDS = 0.1

_OPENING = b"retry: 2000\n\n"
_KEEP_ALIVE = b": keep-alive\n\n"
_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbered:
    """An event, and the id from which a stream goes on after it."""

    id: str
    event: Event


class EventSource(ABC):
    """Where a stream's events come from; it remembers how far it has come."""

    # Whose wake-ups it listens to: one deployment's id, or all.
    subject: str = ANY

    @abstractmethod
    async def next_batch(self, parts: Parts) -> Sequence[Numbered]:
        """Return the next events, oldest first; none if there are none yet."""
        ...

    async def has_ended(self, parts: Parts) -> bool:
        """Say whether nothing is to come that the caller waits for."""
        del parts
        return False


class DeploymentEvents(EventSource):
    """One deployment's events, by sequence; `until_end` ends with its operations."""

    def __init__(self, deployment_id: str, *, after: int, until_end: bool) -> None:
        self.subject = deployment_id
        self._after = after
        self._until_end = until_end

    @override
    async def next_batch(self, parts: Parts) -> Sequence[Numbered]:
        async with parts.context.database.reading() as connection:
            found = await events.of_deployment(
                connection, self.subject, after=self._after, limit=_BATCH
            )
        if found:
            self._after = found[-1].sequence
        return [Numbered(id=str(event.sequence), event=event) for event in found]

    @override
    async def has_ended(self, parts: Parts) -> bool:
        if not self._until_end:
            return False
        async with parts.context.database.reading() as connection:
            # In this order: one that begins or ends in between has raised the sequence.
            going_on = await operations.open_of_deployment(connection, self.subject)
            standing, _ = await deployments.get(connection, self.subject, project=None)
        return not going_on and standing.sequence <= self._after


class ClusterEvents(EventSource):
    """One cluster's events, by sequence; `until_end` ends with its operations."""

    def __init__(self, cluster_id: str, *, after: int, until_end: bool) -> None:
        self.subject = cluster_id
        self._after = after
        self._until_end = until_end

    @override
    async def next_batch(self, parts: Parts) -> Sequence[Numbered]:
        async with parts.context.database.reading() as connection:
            found = await events.of_cluster(
                connection, self.subject, after=self._after, limit=_BATCH
            )
        if found:
            self._after = found[-1].sequence
        return [Numbered(id=str(event.sequence), event=event) for event in found]

    @override
    async def has_ended(self, parts: Parts) -> bool:
        if not self._until_end:
            return False
        async with parts.context.database.reading() as connection:
            going_on = await operations.open_of_cluster(connection, self.subject)
            standing, _ = await clusters.get(connection, self.subject, project=None)
        return not going_on and standing.sequence <= self._after


class AllEvents(EventSource):
    """Every event that `wanted` lets through, in commit order."""

    def __init__(self, wanted: Filter, *, after: Cursor | None) -> None:
        self._wanted = wanted
        self._after = after

    @override
    async def next_batch(self, parts: Parts) -> Sequence[Numbered]:
        async with parts.context.database.reading() as connection:
            found = await events.stream(
                connection, self._wanted, after=self._after, limit=_BATCH
            )
        if found:
            self._after = found[-1][0]
        return [Numbered(id=str(place), event=event) for place, event in found]


class EventStream(StreamingResponse):
    """A stream of one source; too many of one key are refused before it begins."""

    def __init__(self, request: Request, source: EventSource) -> None:
        parts, caller = parts_of(request), request.state.principal
        super().__init__(
            _frames(request, parts, source),
            media_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._slot = _slot(parts, caller)

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._slot:
            await super().__call__(scope, receive, send)


def is_wanted(request: Request) -> bool:
    """Say whether the caller asked for a stream rather than for a page."""
    return MEDIA_TYPE in request.headers.get("accept", "")


def _slot(parts: Parts, caller: Principal) -> AbstractContextManager[None]:
    return parts.streams.held(caller.id)


async def _frames(
    request: Request, parts: Parts, source: EventSource
) -> AsyncIterator[bytes]:
    """Yield the stream until the process stops, the source ends, or the key does."""
    clock = parts.context.clock
    quick_looks = 0
    # Before the first read: whatever is written after it wakes this up.
    with parts.context.listener.subscribed(EVENTS, source.subject) as changed:
        yield _OPENING
        quiet_since = clock.monotonic()
        while not parts.stopping.is_set():
            looked = await _look(request, parts, source)
            for numbered in looked.batch:
                yield _frame(numbered)
            if looked.is_over:
                return
            if looked.batch:
                quiet_since, quick_looks = clock.monotonic(), 0
                continue
            if clock.monotonic() - quiet_since >= KEEP_ALIVE_SECONDS:
                yield _KEEP_ALIVE
                quiet_since = clock.monotonic()
            seconds = _QUICK_LOOK_SECONDS if quick_looks else _LOOK_AGAIN_SECONDS
            was_woken = await parts.pause(changed, seconds=seconds)
            quick_looks = _QUICK_LOOKS if was_woken else max(quick_looks - 1, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Looked:
    """What one look found: the next events, and whether they are the last ones."""

    batch: Sequence[Numbered] = ()
    is_over: bool = False


async def _look(request: Request, parts: Parts, source: EventSource) -> _Looked:
    try:
        # A key that was revoked meanwhile closes its streams.
        await authenticate(request)
        batch = await source.next_batch(parts)
        is_over = len(batch) < _BATCH and await source.has_ended(parts)
    except UnavailableError:
        # The database comes back: readers of a stream need not notice.
        _LOG.warning("stream_interrupted")
        return _Looked()
    except UnauthorizedError:
        return _Looked(is_over=True)
    return _Looked(batch=batch, is_over=is_over)


def _frame(numbered: Numbered) -> bytes:
    data = to_json(envelope(numbered.event))
    head = f"id: {numbered.id}\nevent: {numbered.event.type}\ndata: "
    return head.encode() + data + b"\n\n"
