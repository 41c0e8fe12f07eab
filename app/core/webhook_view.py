"""Webhooks and deliveries as callers are shown them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from app.core.webhook import Attempt, Delivery, DeliveryState, Webhook


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookView:
    """A webhook as callers see it; its secret is never in it."""

    id: str
    name: str
    project: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    disabled_reason: str | None
    deployment: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    links: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryView:
    """One event for one webhook, with every attempt that was made."""

    id: str
    webhook: str
    event: str
    event_type: str
    message_id: str
    state: DeliveryState
    attempts: tuple[Attempt, ...]
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


def view_webhook(webhook: Webhook, *, base_url: str) -> WebhookView:
    """Return `webhook` with its links below `base_url`."""
    own = f"{base_url}/v1/webhooks/{webhook.id}"
    return WebhookView(
        id=webhook.id,
        name=webhook.name,
        project=webhook.project,
        url=webhook.url,
        events=webhook.events,
        enabled=webhook.enabled,
        disabled_reason=webhook.disabled_reason,
        deployment=webhook.deployment_id,
        created_by=webhook.created_by,
        created_at=webhook.created_at,
        updated_at=webhook.updated_at,
        links={"self": own, "deliveries": f"{own}/deliveries"},
    )


def view_delivery(delivery: Delivery) -> DeliveryView:
    """Return `delivery` with its attempts, first one first."""
    return DeliveryView(
        id=delivery.id,
        webhook=delivery.webhook_id,
        event=delivery.event_id,
        event_type=delivery.event_type,
        message_id=delivery.message_id,
        state=delivery.state,
        attempts=delivery.attempts,
        next_attempt_at=delivery.next_attempt_at,
        created_at=delivery.created_at,
        finished_at=delivery.finished_at,
    )
