"""Registered webhooks: made, changed, tried with a ping, and removed."""

import dataclasses
import secrets
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from app.core.errors import StateConflictError
from app.core.event import ALL_EVENT_NAMES, Ping
from app.core.principal import Principal
from app.core.requests import PostWebhook
from app.core.webhook import (
    Delivery,
    DeliveryState,
    Webhook,
    check_patterns,
    new_secret,
)
from app.core.webhook_view import WebhookView, view_webhook
from app.services import tasks
from app.services.context import Context
from app.services.followers import seal
from app.storage import deliveries, events, jobs, webhooks
from app.storage.database import Transaction
from app.storage.events import NewEvent
from app.storage.webhooks import WebhookValues
from app.webhooks.addresses import Resolver, ensure_reachable_address

_VIEW = TypeAdapter(WebhookView)
# Of Standard Webhooks' 24 to 64: as many as the hash takes without folding them.
_RANDOM_BYTES = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A new webhook with its secret, which is shown now and is not readable later."""

    webhook: Webhook
    secret: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinged:
    """The test event of one webhook, and its delivery."""

    event_id: str
    delivery_id: str


async def check(
    context: Context, request: PostWebhook, *, resolver: Resolver
) -> PostWebhook:
    """Return `request` with its patterns once each, or raise InvalidError.

    The address must be one that callers may reach, now and at each delivery.
    """
    patterns = check_patterns(request.events, ALL_EVENT_NAMES)
    await ensure_reachable_address(
        request.url, context.address_policy, resolver=resolver
    )
    return dataclasses.replace(request, events=patterns)


async def register(
    context: Context, tx: Transaction, request: PostWebhook, *, principal: Principal
) -> Registered:
    """Store a checked webhook with a new secret."""
    now = context.clock.now()
    webhook = Webhook(
        id=context.ids.new("wh"),
        project=principal.project,
        name=request.name,
        url=request.url,
        events=request.events,
        enabled=request.enabled,
        created_by=principal.name,
        created_at=now,
        updated_at=now,
    )
    secret = new_secret(secrets.token_bytes(_RANDOM_BYTES))
    await webhooks.create(tx, webhook, seal(context, webhook.id, secret))
    return Registered(webhook=webhook, secret=secret)


async def change(
    context: Context, tx: Transaction, webhook: Webhook, request: PostWebhook
) -> Webhook:
    """Make `webhook` what the checked `request` says; its secret stays.

    Switching it on again forgets why Slipway had switched it off.
    """
    _check_registered(webhook)
    values = WebhookValues(
        name=request.name,
        url=request.url,
        events=list(request.events),
        enabled=request.enabled,
    )
    if request.enabled:
        values["disabled_reason"] = None
    return await webhooks.change(tx, webhook.id, values, at=context.clock.now())


async def remove(context: Context, tx: Transaction, webhook: Webhook) -> None:
    """Take `webhook` away; deliveries that still wait are canceled when due."""
    _check_registered(webhook)
    now = context.clock.now()
    await webhooks.change(tx, webhook.id, WebhookValues(deleted_at=now), at=now)


async def ping(
    context: Context, tx: Transaction, webhook: Webhook, *, principal: Principal
) -> Pinged:
    """Record a `ping` and deliver it to this webhook alone, whatever its patterns."""
    if not webhook.enabled:
        raise StateConflictError(
            "The webhook is switched off.", remedy="Switch it on with PATCH first."
        )
    now = context.clock.now()
    event = NewEvent(
        id=context.ids.new("evt"),
        type=Ping.name,
        timestamp=now,
        sequence=1,
        deployment_id=None,
        workspace=None,
        project=webhook.project,
        created_by=principal.name,
        data={"webhook": webhook_json(context.base_url, webhook)},
    )
    delivery = Delivery(
        id=context.ids.new("dlv"),
        project=webhook.project,
        webhook_id=webhook.id,
        event_id=event.id,
        event_type=event.type,
        state=DeliveryState.PENDING,
        next_attempt_at=now,
        created_at=now,
    )
    await events.append(tx, [event])
    await deliveries.create(tx, [delivery], created_by=principal.name)
    await jobs.defer(tx, [tasks.deliver(delivery.id)])
    return Pinged(event_id=event.id, delivery_id=delivery.id)


def webhook_json(base_url: str, webhook: Webhook) -> dict[str, Any]:
    """Return the webhook as answers and events show it, links below the URL."""
    view = view_webhook(webhook, base_url=base_url)
    return dict(_VIEW.dump_python(view, mode="json"))


def _check_registered(webhook: Webhook) -> None:
    if webhook.deployment_id is not None:
        raise StateConflictError(
            "This webhook belongs to a deployment's own request.",
            remedy="PUT or PATCH the deployment with another `webhook`, or null.",
        )
