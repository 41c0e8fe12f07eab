"""Workspaces: declared and changed by admins, used by the projects they are granted."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from app.api import examples, shapes
from app.api.answers import JSON
from app.api.deps import Admin, BaseUrl, CurrentContext, CurrentParts, Reader
from app.api.documents import nothing, refused, shown
from app.api.pagination import CurrentPage, cursor, list_answer
from app.api.route import GuardedRoute
from app.core.errors import IdentityFixedError, InUseError, NotFoundError
from app.core.principal import Scope
from app.core.requests import PutWorkspace
from app.core.specs import WorkspaceName
from app.core.view import WorkspaceView, view_workspace
from app.core.workspace import Workspace
from app.services import workspaces as use_cases
from app.services.deployments import granted
from app.services.workspace_identity import read_identity
from app.storage import workspaces

router = APIRouter(route_class=GuardedRoute, tags=["workspaces"])

_PATH = "/v1/workspaces/{workspace}"
_PLACE = TypeAdapter(str)
_VIEW = TypeAdapter(WorkspaceView)
_EXAMPLE = {"mlflow": examples.workspace(), "azureml": examples.azureml_workspace()}
_BODY = {
    "mlflow": {
        "value": {"kind": "mlflow", "tracking_uri": "https://mlflow.example.com"}
    },
    "azureml": {"value": examples.azureml_body()},
}


@router.put(
    _PATH,
    status_code=201,
    summary="Declare or change a workspace",
    responses=shown(201, "Declared.", _EXAMPLE, model=WorkspaceView)
    | shown(200, "Changed, or as it was.", _EXAMPLE, model=WorkspaceView)
    | refused(*shapes.BODY_ERRORS, *shapes.URL_ERRORS, IdentityFixedError),
)
async def put_workspace(
    workspace: Annotated[WorkspaceName, Path()],
    body: Annotated[PutWorkspace, Body(openapi_examples=_BODY)],
    parts: CurrentParts,
    caller: Admin,
    base_url: BaseUrl,
) -> Response:
    """Say where models come from and who may deploy them; needs the scope `admin`.

    The identity of a workspace that was used never changes again; its credential,
    its projects and its limits may.
    """
    context = parts.context
    identity = await read_identity(context, body, resolver=parts.resolver)
    async with context.database.transaction() as tx:
        stands = await use_cases.put(
            context, tx, workspace, request=body, identity=identity, principal=caller
        )
    content = to_json(_shown(stands.workspace, base_url))
    return Response(content, status_code=201 if stands.is_new else 200, media_type=JSON)


@router.get(
    "/v1/workspaces",
    summary="List workspaces",
    responses=shown(
        200, "One page, by name.", {"page": examples.page(*_EXAMPLE.values())}
    )
    | refused(),
)
async def list_workspaces(
    context: CurrentContext, caller: Reader, base_url: BaseUrl, page: CurrentPage
) -> Response:
    """Return the workspaces that the caller's project may use; all for an admin."""
    only = None if Scope.ADMIN in caller.scopes else caller.project
    async with context.database.reading() as connection:
        found = await workspaces.list_all(
            connection, project=only, after=page.after(_PLACE), limit=page.limit + 1
        )
    listed = found[: page.limit]
    return list_answer(
        [_shown(one, base_url) for one in listed],
        cursor(listed[-1].name) if len(found) > page.limit else None,
        page,
    )


@router.get(
    _PATH,
    summary="Show a workspace",
    responses=shown(200, "The workspace.", _EXAMPLE, model=WorkspaceView)
    | refused(NotFoundError),
)
async def get_workspace(
    workspace: str, context: CurrentContext, caller: Reader, base_url: BaseUrl
) -> Response:
    """Return one workspace; 404 for one that is not granted to the caller's project."""
    async with context.database.reading() as connection:
        if Scope.ADMIN in caller.scopes:
            found = await workspaces.get(connection, workspace)
        else:
            found = await granted(connection, workspace, principal=caller)
    return Response(to_json(_shown(found, base_url)), media_type=JSON)


@router.delete(
    _PATH,
    status_code=204,
    summary="Remove a workspace",
    responses=nothing("Removed; its store was not touched.")
    | refused(NotFoundError, InUseError),
)
async def delete_workspace(
    workspace: str, context: CurrentContext, _: Admin
) -> Response:
    """Free the name; 409 with the list while deployments live there."""
    async with context.database.transaction() as tx:
        await use_cases.remove(context, tx, workspace)
    return Response(status_code=204)


def _shown(workspace: Workspace, base_url: str) -> dict[str, Any]:
    view = view_workspace(workspace, base_url=base_url)
    return dict(_VIEW.dump_python(view, mode="json"))
