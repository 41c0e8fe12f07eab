"""Every type of event with its schema and example, read from the core's registry."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from app.api import examples
from app.core.cluster_view import ClusterView
from app.core.event import EVENT_TYPES, EventType
from app.core.view import DeploymentView, EventView, OperationView
from app.core.webhook_view import WebhookView


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentEventData:
    """`data` of a deployment's event: both as they stood, and one line for people."""

    deployment: DeploymentView
    operation: OperationView
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterEventData:
    """`data` of a cluster's event: both as they stood, and one line for people."""

    cluster: ClusterView
    operation: OperationView
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookEventData:
    """`data` of a webhook's event."""

    webhook: WebhookView


_DATA: Mapping[str, type[Any]] = {
    "deployment": DeploymentEventData,
    "cluster": ClusterEventData,
    "webhook": WebhookEventData,
}


@cache
def show_all() -> list[dict[str, Any]]:
    """Return every type that there is."""
    return [show(kind) for kind in EVENT_TYPES.values()]


def show(kind: type[EventType]) -> dict[str, Any]:
    """Return one type: its name, meaning, schema of the envelope, and an example."""
    return {
        "type": kind.name,
        "subject": kind.subject,
        "description": inspect.getdoc(kind),
        "ends_operation": kind.ends_operation,
        "schema": _schema(kind),
        "example": examples.event(kind),
    }


def _schema(kind: type[EventType]) -> dict[str, Any]:
    envelope = TypeAdapter(EventView).json_schema()
    data = TypeAdapter(_DATA[kind.subject]).json_schema()
    envelope["$defs"] = envelope.get("$defs", {}) | data.pop("$defs", {})
    envelope["properties"]["data"] = data
    envelope["properties"]["type"] = {"const": kind.name}
    return envelope
