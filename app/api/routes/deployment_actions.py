"""What is done to a deployment beside changing its spec."""

from typing import Annotated

from fastapi import APIRouter, Body, Response

from app.api import shapes
from app.api.changing import CurrentChange
from app.api.deps import CurrentContext, Deployer
from app.api.documents import refused
from app.api.idempotency import OptionalKey
from app.api.route import GuardedRoute
from app.core.errors import (
    IdempotencyKeyReusedError,
    NotFoundError,
    NotSupportedError,
    RequiresRecreateError,
    StateConflictError,
)
from app.core.requests import RollbackRequest
from app.services import changes
from app.services import operations as use_cases
from app.services.changes import Accepted
from app.storage import deployments
from app.storage.database import Transaction

router = APIRouter(route_class=GuardedRoute, tags=["deployments"])

_PATH = "/v1/deployments/{deployment_id}"


@router.post(
    f"{_PATH}/rollback",
    status_code=202,
    summary="Roll back to a revision",
    responses=shapes.accepted()
    | shapes.unchanged()
    | refused(
        *shapes.BODY_ERRORS,
        *shapes.CHANGE_ERRORS,
        RequiresRecreateError,
        IdempotencyKeyReusedError,
    ),
)
async def roll_back(
    deployment_id: str,
    body: Annotated[
        RollbackRequest,
        Body(openapi_examples={"first": {"value": {"revision": 1}}}),
    ],
    change: CurrentChange,
    key: OptionalKey,
) -> Response:
    """Make an earlier revision's model and options wanted again.

    Counts, tags and the description stay as they are.
    """
    context, options = change.parts.context, change.options()

    async def action(tx: Transaction) -> Accepted:
        standing = await deployments.lock(
            tx, deployment_id, project=change.principal.project
        )
        return await changes.roll_back(
            context, tx, standing, body.revision, options=options
        )

    return await change.run(action, key=key)


@router.post(
    f"{_PATH}/cancel",
    status_code=202,
    summary="Cancel the latest operation",
    responses=shapes.accepted()
    | refused(NotFoundError, StateConflictError, IdempotencyKeyReusedError),
)
async def cancel_latest(
    deployment_id: str, change: CurrentChange, key: OptionalKey
) -> Response:
    """Stop the deployment's latest operation; repeating it is harmless."""
    context, principal = change.parts.context, change.principal

    async def action(tx: Transaction) -> Accepted:
        standing = await deployments.lock(tx, deployment_id, project=principal.project)
        await use_cases.cancel(
            context, tx, standing.latest_operation_id, principal=principal
        )
        deployment, operation = await deployments.get(tx, deployment_id, project=None)
        return Accepted(deployment=deployment, operation=operation)

    return await change.run(action, key=key)


@router.post(
    f"{_PATH}/retry",
    status_code=202,
    summary="Retry the latest operation",
    responses=shapes.accepted()
    | refused(*shapes.CHANGE_ERRORS, IdempotencyKeyReusedError),
)
async def retry_latest(
    deployment_id: str, change: CurrentChange, key: OptionalKey
) -> Response:
    """Start a new operation that does what the latest, ended one was to do."""
    context, options = change.parts.context, change.options()

    async def action(tx: Transaction) -> Accepted:
        standing = await deployments.lock(
            tx, deployment_id, project=change.principal.project
        )
        return await use_cases.retry(
            context, tx, standing.latest_operation_id, options=options
        )

    return await change.run(action, key=key)


@router.post(
    f"{_PATH}/promote",
    status_code=409,
    summary="Skip what is left of a rollout",
    responses=refused(NotFoundError, NotSupportedError),
)
@router.post(
    f"{_PATH}/migrate",
    status_code=409,
    summary="Move to another kind of target",
    responses=refused(NotFoundError, NotSupportedError),
)
@router.post(
    f"{_PATH}/migrate/finish",
    status_code=409,
    summary="Finish a migration",
    responses=refused(NotFoundError, NotSupportedError),
)
@router.post(
    f"{_PATH}/migrate/abort",
    status_code=409,
    summary="Abort a migration",
    responses=refused(NotFoundError, NotSupportedError),
)
async def not_supported(
    deployment_id: str, context: CurrentContext, caller: Deployer
) -> Response:
    """Refuse: no target of this release splits traffic or is migrated from or to."""
    async with context.database.reading() as connection:
        found, _ = await deployments.get(
            connection, deployment_id, project=caller.project
        )
    raise NotSupportedError(
        f"The target {found.spec.target.kind} moves all traffic at once and is not "
        "migrated.",
        remedy="PUT the deployment as it is to be; a rollback puts it back.",
    )
