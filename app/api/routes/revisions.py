"""What a deployment was and what it says: revisions and logs."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, TypeAdapter
from pydantic_core import to_json

from app.api import examples
from app.api.answers import JSON
from app.api.deps import CurrentContext, Reader
from app.api.documents import refused, shown
from app.api.pagination import CurrentPage, cursor, list_answer
from app.api.route import GuardedRoute
from app.core.errors import (
    NotFoundError,
    NotSupportedError,
    TimedOutError,
    UpstreamError,
)
from app.core.view import RevisionView, view_revision
from app.services import logs
from app.services.logs import LogRequest
from app.storage import deployments, revisions

router = APIRouter(route_class=GuardedRoute, tags=["deployments"])

_PATH = "/v1/deployments/{deployment_id}"
_LARGEST_NUMBER = 2**31 - 1
_MOST_LINES = 2000
_PLACE = TypeAdapter(Annotated[int, Query(ge=0, le=_LARGEST_NUMBER)])
_REVISION = TypeAdapter(RevisionView)
_LINES: dict[str, Any] = {
    "source": "model",
    "revision": 1,
    "lines": ["INFO:     Application startup complete."],
}


@router.get(
    f"{_PATH}/revisions",
    summary="List a deployment's revisions",
    responses=shown(
        200, "One page, newest first.", {"page": examples.page(examples.revision())}
    )
    | refused(NotFoundError),
)
async def list_revisions(
    deployment_id: str, context: CurrentContext, caller: Reader, page: CurrentPage
) -> Response:
    """Return the numbered, immutable copies of the spec."""
    async with context.database.reading() as connection:
        deployment, _ = await deployments.get(
            connection, deployment_id, project=caller.project
        )
        found = await revisions.list_of_deployment(
            connection,
            deployment_id,
            before=page.after(_PLACE),
            limit=page.limit + 1,
        )
    listed = found[: page.limit]
    name, serving = deployment.name, deployment.serving_revision
    return list_answer(
        [
            _REVISION.dump_python(
                view_revision(one, name=name, serving=serving), mode="json"
            )
            for one in listed
        ],
        cursor(listed[-1].number) if len(found) > page.limit else None,
        page,
    )


@router.get(
    f"{_PATH}/logs",
    summary="Show a revision's log",
    responses=shown(200, "The last lines, oldest first.", {"model": _LINES})
    | refused(NotFoundError, NotSupportedError, UpstreamError, TimedOutError),
)
async def show_logs(  # noqa: PLR0913 - one argument a parameter
    deployment_id: str,
    context: CurrentContext,
    caller: Reader,
    *,
    source: Annotated[
        logs.Source, Query(description="`operation`: what Slipway itself did.")
    ] = logs.Source.MODEL,
    revision: Annotated[
        int | None,
        Query(ge=1, le=_LARGEST_NUMBER, description="Default: the one that serves."),
    ] = None,
    tail: Annotated[int, Query(ge=1, le=_MOST_LINES)] = 100,
    since: Annotated[AwareDatetime | None, Query()] = None,
) -> Response:
    """Return what a revision printed; the last log of one that is gone is kept."""
    wanted = LogRequest(source=source, revision=revision, tail=tail, since=since)
    found = await logs.read(context, deployment_id, wanted, principal=caller)
    return Response(to_json(found), media_type=JSON)
