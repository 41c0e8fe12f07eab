"""Webhooks: where a project's events go, and what became of each delivery."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from app.api import examples, shapes
from app.api.answers import JSON, to_response
from app.api.body import MERGE_PATCH_TYPE
from app.api.deps import BaseUrl, CurrentContext, CurrentParts, Deployer, Reader
from app.api.documents import nothing, refused, shown
from app.api.idempotency import OptionalKey, RequiredKey
from app.api.pagination import CurrentPage, cursor, list_answer
from app.api.patching import read_webhook_patch
from app.api.route import GuardedRoute
from app.core.errors import (
    IdempotencyKeyMissingError,
    IdempotencyKeyReusedError,
    NotFoundError,
    StateConflictError,
)
from app.core.requests import PostWebhook
from app.core.webhook import DeliveryState
from app.core.webhook_view import DeliveryView, WebhookView, view_delivery
from app.services import webhooks as use_cases
from app.services.idempotency import Answer, guarded
from app.services.webhooks import webhook_json
from app.storage import deliveries, webhooks
from app.storage.database import Transaction

router = APIRouter(route_class=GuardedRoute, tags=["webhooks"])

_PATH = "/v1/webhooks/{webhook_id}"
_PLACE = TypeAdapter(str)
_DELIVERY = TypeAdapter(DeliveryView)
_EXAMPLE = {"portal": examples.webhook()}
_NEW = {"name": "portal", "url": "https://portal.example.com/slipway"}


@router.post(
    "/v1/webhooks",
    status_code=201,
    summary="Register a webhook",
    responses=shown(
        201,
        "Registered. `secret` stands in this answer alone, and in replays for 24 h.",
        {"portal": {**examples.webhook(), "secret": "whsec_…"}},
        model=WebhookView,
    )
    | refused(
        *shapes.BODY_ERRORS,
        *shapes.URL_ERRORS,
        IdempotencyKeyMissingError,
        IdempotencyKeyReusedError,
    ),
)
async def post_webhook(
    body: Annotated[PostWebhook, Body(openapi_examples={"new": {"value": _NEW}})],
    parts: CurrentParts,
    caller: Deployer,
    base_url: BaseUrl,
    key: RequiredKey,
) -> Response:
    """Send this project's events to a URL, signed with the secret in the answer."""
    context = parts.context
    request = await use_cases.check(context, body, resolver=parts.resolver)

    async def action(tx: Transaction) -> Answer:
        made = await use_cases.register(context, tx, request, principal=caller)
        return Answer(
            status=201,
            body=webhook_json(base_url, made.webhook),
            headers={"Location": f"{base_url}/v1/webhooks/{made.webhook.id}"},
            secret_fields={"secret": made.secret},
        )

    return to_response(await guarded(context, key, action))


@router.get(
    "/v1/webhooks",
    summary="List webhooks",
    responses=shown(
        200, "One page, oldest first.", {"page": examples.page(examples.webhook())}
    )
    | refused(),
)
async def list_webhooks(
    context: CurrentContext,
    caller: Reader,
    base_url: BaseUrl,
    page: CurrentPage,
    deployment: Annotated[
        str | None, Query(description="A deployment's id: its one-off webhook instead.")
    ] = None,
) -> Response:
    """Return the registered webhooks of the caller's project."""
    async with context.database.reading() as connection:
        found = await webhooks.list_of(
            connection,
            project=caller.project,
            deployment_id=deployment,
            after=page.after(_PLACE),
            limit=page.limit + 1,
        )
    listed = found[: page.limit]
    return list_answer(
        [webhook_json(base_url, one) for one in listed],
        cursor(listed[-1].id) if len(found) > page.limit else None,
        page,
    )


@router.get(
    _PATH,
    summary="Show a webhook",
    responses=shown(200, "The webhook.", _EXAMPLE, model=WebhookView)
    | refused(NotFoundError),
)
async def get_webhook(
    webhook_id: str, context: CurrentContext, caller: Reader, base_url: BaseUrl
) -> Response:
    """Return one webhook, without its secret."""
    async with context.database.reading() as connection:
        found = await webhooks.get(connection, webhook_id, project=caller.project)
    return Response(to_json(webhook_json(base_url, found)), media_type=JSON)


