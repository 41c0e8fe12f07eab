"""Deployments by id: created once, listed, shown, patched and deleted."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from pydantic import TypeAdapter

from app.api import examples, shapes
from app.api.body import JSON_TYPE, MERGE_PATCH_TYPE
from app.api.changing import CurrentChange
from app.api.deployment_changes import AtAzure, patch, remove, wish
from app.api.deps import BaseUrl, CurrentContext, Reader
from app.api.documents import refused, shown
from app.api.filters import Filters, Sorted
from app.api.idempotency import OptionalKey, require
from app.api.pagination import CurrentPage, cursor, list_answer
from app.api.reading import show
from app.api.route import GuardedRoute
from app.api.waiting import Wait
from app.core.errors import (
    FieldProblem,
    IdempotencyKeyMissingError,
    IdempotencyKeyReusedError,
    InvalidError,
    NameTakenError,
    NotFoundError,
)
from app.core.lifecycle import DeploymentState
from app.core.requests import PostDeployment
from app.services.deployments import Wish, create
from app.services.events import deployment_json
from app.storage import deployments, listing
from app.storage.listing import Place

router = APIRouter(route_class=GuardedRoute, tags=["deployments"])

_PATH = "/v1/deployments/{deployment_id}"
_PLACE = TypeAdapter(Place)
_PATCH_EXAMPLES = {
    "tags": {"value": {"tags": {"stage": "canary", "method": None}}},
    "model": {"value": {"model": {"uri": "models:/diabetes-model-1-model/4"}}},
}
# The same body as of PUT, each field optional; JSON by its own name is taken too.
_PATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            kind: {"schema": {"type": "object"}, "examples": _PATCH_EXAMPLES}
            for kind in (JSON_TYPE, MERGE_PATCH_TYPE)
        }
    }
}


@router.post(
    "/v1/deployments",
    status_code=202,
    summary="Create a deployment",
    responses=shapes.accepted()
    | shapes.unchanged()
    | refused(
        *shapes.SPEC_ERRORS,
        NameTakenError,
        IdempotencyKeyMissingError,
        IdempotencyKeyReusedError,
    ),
)
async def post_deployment(
    body: Annotated[
        PostDeployment, Body(openapi_examples={"run": {"value": examples.post_body()}})
    ],
    change: CurrentChange,
    key: OptionalKey,
) -> Response:
    """Create only: 409 with a link to the deployment if the name lives.

    Needs an Idempotency-Key, unless nothing is stored (`validate_only`).
    """
    wanted = Wish(workspace=body.workspace, name=body.name, spec=body.spec())
    kept = None if change.manner.validate_only else require(key)
    return await wish(change, wanted, body, create, key=kept)


@router.get(
    "/v1/deployments",
    summary="List deployments",
    responses=shown(
        200,
        "One page; deleted ones only where `state` names them.",
        {"page": examples.page(examples.deployment(DeploymentState.LIVE))},
    )
    | refused(),
)
async def list_deployments(
    context: CurrentContext,
    base_url: BaseUrl,
    page: CurrentPage,
    filters: Filters,
    sort: Sorted,
) -> Response:
    """Return the deployments of the caller's project, newest first by default."""
    after = page.after(_PLACE)
    if after is not None and after.sort != sort:
        raise InvalidError(
            "The cursor belongs to a list in another order.",
            fields=[
                FieldProblem(
                    pointer="/query/cursor",
                    code="bad_cursor",
                    detail="is not a cursor of this list",
                )
            ],
        )
    async with context.database.reading() as connection:
        found = await listing.deployments(
            connection, filters, sort=sort, after=after, limit=page.limit + 1
        )
    listed = found[: page.limit]
    return list_answer(
        [deployment_json(base_url, *pair) for pair in listed],
        cursor(listing.place_of(listed[-1][0], sort))
        if len(found) > page.limit
        else None,
        page,
    )


@router.get(
    _PATH,
    summary="Show a deployment by id",
    responses=shapes.found() | refused(NotFoundError),
)
async def get_deployment(
    deployment_id: str,
    request: Request,
    context: CurrentContext,
    caller: Reader,
    wait: Wait,
) -> Response:
    """Return the deployment, also one that is deleted."""
    async with context.database.reading() as connection:
        found = await deployments.get(connection, deployment_id, project=caller.project)
    return await show(request, found, wait)


@router.patch(
    _PATH,
    status_code=202,
    summary="Change a deployment",
    openapi_extra=_PATCH_BODY,
    responses=shapes.accepted() | shapes.unchanged() | refused(*shapes.SPEC_ERRORS),
)
async def patch_deployment(
    deployment_id: str,
    body: Annotated[Mapping[str, Any], Body(media_type=MERGE_PATCH_TYPE)],
    change: CurrentChange,
) -> Response:
    """Merge the body into the spec (RFC 7396): null removes a field."""
    return await patch(change, deployment_id, body)


@router.delete(
    _PATH,
    status_code=202,
    summary="Delete a deployment by id",
    responses=shapes.deleting() | refused(*shapes.CHANGE_ERRORS),
)
async def delete_deployment(
    deployment_id: str,
    change: CurrentChange,
    at_azure: Annotated[
        AtAzure | None, Query(description="`keep` forgets without touching.")
    ] = None,
) -> Response:
    """Cancel whatever runs and remove it; the name is free once the target confirms."""
    return await remove(change, deployment_id, at_azure)
