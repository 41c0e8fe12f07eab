"""Deployments by workspace and name: one unchanged PUT is a pipeline's whole step."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response

from app.api import examples, shapes
from app.api.changing import CurrentChange
from app.api.conditional import MustBeNew, MustExist
from app.api.deployment_changes import AtAzure, remove, wish
from app.api.deps import Reader
from app.api.documents import refused
from app.api.parts import parts_of
from app.api.reading import show
from app.api.route import GuardedRoute
from app.api.waiting import Wait
from app.core.errors import FieldProblem, InvalidError, NotFoundError
from app.core.requests import PutDeployment
from app.core.specs import DeploymentName, WorkspaceName
from app.services.deployments import Wish, put
from app.storage import deployments, listing

router = APIRouter(route_class=GuardedRoute, tags=["deployments"])

_PATH = "/v1/workspaces/{workspace}/deployments/{name}"


@router.put(
    _PATH,
    status_code=202,
    summary="Create or change a deployment",
    responses=shapes.accepted() | shapes.unchanged() | refused(*shapes.SPEC_ERRORS),
)
async def put_deployment(
    workspace: Annotated[WorkspaceName, Path()],
    name: Annotated[DeploymentName, Path()],
    body: Annotated[
        PutDeployment, Body(openapi_examples={"run": {"value": examples.put_body()}})
    ],
    *,
    change: CurrentChange,
    must_exist: MustExist,
    must_be_new: MustBeNew,
) -> Response:
    """Make the deployment of this name be as the body says.

    202 if that started an operation; 200 if it already was so. A URI with an alias
    or `latest` is resolved again at each PUT.
    """
    _check_path(body, workspace=workspace, name=name)
    wanted = Wish(
        workspace=workspace,
        name=name,
        spec=body.spec(),
        must_exist=must_exist,
        must_be_new=must_be_new,
    )
    return await wish(change, wanted, body, put)


@router.get(
    _PATH,
    summary="Show a deployment",
    responses=shapes.found() | refused(NotFoundError),
)
async def get_deployment(
    workspace: str, name: str, request: Request, caller: Reader, wait: Wait
) -> Response:
    """Return the living deployment of this name."""
    async with parts_of(request).context.database.reading() as connection:
        found = await listing.deployment_by_name(
            connection, project=caller.project, workspace=workspace, name=name
        )
    return await show(request, found, wait)


@router.delete(
    _PATH,
    status_code=202,
    summary="Delete a deployment",
    responses=shapes.deleting() | refused(*shapes.CHANGE_ERRORS),
)
async def delete_deployment(
    workspace: str,
    name: str,
    change: CurrentChange,
    at_azure: Annotated[
        AtAzure | None, Query(description="`keep` forgets without touching.")
    ] = None,
) -> Response:
    """Cancel whatever runs and remove it; the name is free once the target confirms."""
    async with change.parts.context.database.reading() as connection:
        found = await deployments.id_by_name(
            connection, project=change.principal.project, workspace=workspace, name=name
        )
    return await remove(change, found, at_azure)


def _check_path(body: PutDeployment, *, workspace: str, name: str) -> None:
    problems = [
        FieldProblem(
            pointer=f"/{field}", code="not_as_in_path", detail="differs from the path"
        )
        for field, given, wanted in (
            ("workspace", body.workspace, workspace),
            ("name", body.name, name),
        )
        if given is not None and given != wanted
    ]
    if problems:
        raise InvalidError("The body names another deployment.", fields=problems)
