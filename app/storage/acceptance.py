"""A new deployment with all that its acceptance writes, in one round trip.

Accepting a request is what callers do most and wait for: statements of their own for
row, revision, operation, event and job took more than half of its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.deployment import Deployment, Operation, Revision
from app.storage import codec, events, jobs
from app.storage.events import NewEvent
from app.storage.jobs import Job


def _columns(kind: type[Any]) -> str:
    return ", ".join(kind.__dataclass_fields__)


# Each record is one parameter: psycopg reads a statement with more than 50 of them,
# or of more than 4,096 characters, anew every time. The cross join makes the name's
# being free the condition of everything. The names come from our own dataclasses.
_ACCEPT = text(f"""
WITH new_deployment AS (
    INSERT INTO deployments (target, {_columns(Deployment)})
    SELECT target, {_columns(Deployment)}
    FROM jsonb_populate_record(NULL::deployments, CAST(:deployment AS jsonb))
    ON CONFLICT DO NOTHING RETURNING id AS accepted, project AS of_project
), new_revision AS (
    INSERT INTO revisions ({_columns(Revision)}) SELECT {_columns(Revision)}
    FROM jsonb_populate_record(NULL::revisions, CAST(:revision AS jsonb)),
        new_deployment
), new_operation AS (
    INSERT INTO operations ({_columns(Operation)}) SELECT {_columns(Operation)}
    FROM jsonb_populate_record(NULL::operations, CAST(:operation AS jsonb)),
        new_deployment
), new_events AS (
    INSERT INTO events ({events.COLUMNS}) SELECT {events.COLUMNS}
    FROM jsonb_populate_recordset(NULL::events, CAST(:events AS jsonb)),
        new_deployment
), new_jobs AS (
    {jobs.insertion(beside="new_deployment")}
)
SELECT EXISTS (
    SELECT FROM webhooks WHERE project = of_project AND enabled
    AND deployment_id IS NULL AND deleted_at IS NULL
) AS is_heard FROM new_deployment
""")  # noqa: S608


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What was found while storing; `is_heard` if the project has webhooks at all."""

    is_heard: bool


async def create(
    tx: AsyncConnection,
    deployment: Deployment,
    *,
    revision: Revision,
    operation: Operation,
    told: Sequence[NewEvent],
    wake_ups: Sequence[Job],
) -> Stored | None:
    """Insert everything; None, and nothing of it, if name or endpoint is taken.

    A concurrent create of the same name waits for the first one to end.
    """
    target = deployment.spec.target.kind
    parameters = {
        "deployment": _json({"target": target, **_values(deployment, Deployment)}),
        "revision": _json(_values(revision, Revision)),
        "operation": _json(_values(operation, Operation)),
        "events": _json([events.columns(event) for event in told]),
        "jobs": jobs.rows(wake_ups),
    }
    row = (await tx.execute(_ACCEPT, parameters)).first()
    return None if row is None else Stored(is_heard=row.is_heard)


def _values(record: object, kind: type[Any]) -> dict[str, Any]:
    return codec.to_columns(
        {name: getattr(record, name) for name in kind.__dataclass_fields__}
    )


def _json(value: object) -> str:
    return to_json(value).decode()
