"""Delete a deployment: whatever runs is canceled, and the delete goes first."""

import dataclasses
from dataclasses import dataclass
from datetime import timedelta

from app.core.deployment import Deployment, Operation, name_at_target
from app.core.event import DeploymentDeleting
from app.core.lifecycle import DeploymentState, OperationKind, OperationState
from app.services import admission, cancellation
from app.services.changes import Accepted
from app.services.context import Context
from app.services.events import record
from app.services.planning import ChangeOptions, new_operation
from app.services.preconditions import check_preconditions
from app.storage import operations, revisions
from app.storage.database import Connection, Transaction
from app.storage.deployments import DeploymentValues

_DEADLINE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """What a delete would take away, and what it leaves."""

    removes: tuple[str, ...]
    keeps: tuple[str, ...]


async def delete(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    *,
    options: ChangeOptions,
    keep_at_target: bool,
    retry_of: str | None = None,
) -> Accepted:
    """Start to delete a locked `deployment`; asked again, show what is under way.

    With `keep_at_target` the record goes and the target is not touched.
    """
    check_preconditions(deployment, options)
    open_ones = await operations.open_of_deployment(tx, deployment.id)
    for running in open_ones:
        if running.kind is OperationKind.DELETE:
            return Accepted(deployment=deployment, operation=running, is_new=False)
    if deployment.state is DeploymentState.DELETED:
        latest = await operations.get(tx, deployment.latest_operation_id, project=None)
        return Accepted(deployment=deployment, operation=latest, is_new=False)
    operation = dataclasses.replace(
        new_operation(
            context,
            deployment,
            kind=OperationKind.DELETE,
            revision=None,
            options=options,
        ),
        keep_at_target=keep_at_target,
        retry_of=retry_of,
    )
    await operations.create(tx, operation)
    changed = await record(
        context,
        tx,
        deployment.id,
        values=DeploymentValues(
            state=DeploymentState.DELETING, latest_operation_id=operation.id
        ),
        operation=operation,
        happened=[DeploymentDeleting()],
    )
    await _stop(context, tx, open_ones)
    await admission.admit(context, tx, operation)
    return Accepted(deployment=changed, operation=operation)


async def preview(
    connection: Connection, deployment: Deployment, *, keep_at_target: bool
) -> Removal:
    """Return what deleting would take away; changes nothing."""
    standing = await revisions.with_handle(connection, deployment.id)
    at_target = [
        f"revision {revision.number} at the target, as {name}"
        for revision in standing
        for name in [name_at_target(deployment.name, revision)]
    ]
    models = sorted({r.model.uri for r in standing if r.model is not None})
    kept = [f"registered model version {uri}" for uri in models]
    record_of = f"deployment {deployment.name}"
    if keep_at_target:
        return Removal(removes=(record_of,), keeps=(*at_target, *kept))
    endpoint = [f"endpoint {deployment.scoring_uri}"] if deployment.scoring_uri else []
    return Removal(removes=(record_of, *endpoint, *at_target), keeps=tuple(kept))


async def _stop(context: Context, tx: Transaction, open_ones: list[Operation]) -> None:
    for operation in open_ones:
        if operation.state is OperationState.QUEUED:
            await cancellation.supersede(context, tx, operation)
        else:
            await cancellation.request(context, tx, operation)
