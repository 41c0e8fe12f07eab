"""Clusters of a workspace: made or attached, followed, listed, and taken away."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import TypeAdapter

from app.api import cluster_changes, cluster_shapes
from app.api.changing import CurrentChange
from app.api.deps import BaseUrl, CurrentContext, Reader
from app.api.documents import refused
from app.api.idempotency import OptionalKey
from app.api.pagination import CurrentPage, list_answer
from app.api.route import GuardedRoute
from app.core.cluster_port import UnderlyingAction
from app.core.cluster_requests import PutCluster
from app.core.cluster_spec import ClusterName
from app.core.errors import (
    InUseError,
    NameTakenError,
    NotFoundError,
    NotSupportedError,
    OperationInProgressError,
    RequiresRecreateError,
    StateConflictError,
    TimedOutError,
    UpstreamError,
)
from app.core.specs import WorkspaceName
from app.services import cluster_removal, clusters, queries
from app.services.cluster_events import cluster_json
from app.services.cluster_planning import AcceptedCluster, ClusterChange
from app.services.deployments import granted
from app.storage import clusters as records
from app.storage.database import Transaction

router = APIRouter(route_class=GuardedRoute, tags=["clusters"])

_ALL = "/v1/workspaces/{workspace}/clusters"
_ONE = f"{_ALL}/{{cluster}}"
_COMPUTES = TypeAdapter(list[dict[str, Any]])


@router.put(
    _ONE,
    status_code=202,
    summary="Create, attach or change a cluster",
    responses=cluster_shapes.accepted()
    | cluster_shapes.unchanged()
    | refused(
        *cluster_shapes.BODY_ERRORS,
        NotFoundError,
        NameTakenError,
        NotSupportedError,
        OperationInProgressError,
        RequiresRecreateError,
        StateConflictError,
    ),
)
async def put_cluster(
    workspace: Annotated[WorkspaceName, Path()],
    cluster: Annotated[ClusterName, Path()],
    body: Annotated[PutCluster, Body(openapi_examples=cluster_shapes.BODIES)],
    *,
    change: CurrentChange,
    key: OptionalKey,
) -> Response:
    """Make the cluster of this name be as the body says; `{}` takes every default.

    202 if that started an operation; 200 if it already was so. Certificates and the
    load balancer change in place; anything else is 409 once the cluster stands.
    """
    spec = body.spec()
    clusters.check(cluster, spec)
    context = change.parts.context
    made_by = ClusterChange(
        principal=change.principal,
        request_id=change.request_id,
        deadline=timedelta(seconds=body.deadline_seconds),
    )

    async def action(tx: Transaction) -> AcceptedCluster:
        return await clusters.put(
            context, tx, (workspace, cluster), spec=spec, change=made_by
        )

    return await cluster_changes.run(change, action, key=key)


@router.get(
    _ALL,
    summary="List clusters",
    responses=cluster_shapes.listed() | refused(NotFoundError),
)
async def list_clusters(
    workspace: str,
    context: CurrentContext,
    caller: Reader,
    base_url: BaseUrl,
    page: CurrentPage,
) -> Response:
    """Return the project's clusters and, after them, what else the workspace has.

    Computes of others can be deployed to without a PUT, and are never touched. If
    Azure cannot be asked, `azure_error` says why and the clusters stand alone.
    """
    async with context.database.reading() as connection:
        found = await granted(connection, workspace, principal=caller)
        ours = await records.list_of_workspace(
            connection, project=caller.project, workspace_id=found.id
        )
    azure_error: str | None = None
    computes: list[dict[str, Any]] = []
    try:
        answer = await queries.ask(
            context, "computes", {"workspace": workspace}, principal=caller
        )
        computes = _COMPUTES.validate_python(answer)
    except (UpstreamError, TimedOutError) as error:
        azure_error = error.detail
    known = {one.name.lower() for one, _ in ours}
    items = [cluster_json(base_url, one, operation) for one, operation in ours]
    items += [one for one in computes if one["name"].lower() not in known]
    return list_answer(items, None, page, extra={"azure_error": azure_error})


@router.get(
    _ONE,
    summary="Show a cluster",
    responses=cluster_shapes.found() | refused(NotFoundError),
)
async def get_cluster(
    workspace: str,
    cluster: str,
    context: CurrentContext,
    caller: Reader,
    base_url: BaseUrl,
) -> Response:
    """Return the living cluster of this name that Slipway keeps."""
    async with context.database.reading() as connection:
        place = await granted(connection, workspace, principal=caller)
        found, operation = await records.get_by_name(
            connection, project=caller.project, workspace_id=place.id, name=cluster
        )
    return cluster_changes.show(found, operation, base_url)


@router.get(
    "/v1/clusters/{cluster_id}",
    summary="Show a cluster by id",
    responses=cluster_shapes.found() | refused(NotFoundError),
)
async def get_cluster_by_id(
    cluster_id: str, context: CurrentContext, caller: Reader, base_url: BaseUrl
) -> Response:
    """Return the cluster, a deleted one too."""
    async with context.database.reading() as connection:
        found, operation = await records.get(
            connection, cluster_id, project=caller.project
        )
    return cluster_changes.show(found, operation, base_url)


@router.delete(
    _ONE,
    status_code=202,
    summary="Delete or detach a cluster",
    responses=cluster_shapes.deleting()
    | refused(NotFoundError, InUseError, NotSupportedError, StateConflictError),
)
async def delete_cluster(
    workspace: str,
    cluster: str,
    change: CurrentChange,
    key: OptionalKey,
    underlying: Annotated[
        UnderlyingAction | None,
        Query(description="What becomes of the AKS cluster; default: as it came."),
    ] = None,
) -> Response:
    """Cancel whatever runs and take it away; 409 with the list while it is in use.

    What was created is deleted, what was attached is detached, unless told otherwise.
    """
    context = change.parts.context
    made_by = ClusterChange(principal=change.principal, request_id=change.request_id)

    async def action(tx: Transaction) -> AcceptedCluster:
        return await cluster_removal.delete(
            context, tx, (workspace, cluster), underlying=underlying, change=made_by
        )

    return await cluster_changes.run(change, action, key=key)