@router.patch(
    _PATH,
    summary="Change a webhook",
    responses=shown(200, "The webhook as it now stands.", _EXAMPLE, model=WebhookView)
    | refused(
        *shapes.BODY_ERRORS, *shapes.URL_ERRORS, NotFoundError, StateConflictError
    ),
)
async def patch_webhook(
    webhook_id: str,
    body: Annotated[
        dict[str, Any],
        Body(
            media_type=MERGE_PATCH_TYPE,
            openapi_examples={"pause": {"value": {"enabled": False}}},
        ),
    ],
    parts: CurrentParts,
    caller: Deployer,
    base_url: BaseUrl,
) -> Response:
    """Merge `name`, `url`, `events` and `enabled`; `enabled` true starts it again."""
    context = parts.context
    async with context.database.reading() as connection:
        standing = await webhooks.get(connection, webhook_id, project=caller.project)
    request = await use_cases.check(
        context, read_webhook_patch(standing, body), resolver=parts.resolver
    )
    async with context.database.transaction() as tx:
        changed = await use_cases.change(context, tx, standing, request)
    return Response(to_json(webhook_json(base_url, changed)), media_type=JSON)


@router.delete(
    _PATH,
    status_code=204,
    summary="Remove a webhook",
    responses=nothing("Removed; what waits is not delivered any more.")
    | refused(NotFoundError, StateConflictError),
)
async def delete_webhook(
    webhook_id: str, context: CurrentContext, caller: Deployer
) -> Response:
    """Deliver nothing more to it."""
    async with context.database.transaction() as tx:
        found = await webhooks.get(tx, webhook_id, project=caller.project)
        await use_cases.remove(context, tx, found)
    return Response(status_code=204)


@router.get(
    f"{_PATH}/deliveries",
    summary="List a webhook's deliveries",
    responses=shown(
        200, "One page, newest first.", {"page": examples.page(examples.delivery())}
    )
    | refused(NotFoundError),
)
async def list_deliveries(
    webhook_id: str,
    context: CurrentContext,
    caller: Reader,
    page: CurrentPage,
    state: Annotated[DeliveryState | None, Query()] = None,
) -> Response:
    """Return what was sent and is to be sent, with every attempt."""
    async with context.database.reading() as connection:
        await webhooks.get(connection, webhook_id, project=caller.project)
        found = await deliveries.list_of_webhook(
            connection,
            webhook_id,
            state=state,
            before=page.after(_PLACE),
            limit=page.limit + 1,
        )
    listed = found[: page.limit]
    return list_answer(
        [_DELIVERY.dump_python(view_delivery(one), mode="json") for one in listed],
        cursor(listed[-1].id) if len(found) > page.limit else None,
        page,
    )


@router.post(
    f"{_PATH}/ping",
    status_code=202,
    summary="Send a test event",
    responses=shown(202, "It is on its way.", {"ping": examples.ping()})
    | refused(NotFoundError, StateConflictError, IdempotencyKeyReusedError),
)
async def ping_webhook(
    webhook_id: str,
    context: CurrentContext,
    caller: Deployer,
    base_url: BaseUrl,
    key: OptionalKey,
) -> Response:
    """Deliver a `ping` to this webhook alone; its attempts are in its deliveries."""

    async def action(tx: Transaction) -> Answer:
        found = await webhooks.get(tx, webhook_id, project=caller.project)
        pinged = await use_cases.ping(context, tx, found, principal=caller)
        return Answer(
            status=202,
            body={
                "event": pinged.event_id,
                "delivery": pinged.delivery_id,
                "links": {
                    "deliveries": f"{base_url}/v1/webhooks/{found.id}/deliveries"
                },
            },
        )

    return to_response(await guarded(context, key, action))
