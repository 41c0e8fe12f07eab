"""Scoring through Slipway, whatever the endpoint asks its callers for."""

import re
from dataclasses import replace

from fastapi import APIRouter, Request, Response

from app.api.answers import JSON
from app.api.body import read_limited
from app.api.deps import CurrentParts, Deployer
from app.api.documents import refused, shown
from app.api.parts import Parts
from app.api.route import GuardedRoute
from app.core.deployment import Deployment
from app.core.errors import (
    MediaTypeError,
    NotFoundError,
    NotServingError,
    TimedOutError,
    TooLargeError,
    UpstreamError,
)
from app.core.principal import Principal
from app.core.target import Invocation, InvocationResult
from app.storage import deployments

router = APIRouter(route_class=GuardedRoute, tags=["scoring"])

LARGEST_INPUT = 16 * 1024 * 1024  # bytes

_UNAUTHORIZED = 401
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
        NotFoundError,
        NotServingError,
        TooLargeError,
        MediaTypeError,
        UpstreamError,
        TimedOutError,
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
    result = await _score(parts, found, call, caller)
    headers = {"Cache-Control": "no-store", **result.headers}
    return Response(result.body, status_code=result.status, headers=headers)


async def _score(
    parts: Parts, deployment: Deployment, call: Invocation, caller: Principal
) -> InvocationResult:
    """Call with the key or token that the endpoint asks for, a fresh one if need be."""
    uri = deployment.scoring_uri or ""
    authorization = await parts.access.authorization(deployment, principal=caller)
    let_in = replace(call, authorization=authorization)
    result = await parts.scorer.score(uri, let_in)
    if result.status != _UNAUTHORIZED or authorization is None:
        return result
    # Somebody may have replaced the key since it was asked for.
    parts.access.forget(deployment.id, authorization)
    again = await parts.access.authorization(deployment, principal=caller)
    if again in {None, authorization}:
        return result
    return await parts.scorer.score(uri, replace(call, authorization=again))
