"""ETags of deployments, and what If-Match and If-None-Match say about them."""

import re
from typing import Annotated

from fastapi import Depends, Request

from app.core.deployment import Deployment

_TAG = re.compile(r'(W/)?"([^"]*)"')
_REVISION = re.compile(r"([1-9]\d{0,8})\.\d{1,18}")


def etag(deployment: Deployment) -> str:
    """Return `"<revision>.<version>"`: what is wanted, and every change of the row."""
    return f'"{deployment.wanted_revision}.{deployment.version}"'


def is_unchanged(request: Request, deployment: Deployment) -> bool:
    """Say whether If-None-Match names the deployment as it stands (RFC 9110, 13.1.2).

    The comparison is weak, and of the whole tag: a status update is a change.
    """
    header = request.headers.get("if-none-match")
    if header is None:
        return False
    if header.strip() == "*":
        return True
    return etag(deployment) in {f'"{found[1]}"' for found in _TAG.findall(header)}


async def _if_match(request: Request) -> frozenset[int] | None:
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    # Strong comparison: a weak tag never matches. Nor does one that we never made.
    strong = [tag for weak, tag in _TAG.findall(header) if not weak]
    revisions = [_REVISION.fullmatch(tag) for tag in strong]
    return frozenset(int(found[1]) for found in revisions if found)


async def _must_exist(request: Request) -> bool:
    return "if-match" in request.headers


async def _must_be_new(request: Request) -> bool:
    return request.headers.get("if-none-match", "").strip() == "*"


# The revisions that the caller allows, None for every one: If-Match leaves the
# version out, so that a worker's status update never makes it fail.
IfMatch = Annotated[frozenset[int] | None, Depends(_if_match)]
MustExist = Annotated[bool, Depends(_must_exist)]
MustBeNew = Annotated[bool, Depends(_must_be_new)]
