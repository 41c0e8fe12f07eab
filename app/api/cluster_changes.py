"""How every change of a cluster is answered: accepted, replayed, or only tried."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

from fastapi import Response
from pydantic import TypeAdapter
from pydantic_core import to_json

from app.api.answers import JSON, POLL_SECONDS, to_response
from app.api.changing import Change
from app.api.waiting import acknowledge, until_ended
from app.core.cluster import Cluster
from app.core.deployment import Operation
from app.core.diff import strongest
from app.core.lifecycle import OperationKind
from app.services.cluster_events import cluster_json
from app.services.cluster_planning import AcceptedCluster
from app.services.idempotency import Answer, guarded
from app.services.previews import Preview
from app.services.removal import Removal
from app.storage import clusters
from app.storage.database import Transaction
from app.storage.idempotency import IdempotencyKey

Action = Callable[[Transaction], Awaitable[AcceptedCluster]]

_PREVIEW = TypeAdapter(Preview)
_REMOVAL = TypeAdapter(Removal)


async def run(
    change: Change, action: Action, *, key: IdempotencyKey | None
) -> Response:
    """Do it in one transaction, or only try it, and answer as was preferred."""
    context = change.parts.context
    if change.manner.validate_only:
        async with context.database.trial() as tx:
            tried = await action(tx)
        return Response(_preview(tried), media_type=JSON)
    started: list[AcceptedCluster] = []

    async def answered(tx: Transaction) -> Answer:
        started.append(await action(tx))
        return _answer(started[0], change.base_url)

    answer = await guarded(context, key, answered)
    wait = change.manner.wait
    if wait and started:
        await until_ended(change.parts, started[0].operation, seconds=wait)
        async with context.database.reading() as connection:
            cluster, operation = await clusters.get(
                connection, started[0].cluster.id, project=None
            )
        current = replace(started[0], cluster=cluster, operation=operation)
        answer = _answer(current, change.base_url)
    return acknowledge(to_response(answer), wait)


def show(cluster: Cluster, operation: Operation, base_url: str) -> Response:
    """Return 200 with the cluster."""
    return Response(
        to_json(cluster_json(base_url, cluster, operation)),
        media_type=JSON,
        headers={"Cache-Control": "no-cache"},
    )


def _answer(accepted: AcceptedCluster, base_url: str) -> Answer:
    body = cluster_json(base_url, accepted.cluster, accepted.operation)
    headers = {"Location": body["links"]["self"]}
    if accepted.is_new:
        headers["Operation-Location"] = body["links"]["operation"]
        headers["Retry-After"] = str(POLL_SECONDS)
    return Answer(status=202 if accepted.is_new else 200, body=body, headers=headers)


def _preview(tried: AcceptedCluster) -> bytes:
    if tried.operation.kind.is_removal:
        return _REMOVAL.dump_json(_removal(tried))
    preview = Preview(
        outcome=_outcome(tried),
        effect=strongest(tried.changes),
        changes=tried.changes,
        findings=(),
        model=None,
    )
    return _PREVIEW.dump_json(preview)


def _outcome(tried: AcceptedCluster) -> Literal["create", "change", "nothing"]:
    if not tried.is_new:
        return "nothing"
    return "create" if tried.cluster.version == 1 else "change"


def _removal(tried: AcceptedCluster) -> Removal:
    name = tried.cluster.name
    underlying: Any = f"the AKS cluster below {name}"
    if tried.cluster.resource_id is not None:
        underlying = f"AKS cluster {tried.cluster.resource_id}"
    removes = (f"cluster {name}", f"compute {name} of the workspace")
    if tried.operation.kind is OperationKind.CLUSTER_DETACH:
        return Removal(removes=removes, keeps=(underlying,))
    return Removal(removes=(*removes, underlying), keeps=())
