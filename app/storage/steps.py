"""What a worker looks at and what it writes of its operation, a round trip each.

A worker that writes step by step waits for the database more than for its target, and
the statements of one step cost it more time than all else that it does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.deployment import Deployment, Operation, Revision
from app.core.errors import NotFoundError
from app.core.lifecycle import DeploymentState
from app.core.workspace import Workspace
from app.storage import codec, events, secrets
from app.storage.deployments import DeploymentValues
from app.storage.events import NewEvent
from app.storage.operations import OperationValues

_FIND = text("""
SELECT to_jsonb(o) AS operation, to_jsonb(w) AS workspace, to_jsonb(d) AS deployment,
    to_jsonb(r) AS revision, now() AS read_at
FROM operations AS o JOIN workspaces AS w ON w.id = o.workspace_id
JOIN deployments AS d ON d.id = o.deployment_id
JOIN revisions AS r ON r.deployment_id = d.id
    AND r.number = COALESCE(o.revision, d.wanted_revision)
WHERE o.id = :operation_id
""")

_KIND = text("""
SELECT o.spec_version, o.cluster_id, o.endpoint_key, d.target
FROM operations AS o LEFT JOIN deployments AS d ON d.id = o.deployment_id
WHERE o.id = :operation_id
""")


def _assignments(columns: set[str]) -> str:
    return ", ".join(f"{name} = new.{name}" for name in sorted(columns))


# The request to cancel is the API's to write.
_OF_OPERATION = {"epoch", *OperationValues.__annotations__} - {"cancel_requested_at"}
_OF_DEPLOYMENT = {
    *("version", "sequence", "updated_at"),
    *DeploymentValues.__annotations__,
}

# Each part reads the one before, so that the deployment's row is locked first and
# nothing follows a part that found no row. The names are those of our own columns.
_WRITE = text(f"""
WITH deployment AS (
    UPDATE deployments AS old SET {_assignments(_OF_DEPLOYMENT)}
    FROM jsonb_populate_record(NULL::deployments, CAST(:deployment AS jsonb)) AS new
    WHERE old.id = new.id AND old.version = :version RETURNING old.id
), operation AS (
    UPDATE operations AS old SET {_assignments(_OF_OPERATION)}
    FROM jsonb_populate_record(NULL::operations, CAST(:operation AS jsonb)) AS new,
        deployment
    WHERE old.id = new.id AND old.deployment_id = deployment.id
        AND old.epoch = :epoch AND old.state IN ('queued', 'running')
        AND old.cancel_requested_at IS NOT DISTINCT FROM new.cancel_requested_at
    RETURNING old.deployment_id AS of_deployment
), told AS (
    INSERT INTO events ({events.COLUMNS}) SELECT {events.COLUMNS}
    FROM jsonb_populate_recordset(NULL::events, CAST(:events AS jsonb)), operation
)
SELECT EXISTS (
    SELECT FROM webhooks WHERE project = :project AND enabled AND deleted_at IS NULL
    AND (deployment_id IS NULL OR deployment_id = of_deployment)
) AS is_heard FROM operation
""")  # noqa: S608


class ChangedMeanwhileError(Exception):
    """The records are not as they were read; nothing may be kept of the step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What tells a worker whether an operation is one of its own.

    `target` is None for an operation of a cluster.
    """

    spec_version: int
    endpoint_key: str
    cluster_id: str | None
    target: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """All that a deployment's operation is about, read at one moment."""

    operation: Operation
    deployment: Deployment
    revision: Revision
    workspace: Workspace
    read_at: datetime


async def kind(connection: AsyncConnection, operation_id: str) -> Kind:
    """Return what kind of operation it is, or raise NotFoundError."""
    row = (await connection.execute(_KIND, {"operation_id": operation_id})).first()
    if row is None:
        raise NotFoundError("There is no such operation.")
    return Kind(
        spec_version=row.spec_version,
        endpoint_key=row.endpoint_key,
        cluster_id=row.cluster_id,
        target=row.target,
    )


async def find(connection: AsyncConnection, operation_id: str) -> Standing:
    """Return what a deployment's operation is about; `read_at` is the server's clock.

    Raises NotFoundError if there is no such operation of a deployment.
    """
    row = (await connection.execute(_FIND, {"operation_id": operation_id})).first()
    if row is None:
        raise NotFoundError("There is no such operation of a deployment.")
    return Standing(
        operation=codec.from_json(row.operation, Operation),
        deployment=codec.from_json(row.deployment, Deployment),
        revision=codec.from_json(row.revision, Revision),
        workspace=codec.from_json(row.workspace, Workspace),
        read_at=row.read_at,
    )


async def write(
    tx: AsyncConnection,
    before: tuple[Deployment, Operation],
    after: tuple[Deployment, Operation],
    *,
    told: Sequence[NewEvent],
) -> bool:
    """Write what became of `before`, and the events of it; say if webhooks may listen.

    The deployment must still have its version, which makes the sequence numbers in
    `told` right: its row stays locked until the transaction ends. The operation must
    be open, have its epoch, and nobody may have asked to cancel it in between. Raises
    ChangedMeanwhileError otherwise: the transaction must not be committed.
    """
    deployment, operation = after
    parameters = {
        "version": before[0].version,
        "epoch": before[1].epoch,
        "project": deployment.project,
        "deployment": _json(deployment),
        "operation": _json(operation),
        "events": to_json([events.columns(event) for event in told]).decode(),
    }
    row = (await tx.execute(_WRITE, parameters)).first()
    if row is None:
        raise ChangedMeanwhileError
    if deployment.state is DeploymentState.DELETED:
        await secrets.remove_of_deployment(tx, deployment.id)
    return bool(row.is_heard)


def _json(record: Deployment | Operation) -> str:
    names: Any = type(record).__dataclass_fields__
    values = {name: getattr(record, name) for name in names}
    return to_json(codec.to_columns(values)).decode()
