"""`Prefer: wait=N` (RFC 7240): hold the answer until there is something to say."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Request, Response

from app.api.conditional import etag
from app.api.parts import Parts
from app.core.deployment import Deployment, Operation
from app.storage import deployments, operations
from app.storage.notifications import EVENTS

LONGEST_WAIT = 60  # seconds

_WAIT = re.compile(r"(?:^|,)\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)
# A NOTIFY may be lost: the log is read again after this at the latest.
_LOOK_AGAIN_SECONDS = 5.0

Pair = tuple[Deployment, Operation]
_Found = TypeVar("_Found")


async def _preferred(request: Request) -> int | None:
    found = _WAIT.search(", ".join(request.headers.getlist("prefer")))
    return None if found is None else min(int(found[1]), LONGEST_WAIT)


# Seconds that the caller would wait, at most 60; None without the preference.
Wait = Annotated[int | None, Depends(_preferred)]


def acknowledge(response: Response, preferred: int | None) -> Response:
    """Say on `response` that the preference was honored."""
    if preferred is not None:
        response.headers["Preference-Applied"] = f"wait={preferred}"
        response.headers["Vary"] = "Prefer"
    return response


async def until_changed(
    parts: Parts, deployment_id: str, *, project: str, known: str | None, seconds: int
) -> Pair:
    """Return the deployment once its ETag is not `known`, or as it is in time.

    `known` None stands for how it is first found. At once if no operation is queued
    or running: then nothing is about to change.
    """
    first = known

    async def read() -> tuple[Pair, bool]:
        nonlocal first
        async with parts.context.database.reading() as connection:
            pair = await deployments.get(connection, deployment_id, project=project)
            tag = etag(pair[0])
            first = first or tag
            if tag != first:
                return pair, True
            return pair, not await operations.open_of_deployment(
                connection, deployment_id
            )

    return await _until(parts, deployment_id, read, seconds=seconds)


async def until_ended(parts: Parts, operation: Operation, *, seconds: int) -> Operation:
    """Return `operation` once it has ended, or as it is when the time is over."""

    async def read() -> tuple[Operation, bool]:
        async with parts.context.database.reading() as connection:
            current = await operations.get(
                connection, operation.id, project=operation.project
            )
        return current, current.state.is_terminal

    return await _until(parts, operation.subject_id, read, seconds=seconds)


async def _until(
    parts: Parts,
    deployment_id: str,
    read: Callable[[], Awaitable[tuple[_Found, bool]]],
    *,
    seconds: int,
) -> _Found:
    """Return what `read` finds once it says that this is enough, or in time."""
    clock = parts.context.clock
    deadline = clock.monotonic() + seconds
    # Before the first read: whatever happens after it is heard of.
    with parts.context.listener.subscribed(EVENTS, deployment_id) as changed:
        while True:
            found, is_enough = await read()
            left = deadline - clock.monotonic()
            if is_enough or left <= 0 or parts.stopping.is_set():
                return found
            await parts.pause(changed, seconds=min(left, _LOOK_AGAIN_SECONDS))
