"""What happened to a cluster: a page of it, or as it happens."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app.api.deps import CurrentContext, Reader
from app.api.documents import refused
from app.api.event_log import both_forms, place, sequence
from app.api.pagination import CurrentPage, Page, list_answer
from app.api.parts import parts_of
from app.api.route import GuardedRoute
from app.api.streams import ClusterEvents, EventStream, is_wanted
from app.core.errors import NotFoundError, TooManyError
from app.core.event import ClusterLive
from app.services.context import Context
from app.services.deployments import granted
from app.services.events import envelope
from app.storage import clusters, events

router = APIRouter(route_class=GuardedRoute, tags=["clusters"])

_Until = Annotated[
    Literal["end"] | None,
    Query(description="`end` closes the stream once no operation is open."),
]


@router.get(
    "/v1/workspaces/{workspace}/clusters/{cluster}/events",
    summary="List or follow a cluster's events",
    responses=both_forms(ClusterLive) | refused(NotFoundError, TooManyError),
)
async def cluster_events(
    workspace: str,
    cluster: str,
    request: Request,
    caller: Reader,
    *,
    page: CurrentPage,
    until: _Until = None,
) -> Response:
    """Return what happened, by sequence without gaps; the id of an event is that."""
    context = parts_of(request).context
    async with context.database.reading() as connection:
        found = await granted(connection, workspace, principal=caller)
        standing, _ = await clusters.get_by_name(
            connection, project=caller.project, workspace_id=found.id, name=cluster
        )
    return await _log(request, context, page, subject=standing.id, until=until)


@router.get(
    "/v1/clusters/{cluster_id}/events",
    summary="List or follow a cluster's events by its id",
    responses=both_forms(ClusterLive) | refused(NotFoundError, TooManyError),
)
async def cluster_events_by_id(
    cluster_id: str,
    request: Request,
    context: CurrentContext,
    caller: Reader,
    *,
    page: CurrentPage,
    until: _Until = None,
) -> Response:
    """Return what happened, to a deleted cluster too."""
    async with context.database.reading() as connection:
        await clusters.get(connection, cluster_id, project=caller.project)
    return await _log(request, context, page, subject=cluster_id, until=until)


async def _log(
    request: Request,
    context: Context,
    page: Page,
    *,
    subject: str,
    until: str | None,
) -> Response:
    after = sequence(place(request, page))
    if is_wanted(request):
        source = ClusterEvents(subject, after=after, until_end=until is not None)
        return EventStream(request, source)
    async with context.database.reading() as connection:
        found = await events.of_cluster(
            connection, subject, after=after, limit=page.limit + 1
        )
    listed = found[: page.limit]
    more = str(listed[-1].sequence) if len(found) > page.limit else None
    return list_answer([envelope(event) for event in listed], more, page)
