"""Operations: what is going on, how it ended, stop it, try it again."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter

from app.api import examples, shapes
from app.api.answers import show_operation
from app.api.changing import CurrentChange
from app.api.deps import BaseUrl, CurrentContext, CurrentParts, Reader
from app.api.documents import refused, shown
from app.api.idempotency import OptionalKey
from app.api.pagination import CurrentPage, cursor, list_answer
from app.api.route import GuardedRoute
from app.api.waiting import Wait, acknowledge, until_ended
from app.core.deployment import Operation
from app.core.errors import NotFoundError, StateConflictError
from app.core.lifecycle import OperationKind, OperationState
from app.services import operations as use_cases
from app.services.events import operation_json
from app.storage import listing, operations
from app.storage.database import Transaction
from app.storage.listing import OperationFilter

router = APIRouter(route_class=GuardedRoute, tags=["operations"])

_PLACE = TypeAdapter(str)


@router.get(
    "/v1/operations",
    summary="List operations",
    responses=shown(
        200,
        "One page, newest first.",
        {"page": examples.page(examples.operation(OperationState.RUNNING))},
    )
    | refused(),
)
async def list_operations(  # noqa: PLR0913 - one argument a filter
    context: CurrentContext,
    caller: Reader,
    base_url: BaseUrl,
    page: CurrentPage,
    *,
    deployment: Annotated[str | None, Query(description="A deployment's id.")] = None,
    cluster: Annotated[str | None, Query(description="A cluster's id.")] = None,
    kind: Annotated[Sequence[OperationKind], Query()] = (),
    state: Annotated[Sequence[OperationState], Query()] = (),
) -> Response:
    """Return the operations of the caller's project."""
    wanted = OperationFilter(
        project=caller.project,
        deployment_id=deployment,
        cluster_id=cluster,
        kinds=kind,
        states=state,
    )
    async with context.database.reading() as connection:
        found = await listing.operations(
            connection, wanted, before=page.after(_PLACE), limit=page.limit + 1
        )
    shown_ones = found[: page.limit]
    return list_answer(
        [operation_json(base_url, operation) for operation in shown_ones],
        cursor(shown_ones[-1].id) if len(found) > page.limit else None,
        page,
    )


@router.get(
    "/v1/operations/{operation_id}",
    summary="Show an operation",
    responses=shapes.operation_found() | refused(NotFoundError),
)
async def get_operation(
    operation_id: str,
    parts: CurrentParts,
    caller: Reader,
    base_url: BaseUrl,
    wait: Wait,
) -> Response:
    """Return the operation; with `Prefer: wait=N`, once it has ended."""
    async with parts.context.database.reading() as connection:
        operation = await operations.get(
            connection, operation_id, project=caller.project
        )
    if wait and not operation.state.is_terminal:
        operation = await until_ended(parts, operation, seconds=wait)
    return acknowledge(show_operation(operation, base_url), wait)


@router.post(
    "/v1/operations/{operation_id}/cancel",
    status_code=202,
    summary="Cancel an operation",
    responses=shapes.operation_accepted() | refused(NotFoundError, StateConflictError),
)
async def cancel_operation(
    operation_id: str, change: CurrentChange, key: OptionalKey
) -> Response:
    """Stop it at once while it waits; one that runs removes what it made first.

    Repeating it is harmless.
    """
    context, principal = change.parts.context, change.principal

    async def action(tx: Transaction) -> Operation:
        return await use_cases.cancel(context, tx, operation_id, principal=principal)

    return await change.run_on_operation(action, key=key)


@router.post(
    "/v1/operations/{operation_id}/retry",
    status_code=202,
    summary="Retry an operation",
    responses=shapes.operation_accepted() | refused(*shapes.CHANGE_ERRORS),
)
async def retry_operation(
    operation_id: str, change: CurrentChange, key: OptionalKey
) -> Response:
    """Start a new operation that does what a failed or canceled one was to do.

    The pinned model version stays the same.
    """
    context, options = change.parts.context, change.options()

    async def action(tx: Transaction) -> Operation:
        return await use_cases.repeat(context, tx, operation_id, options=options)

    return await change.run_on_operation(action, key=key)
