"""Deployments and their revisions in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import Row, Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.conditions import Condition
from app.core.deployment import Deployment, Operation, Traffic
from app.core.errors import FencedError, NotFoundError
from app.core.lifecycle import (
    DEPLOYMENT_MOVES,
    DeploymentState,
    check_deployment_move,
)
from app.core.specs import DeploymentSpec
from app.core.target import ResolvedModel
from app.storage import codec, secrets
from app.storage.tables import DEPLOYMENTS, OPERATIONS

_LIVING = DEPLOYMENTS.c.state != DeploymentState.DELETED


# Both tables have an id, a state and more: the operation's columns get a prefix.
_OPERATION_LABELS = {
    name: f"operation_{name}" for name in Operation.__dataclass_fields__
}


class DeploymentValues(TypedDict, total=False):
    """The columns of a deployment that may change, each optional."""

    state: DeploymentState
    spec: DeploymentSpec
    conditions: tuple[Condition, ...]
    serving: bool | None
    wanted_revision: int
    serving_revision: int | None
    last_revision: int
    scoring_uri: str | None
    swagger_uri: str | None
    model: ResolvedModel | None
    traffic: tuple[Traffic, ...]
    azure_state: str | None
    latest_operation_id: str
    webhook_id: str | None


def with_operation(statement: Select[Any]) -> Select[Any]:
    """Return `statement` over deployments with the latest operation's columns."""
    joined = statement.join(
        OPERATIONS, OPERATIONS.c.id == DEPLOYMENTS.c.latest_operation_id
    )
    return joined.add_columns(
        *(OPERATIONS.c[name].label(label) for name, label in _OPERATION_LABELS.items())
    )


# Built once: reading one deployment is what callers do most.
_GET = with_operation(
    select(*DEPLOYMENTS.c).where(DEPLOYMENTS.c.id == bindparam("wanted_id"))
)


async def change(
    tx: AsyncConnection,
    deployment_id: str,
    values: DeploymentValues,
    *,
    events: int,
    at: datetime,
) -> Deployment:
    """Write `values`, raise the version by one and the sequence by `events`.

    Takes the row's lock until the transaction ends, which makes the order of
    sequence numbers the order of commits. Raises IllegalMoveError if the state
    cannot become the one in `values`, and NotFoundError if there is no such row.
    With a deployment go the secrets that were put away for it.
    """
    columns = codec.to_columns(dict(values))
    statement = (
        update(DEPLOYMENTS)
        .where(DEPLOYMENTS.c.id == deployment_id)
        .values(
            **columns,
            version=DEPLOYMENTS.c.version + 1,
            sequence=DEPLOYMENTS.c.sequence + events,
            updated_at=at,
        )
        .returning(*DEPLOYMENTS.c)
    )
    if "state" in values:
        statement = statement.where(
            DEPLOYMENTS.c.state.in_(_may_become(values["state"]))
        )
    row = (await tx.execute(statement)).first()
    if row is None:
        await _explain(tx, deployment_id, values)
    else:
        if values.get("state") is DeploymentState.DELETED:
            await secrets.remove_of_deployment(tx, deployment_id)
        return codec.deployment(row)
    raise FencedError("The deployment changed at the same time.")


async def get(
    connection: AsyncConnection, deployment_id: str, *, project: str | None
) -> tuple[Deployment, Operation]:
    """Return a deployment, deleted ones too, with its latest operation.

    Raises NotFoundError; `project` None sees every project.
    """
    row = (await connection.execute(_GET, {"wanted_id": deployment_id})).first()
    if row is None or project not in {None, row.project}:
        raise NotFoundError("There is no such deployment in this project.")
    return pair(row)


async def lock(
    tx: AsyncConnection, deployment_id: str, *, project: str | None
) -> Deployment:
    """Return a deployment with its row locked until the transaction ends."""
    statement = (
        select(*DEPLOYMENTS.c)
        .where(DEPLOYMENTS.c.id == deployment_id)
        .with_for_update()
    )
    if project is not None:
        statement = statement.where(DEPLOYMENTS.c.project == project)
    row = (await tx.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no such deployment in this project.")
    return codec.deployment(row)


async def lock_by_name(
    tx: AsyncConnection, *, project: str, workspace_id: str, name: str
) -> Deployment | None:
    """Return the living deployment of that name, locked; None if there is none."""
    statement = (
        select(*DEPLOYMENTS.c)
        .where(
            DEPLOYMENTS.c.project == project,
            DEPLOYMENTS.c.workspace_id == workspace_id,
            DEPLOYMENTS.c.name == name,
            _LIVING,
        )
        .with_for_update()
    )
    row = (await tx.execute(statement)).first()
    return None if row is None else codec.deployment(row)


async def id_by_name(
    connection: AsyncConnection, *, project: str, workspace: str, name: str
) -> str:
    """Return the id of the living deployment of that name, or raise NotFoundError."""
    statement = select(DEPLOYMENTS.c.id).where(
        DEPLOYMENTS.c.project == project,
        DEPLOYMENTS.c.workspace == workspace,
        DEPLOYMENTS.c.name == name,
        _LIVING,
    )
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no deployment of that name in this workspace.")
    return str(row.id)


async def of_project(
    connection: AsyncConnection, ids: Sequence[str], *, project: str
) -> frozenset[str]:
    """Return those of `ids` that are deployments of the project."""
    statement = select(DEPLOYMENTS.c.id).where(
        DEPLOYMENTS.c.id.in_(ids), DEPLOYMENTS.c.project == project
    )
    return frozenset((await connection.execute(statement)).scalars().all())


async def living_in_workspace(
    connection: AsyncConnection, workspace_id: str, *, limit: int
) -> Sequence[str]:
    """Return up to `limit` ids of deployments that still need the workspace."""
    statement = (
        select(DEPLOYMENTS.c.id)
        .where(DEPLOYMENTS.c.workspace_id == workspace_id, _LIVING)
        .order_by(DEPLOYMENTS.c.id)
        .limit(limit)
    )
    return (await connection.execute(statement)).scalars().all()


async def serving(
    connection: AsyncConnection, targets: Sequence[str]
) -> list[tuple[Deployment, Operation]]:
    """Return every deployment of these targets that should be answering callers."""
    statement = with_operation(
        select(*DEPLOYMENTS.c)
        .where(
            DEPLOYMENTS.c.serving_revision.is_not(None),
            DEPLOYMENTS.c.state.in_([DeploymentState.LIVE, DeploymentState.UPDATING]),
            DEPLOYMENTS.c.target.in_(targets),
        )
        .order_by(DEPLOYMENTS.c.id)
    )
    return [pair(row) for row in await connection.execute(statement)]


def _may_become(new: DeploymentState) -> list[DeploymentState]:
    return [new, *(old for old, moves in DEPLOYMENT_MOVES.items() if new in moves)]


async def _explain(
    tx: AsyncConnection, deployment_id: str, values: DeploymentValues
) -> None:
    statement = select(DEPLOYMENTS.c.state).where(DEPLOYMENTS.c.id == deployment_id)
    row = (await tx.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no such deployment.")
    check_deployment_move(DeploymentState(row.state), values["state"])


def pair(row: Row[Any]) -> tuple[Deployment, Operation]:
    """Return the two snapshots of a row that `with_operation` selected."""
    mapping = row._mapping  # noqa: SLF001  # SQLAlchemy's documented public name
    return codec.deployment(row), codec.operation_from(
        {name: mapping[label] for name, label in _OPERATION_LABELS.items()}
    )
