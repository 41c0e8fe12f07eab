"""Events: one deployment's log, the stream over all, and what types there are."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api import event_types, examples
from app.api.deps import CurrentContext, Reader
from app.api.documents import Documented, refused, shown
from app.api.pagination import CurrentPage, Page, list_answer
from app.api.route import GuardedRoute
from app.api.streams import (
    MEDIA_TYPE,
    AllEvents,
    DeploymentEvents,
    EventStream,
    is_wanted,
)
from app.core.errors import (
    FieldProblem,
    InvalidError,
    NotFoundError,
    TooManyError,
)
from app.core.event import ALL_EVENT_NAMES, DeploymentLive
from app.core.webhook import check_patterns, is_match
from app.services.events import envelope
from app.storage import deployments, events
from app.storage.events import Cursor, Filter

router = APIRouter(route_class=GuardedRoute, tags=["events"])

_SEQUENCE = re.compile(r"\d{1,18}")
_LAST_EVENT_ID = "last-event-id"


def _both_forms() -> Documented:
    event = examples.event(DeploymentLive)
    answer = shown(
        200,
        "One page, oldest first; or, with `Accept: text/event-stream`, what there is "
        "after `Last-Event-ID` and then everything as it happens.",
        {"page": examples.page(event)},
    )
    stream = f"id: {event['sequence']}\nevent: {event['type']}\ndata: {{…}}\n\n"
    answer[200]["content"][MEDIA_TYPE] = {
        "schema": {"type": "string"},
        "examples": {"stream": {"value": stream}},
    }
    return answer


@router.get(
    "/v1/deployments/{deployment_id}/events",
    summary="List or follow a deployment's events",
    responses=_both_forms() | refused(NotFoundError, TooManyError),
)
async def deployment_events(
    deployment_id: str,
    request: Request,
    context: CurrentContext,
    caller: Reader,
    page: CurrentPage,
    *,
    until: Annotated[
        Literal["end"] | None,
        Query(description="`end` closes the stream once no operation is open."),
    ] = None,
) -> Response:
    """Return what happened, by sequence without gaps; the id of an event is that."""
    async with context.database.reading() as connection:
        await deployments.get(connection, deployment_id, project=caller.project)
    after = _sequence(_place(request, page))
    if is_wanted(request):
        source = DeploymentEvents(
            deployment_id, after=after, until_end=until is not None
        )
        return EventStream(request, source)
    async with context.database.reading() as connection:
        found = await events.of_deployment(
            connection, deployment_id, after=after, limit=page.limit + 1
        )
    listed = found[: page.limit]
    more = str(listed[-1].sequence) if len(found) > page.limit else None
    return list_answer([envelope(event) for event in listed], more, page)


@router.get(
    "/v1/events",
    summary="List or follow all events",
    responses=_both_forms() | refused(TooManyError),
)
async def all_events(
    request: Request,
    context: CurrentContext,
    caller: Reader,
    page: CurrentPage,
    workspace: Annotated[str | None, Query()] = None,
    type_: Annotated[
        Sequence[str], Query(alias="type", description="A type, or `deployment.*`.")
    ] = (),
) -> Response:
    """Return the events of the caller's project in commit order.

    The id of a streamed event is a cursor. A page says in `resume_after` where to go
    on later, also when it is the last one.
    """
    wanted = Filter(project=caller.project, workspace=workspace, types=_expanded(type_))
    after = _cursor(_place(request, page))
    if is_wanted(request):
        return EventStream(request, AllEvents(wanted, after=after))
    async with context.database.reading() as connection:
        found = await events.stream(
            connection, wanted, after=after, limit=page.limit + 1
        )
    listed = found[: page.limit]
    last = str(listed[-1][0]) if listed else page.cursor
    return list_answer(
        [envelope(event) for _, event in listed],
        last if len(found) > page.limit else None,
        page,
        extra={"resume_after": last},
    )


@router.get(
    "/v1/event-types",
    summary="List the types of events",
    responses=shown(
        200,
        "Every type with its schema and an example.",
        {"page": examples.page(event_types.show(DeploymentLive))},
    )
    | refused(),
)
async def list_event_types(_: Reader) -> dict[str, Any]:
    """Return what may be told: in lists, streams and webhooks alike."""
    return {"items": event_types.show_all(), "next_cursor": None}


def _place(request: Request, page: Page) -> str | None:
    """Return where to go on: a reconnecting stream's own word comes first."""
    return request.headers.get(_LAST_EVENT_ID) or page.cursor


def _sequence(place: str | None) -> int:
    if place is None:
        return 0
    if not _SEQUENCE.fullmatch(place) or not place.isascii():
        raise _unknown_place()
    return int(place)


def _cursor(place: str | None) -> Cursor | None:
    if place is None:
        return None
    cursor = Cursor.parse(place)
    if cursor is None:
        raise _unknown_place()
    return cursor


def _unknown_place() -> InvalidError:
    return InvalidError(
        "The events cannot go on from there.",
        remedy="Give the id of an event of this stream, or leave it out.",
        fields=[
            FieldProblem(
                pointer="/query/after",
                code="bad_cursor",
                detail="is not the id of an event of this stream",
            )
        ],
    )


def _expanded(patterns: Sequence[str]) -> tuple[str, ...]:
    if not patterns:
        return ()
    known = check_patterns(patterns, ALL_EVENT_NAMES, pointer="/query/type")
    return tuple(
        name
        for name in ALL_EVENT_NAMES
        if any(is_match(pattern, name) for pattern in known)
    )
