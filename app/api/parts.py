"""The started parts that requests are served with."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import FastAPI, Request

from app.core.errors import TooManyError
from app.core.target import Invocation, InvocationResult
from app.services.context import Context
from app.services.keys import Authenticator
from app.services.scoring_access import ScoringAccess
from app.settings import Settings
from app.storage.readiness import Readiness
from app.webhooks.addresses import Resolver

MOST_STREAMS = 20  # of one key at a time


class Scorer(Protocol):
    """Calls a scoring address on a caller's behalf."""

    async def score(self, uri: str, call: Invocation) -> InvocationResult:
        """Return what the model answered; raise UpstreamError if nobody did."""
        ...


class StreamSlots:
    """Counts open streams by key, so that no caller takes all the connections."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def open_streams(self) -> int:
        """How many streams there are, of all keys."""
        return self._open.total()

    @contextmanager
    def held(self, principal_id: str) -> Iterator[None]:
        """Hold one slot while the block runs; raise TooManyError if none is left."""
        if self._open[principal_id] >= MOST_STREAMS:
            raise TooManyError(
                f"This key has {MOST_STREAMS} streams open.",
                remedy="Close a stream, or follow all deployments in one: /v1/events.",
            )
        self._open[principal_id] += 1
        try:
            yield
        finally:
            self._open[principal_id] -= 1
            if not self._open[principal_id]:
                del self._open[principal_id]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """All that a route may use; `stopping` is set once the process drains."""

    context: Context
    settings: Settings
    authenticator: Authenticator
    scorer: Scorer
    resolver: Resolver
    readiness: Readiness
    stopping: asyncio.Event
    access: ScoringAccess
    streams: StreamSlots = field(default_factory=StreamSlots)

    async def pause(self, changed: asyncio.Event, *, seconds: float) -> bool:
        """Wait for a wake-up, at most for `seconds`, and not once the process stops.

        Say whether there was one.
        """
        waits = {
            asyncio.create_task(event.wait()) for event in (changed, self.stopping)
        }
        try:
            await asyncio.wait(
                waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for one in waits:
                one.cancel()
        was_woken = changed.is_set()
        changed.clear()
        return was_woken


def put_parts(app: FastAPI, parts: Parts) -> None:
    """Make `parts` those of `app`."""
    app.state.parts = parts


def parts_of(request: Request) -> Parts:
    """Return the parts of the application that serves `request`."""
    parts: Parts = request.app.state.parts
    return parts
