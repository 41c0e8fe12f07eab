"""Write what happened: state, event, deliveries and jobs together or not at all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from app.core.deployment import Deployment, Operation
from app.core.event import Event, EventType
from app.core.view import (
    DeploymentView,
    EventView,
    OperationView,
    view_deployment,
    view_operation,
)
from app.core.webhook import (
    Delivery,
    DeliveryState,
    EventOrigin,
    Webhook,
    is_match,
    matches,
)
from app.services import tasks
from app.services.context import Context
from app.storage import deliveries, deployments, events, jobs, webhooks
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues
from app.storage.events import NewEvent

_DEPLOYMENT_VIEW = TypeAdapter(DeploymentView)
_OPERATION_VIEW = TypeAdapter(OperationView)
_EVENT_VIEW = TypeAdapter(EventView)


async def record(
    context: Context,
    tx: Transaction,
    deployment_id: str,
    *,
    values: DeploymentValues,
    operation: Operation,
    happened: Sequence[EventType],
) -> Deployment:
    """Write `values` to the deployment and `happened` to its log, in order.

    `operation` is the deployment's latest one as it now stands. Deliveries for every
    webhook that listens and the jobs that send them are written beside.
    """
    deployment = await deployments.change(
        tx,
        deployment_id,
        values,
        events=len(happened),
        at=context.clock.now(),
    )
    await announce(context, tx, deployment, operation=operation, happened=happened)
    return deployment


async def announce(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    *,
    operation: Operation,
    happened: Sequence[EventType],
) -> None:
    """Write `happened` for a deployment whose row already counts these events."""
    written = tell(context, deployment, operation=operation, happened=happened)
    if written:
        await events.append(tx, written)
        await notify_webhooks(context, tx, deployment, written)


def tell(
    context: Context,
    deployment: Deployment,
    *,
    operation: Operation,
    happened: Sequence[EventType],
) -> list[NewEvent]:
    """Return `happened` as it is to be written; the row already counts these events."""
    first = deployment.sequence - len(happened) + 1
    data = _data(context, deployment, operation)
    return [
        NewEvent(
            id=context.ids.new("evt"),
            type=event.name,
            timestamp=deployment.updated_at,
            sequence=first + offset,
            deployment_id=deployment.id,
            workspace=deployment.workspace,
            project=deployment.project,
            created_by=operation.created_by,
            data=data if event.detail is None else {**data, "detail": event.detail},
        )
        for offset, event in enumerate(happened)
    ]


async def deliver_to(
    context: Context,
    tx: Transaction,
    written: Sequence[NewEvent],
    *,
    listening: Sequence[Webhook],
    wants: Callable[[Webhook, str], bool],
) -> None:
    """Write a delivery, and its job, of each event to each webhook that wants it."""
    planned = [
        _delivery(context, webhook, event)
        for event in written
        for webhook in listening
        if wants(webhook, event.type)
    ]
    if planned:
        await deliveries.create(tx, planned, created_by=written[0].created_by)
        await jobs.defer(tx, [tasks.deliver(delivery.id) for delivery in planned])


def envelope(event: Event) -> dict[str, Any]:
    """Return the one envelope in which every reader is told of `event`."""
    return {
        "id": event.id,
        "type": event.type,
        "timestamp": event.timestamp.isoformat().replace("+00:00", "Z"),
        "sequence": event.sequence,
        "data": dict(event.data),
    }


def deployment_json(
    context_url: str, deployment: Deployment, operation: Operation
) -> dict[str, Any]:
    """Return the deployment as answers and events show it, links below the URL."""
    view = view_deployment(deployment, operation, base_url=context_url)
    return dict(_DEPLOYMENT_VIEW.dump_python(view, mode="json"))


def operation_json(context_url: str, operation: Operation) -> dict[str, Any]:
    """Return the operation as answers and events show it, links below the URL."""
    view = view_operation(operation, base_url=context_url)
    return dict(_OPERATION_VIEW.dump_python(view, mode="json"))


def _data(
    context: Context, deployment: Deployment, operation: Operation
) -> Mapping[str, Any]:
    return {
        "deployment": deployment_json(context.base_url, deployment, operation),
        "operation": operation_json(context.base_url, operation),
    }


async def notify_webhooks(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    written: Sequence[NewEvent],
) -> None:
    """Deliver stored events of `deployment` to every webhook that wants them."""
    listening = await webhooks.listening(
        tx, project=deployment.project, deployment_id=deployment.id
    )

    def wants(webhook: Webhook, event_type: str) -> bool:
        return _wants(webhook, deployment, event_type)

    await deliver_to(context, tx, written, listening=listening, wants=wants)


def _wants(webhook: Webhook, deployment: Deployment, event_type: str) -> bool:
    # A registered webhook that the request named hears of this deployment whatever
    # its workspace and tag filters say; its event patterns still hold.
    if webhook.id == deployment.webhook_id:
        return any(is_match(pattern, event_type) for pattern in webhook.events)
    origin = EventOrigin(
        project=deployment.project,
        deployment_id=deployment.id,
        workspace=deployment.workspace,
        tags=deployment.spec.tags,
    )
    return matches(webhook, event_type, origin=origin)


def _delivery(context: Context, webhook: Webhook, event: NewEvent) -> Delivery:
    return Delivery(
        id=context.ids.new("dlv"),
        project=webhook.project,
        webhook_id=webhook.id,
        event_id=event.id,
        event_type=event.type,
        state=DeliveryState.PENDING,
        next_attempt_at=event.timestamp,
        created_at=event.timestamp,
    )
