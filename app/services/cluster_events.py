"""Write what happened to a cluster: state, event, deliveries and jobs together."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from app.core.cluster import Cluster
from app.core.cluster_view import ClusterView, view_cluster
from app.core.deployment import Operation
from app.core.event import EventType
from app.core.webhook import EventOrigin, Webhook, matches
from app.services.context import Context
from app.services.events import deliver_to, operation_json
from app.storage import clusters, events, webhooks
from app.storage.clusters import ClusterValues
from app.storage.database import Transaction
from app.storage.events import NewEvent

_CLUSTER_VIEW = TypeAdapter(ClusterView)


async def record(
    context: Context,
    tx: Transaction,
    cluster_id: str,
    *,
    values: ClusterValues,
    operation: Operation,
    happened: Sequence[EventType],
) -> Cluster:
    """Write `values` to the cluster and `happened` to its log, in order.

    `operation` is the cluster's latest one as it now stands.
    """
    cluster = await clusters.change(
        tx, cluster_id, values, events=len(happened), at=context.clock.now()
    )
    await announce(context, tx, cluster, operation=operation, happened=happened)
    return cluster


async def announce(
    context: Context,
    tx: Transaction,
    cluster: Cluster,
    *,
    operation: Operation,
    happened: Sequence[EventType],
) -> None:
    """Write `happened` for a cluster whose row already counts these events."""
    first = cluster.sequence - len(happened) + 1
    data = _data(context, cluster, operation)
    written = [
        NewEvent(
            id=context.ids.new("evt"),
            type=event.name,
            timestamp=cluster.updated_at,
            sequence=first + offset,
            deployment_id=None,
            cluster_id=cluster.id,
            workspace=cluster.workspace,
            project=cluster.project,
            created_by=operation.created_by,
            data=data if event.detail is None else {**data, "detail": event.detail},
        )
        for offset, event in enumerate(happened)
    ]
    if not written:
        return
    await events.append(tx, written)
    listening = await webhooks.listening(
        tx, project=cluster.project, deployment_id=None
    )
    origin = EventOrigin(project=cluster.project, workspace=cluster.workspace)

    def wants(webhook: Webhook, event_type: str) -> bool:
        return matches(webhook, event_type, origin=origin)

    await deliver_to(context, tx, written, listening=listening, wants=wants)


def cluster_json(
    context_url: str, cluster: Cluster, operation: Operation
) -> dict[str, Any]:
    """Return the cluster as answers and events show it, links below the URL."""
    view = view_cluster(cluster, operation, base_url=context_url)
    return dict(_CLUSTER_VIEW.dump_python(view, mode="json"))


def _data(
    context: Context, cluster: Cluster, operation: Operation
) -> Mapping[str, Any]:
    return {
        "cluster": cluster_json(context.base_url, cluster, operation),
        "operation": operation_json(context.base_url, operation),
    }
