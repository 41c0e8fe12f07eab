"""Who is calling, as the key says."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from app.api.answers import JSON
from app.api.deps import Caller
from app.api.documents import refused, shown
from app.api.route import GuardedRoute
from app.core.principal import Scope

router = APIRouter(route_class=GuardedRoute, tags=["me"])


@dataclass(frozen=True, kw_only=True, slots=True)
class PrincipalView:
    """A key without the key: its id and the name that `created_by` records."""

    id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeView:
    """The caller, its project, and what it may do."""

    principal: PrincipalView
    project: str
    scopes: Sequence[Scope]


_ME = TypeAdapter(MeView)
_EXAMPLE = {
    "principal": {"id": "key_01kanzq4w0m1t93sdy8j514h70", "name": "ci"},
    "project": "default",
    "scopes": ["read", "deploy"],
}


@router.get(
    "/v1/me",
    summary="Who am I?",
    responses=shown(200, "The caller.", {"ci": _EXAMPLE}, model=MeView) | refused(),
)
async def me(caller: Caller) -> Response:
    """Name the caller; every valid key may ask, whatever its scopes."""
    view = MeView(
        principal=PrincipalView(id=caller.id, name=caller.name),
        project=caller.project,
        scopes=caller.scopes,
    )
    return Response(_ME.dump_json(view), media_type=JSON)
