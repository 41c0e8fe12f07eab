"""How one deployment is shown: conditionally, and later if the caller prefers."""

from fastapi import Request, Response

from app.api.answers import show_deployment
from app.api.conditional import etag, is_unchanged
from app.api.deps import base_url
from app.api.parts import parts_of
from app.api.waiting import Pair, acknowledge, until_changed


async def show(request: Request, found: Pair, wait: int | None) -> Response:
    """Return the deployment, or 304; with a wait, once it has changed.

    A caller that names in If-None-Match what no longer stands does not wait.
    """
    deployment, _ = found
    knows_another = "if-none-match" in request.headers and not is_unchanged(
        request, deployment
    )
    if wait and not knows_another:
        found = await until_changed(
            parts_of(request),
            deployment.id,
            project=deployment.project,
            known=etag(deployment),
            seconds=wait,
        )
    return acknowledge(_answer(request, found), wait)


def _answer(request: Request, found: Pair) -> Response:
    deployment, operation = found
    if is_unchanged(request, deployment):
        return Response(status_code=304, headers={"ETag": etag(deployment)})
    return show_deployment(deployment, operation, base_url(request))
