"""Scoring through Slipway, and the keys of endpoints that have some."""

import re
from typing import Literal

from fastapi import APIRouter, Request, Response

from app.api.answers import JSON
from app.api.body import read_limited
from app.api.deps import CurrentContext, CurrentParts, Deployer, KeyHolder
from app.api.documents import refused, shown
from app.api.route import GuardedRoute
from app.core.errors import (
    AuthDisabledError,
    MediaTypeError,
    NotFoundError,
    NotServingError,
    TooLargeError,
    UpstreamError,
)
from app.core.principal import Principal
from app.core.target import Invocation
from app.services.context import Context
from app.storage import deployments

router = APIRouter(route_class=GuardedRoute, tags=["scoring"])

LARGEST_INPUT = 16 * 1024 * 1024  # bytes

_SENDABLE = re.compile(r"[ -~]{1,256}")
_PATH = "/v1/deployments/{deployment_id}"
_INPUT = {"dataframe_split": {"columns": ["bmi", "bp"], "data": [[0.06, 0.02]]}}
_ANSWER = {"predictions": [152.1]}
_ANY_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {}, "examples": {"split": {"value": _INPUT}}}
        },
    }
}


@router.post(
    f"{_PATH}/invocations",
    summary="Score an input",
    openapi_extra=_ANY_BODY,
    responses=shown(200, "What the model answered, as it came.", {"one": _ANSWER})
    | refused(
        NotFoundError, NotServingError, TooLargeError, MediaTypeError, UpstreamError
    ),
)
async def invoke(
    deployment_id: str, request: Request, parts: CurrentParts, caller: Deployer
) -> Response:
    """Forward the body to what serves, whatever it is, and the answer back.

    The status is the model's own; a problem+json body with a `code` is Slipway's.
    """
    async with parts.context.database.reading() as connection:
        found, _ = await deployments.get(
            connection, deployment_id, project=caller.project
        )
    if found.scoring_uri is None or found.serving_revision is None:
        raise NotServingError("No revision of this deployment serves.")
    kind = request.headers.get("content-type", JSON)
    if not _SENDABLE.fullmatch(kind):
        raise MediaTypeError("The media type cannot be forwarded.")
    call = Invocation(
        body=await read_limited(request, LARGEST_INPUT), content_type=kind
    )
    result = await parts.scorer.score(found.scoring_uri, call)
    headers = {"Cache-Control": "no-store", **result.headers}
    return Response(result.body, status_code=result.status, headers=headers)


@router.get(
    f"{_PATH}/keys",
    status_code=409,
    summary="Show the endpoint's keys",
    responses=refused(NotFoundError, AuthDisabledError),
)
@router.post(
    f"{_PATH}/token",
    status_code=409,
    summary="Get a token for the endpoint",
    responses=refused(NotFoundError, AuthDisabledError),
)
async def endpoint_keys(
    deployment_id: str, context: CurrentContext, caller: KeyHolder
) -> Response:
    """Refuse: the endpoints of target local have no keys; needs the scope `keys`."""
    raise await _no_keys(context, deployment_id, caller)


@router.post(
    f"{_PATH}/keys/{{key}}/regenerate",
    status_code=409,
    summary="Replace one of the endpoint's keys",
    responses=refused(NotFoundError, AuthDisabledError),
)
async def regenerate_key(
    deployment_id: str,
    key: Literal["primary", "secondary"],
    context: CurrentContext,
    caller: KeyHolder,
) -> Response:
    """Refuse: the endpoints of target local have no keys; needs the scope `keys`."""
    del key
    raise await _no_keys(context, deployment_id, caller)


async def _no_keys(
    context: Context, deployment_id: str, caller: Principal
) -> AuthDisabledError:
    async with context.database.reading() as connection:
        found, _ = await deployments.get(
            connection, deployment_id, project=caller.project
        )
    return AuthDisabledError(
        f"Endpoints of the target {found.spec.target.kind} have no keys."
    )
