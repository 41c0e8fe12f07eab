"""Events: one deployment's log, the stream over all, and what types there are."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api import event_types, examples
from app.api.deps import CurrentContext, Reader
from app.api.documents import refused, shown
from app.api.event_log import both_forms, place, sequence, unknown_place
from app.api.pagination import CurrentPage, list_answer
from app.api.route import GuardedRoute
from app.api.streams import (
    AllEvents,
    DeploymentEvents,
    EventStream,
    is_wanted,
)
from app.core.errors import (
    NotFoundError,
    TooManyError,
)
from app.core.event import ALL_EVENT_NAMES, DeploymentLive
from app.core.webhook import check_patterns, is_match
from app.services.events import envelope
from app.storage import deployments, events
from app.storage.events import Cursor, Filter

router = APIRouter(route_class=GuardedRoute, tags=["events"])


@router.get(
    "/v1/deployments/{deployment_id}/events",
    summary="List or follow a deployment's events",
    responses=both_forms(DeploymentLive) | refused(NotFoundError, TooManyError),
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
    after = sequence(place(request, page))
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
    responses=both_forms(DeploymentLive) | refused(TooManyError),
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
    after = _cursor(place(request, page))
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


def _cursor(given: str | None) -> Cursor | None:
    if given is None:
        return None
    cursor = Cursor.parse(given)
    if cursor is None:
        raise unknown_place()
    return cursor


def _expanded(patterns: Sequence[str]) -> tuple[str, ...]:
    if not patterns:
        return ()
    known = check_patterns(patterns, ALL_EVENT_NAMES, pointer="/query/type")
    return tuple(
        name
        for name in ALL_EVENT_NAMES
        if any(is_match(pattern, name) for pattern in known)
    )
