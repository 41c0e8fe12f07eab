"""Lists of deployments and operations: filtered, sorted, one page at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select

from app.core.deployment import Deployment, Operation
from app.core.errors import NotFoundError
from app.core.lifecycle import DeploymentState, OperationKind, OperationState
from app.storage import codec
from app.storage.database import Connection
from app.storage.deployments import pair, with_operation
from app.storage.tables import DEPLOYMENTS, OPERATIONS

_LIVING = DEPLOYMENTS.c.state != DeploymentState.DELETED


class Sort(StrEnum):
    """The orders of a list of deployments; a minus puts the last first."""

    CREATED_AT = "created_at"
    CREATED_AT_DOWN = "-created_at"
    UPDATED_AT = "updated_at"
    UPDATED_AT_DOWN = "-updated_at"
    NAME = "name"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentFilter:
    """Which deployments of a project a caller wants; None and empty mean all.

    Deleted ones are listed only where `states` names them.
    """

    project: str
    only_project: str | None = None
    workspace: str | None = None
    name: str | None = None
    model: str | None = None
    target: str | None = None
    created_by: str | None = None
    states: Sequence[DeploymentState] = ()
    operation_states: Sequence[OperationState] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    updated_after: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationFilter:
    """Which operations of a project a caller wants; None and empty mean all."""

    project: str
    deployment_id: str | None = None
    cluster_id: str | None = None
    kinds: Sequence[OperationKind] = ()
    states: Sequence[OperationState] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a page begins: after this row, in this order."""

    sort: Sort
    id: str
    moment: datetime | None = None
    name: str | None = None


def place_of(deployment: Deployment, sort: Sort) -> Place:
    """Return the place of `deployment` in a list in that order."""
    match sort:
        case Sort.CREATED_AT | Sort.CREATED_AT_DOWN:
            return Place(sort=sort, id=deployment.id)
        case Sort.UPDATED_AT | Sort.UPDATED_AT_DOWN:
            return Place(sort=sort, id=deployment.id, moment=deployment.updated_at)
        case Sort.NAME:
            return Place(sort=sort, id=deployment.id, name=deployment.name)


async def deployments(
    connection: Connection,
    wanted: DeploymentFilter,
    *,
    sort: Sort,
    after: Place | None,
    limit: int,
) -> list[tuple[Deployment, Operation]]:
    """Return one page with the latest operations; the same rows never come twice."""
    statement = with_operation(
        select(*DEPLOYMENTS.c).where(*_deployment_conditions(wanted))
    )
    if wanted.operation_states:
        statement = statement.where(OPERATIONS.c.state.in_(wanted.operation_states))
    ordered = _ordered(statement, sort, after).limit(limit)
    return [pair(row) for row in await connection.execute(ordered)]


async def deployment_by_name(
    connection: Connection, *, project: str, workspace: str, name: str
) -> tuple[Deployment, Operation]:
    """Return the living deployment of that name, or raise NotFoundError."""
    statement = with_operation(
        select(*DEPLOYMENTS.c).where(
            DEPLOYMENTS.c.project == project,
            DEPLOYMENTS.c.workspace == workspace,
            DEPLOYMENTS.c.name == name,
            _LIVING,
        )
    )
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no deployment of that name in this workspace.")
    return pair(row)


async def operations(
    connection: Connection, wanted: OperationFilter, *, before: str | None, limit: int
) -> list[Operation]:
    """Return one page of operations, newest first, those before the id `before`."""
    conditions: list[ColumnElement[bool]] = [OPERATIONS.c.project == wanted.project]
    if wanted.deployment_id is not None:
        conditions.append(OPERATIONS.c.deployment_id == wanted.deployment_id)
    if wanted.cluster_id is not None:
        conditions.append(OPERATIONS.c.cluster_id == wanted.cluster_id)
    if wanted.kinds:
        conditions.append(OPERATIONS.c.kind.in_(wanted.kinds))
    if wanted.states:
        conditions.append(OPERATIONS.c.state.in_(wanted.states))
    if before is not None:
        conditions.append(OPERATIONS.c.id < before)
    statement = (
        select(*OPERATIONS.c)
        .where(*conditions)
        .order_by(OPERATIONS.c.id.desc())
        .limit(limit)
    )
    return [codec.operation(row) for row in await connection.execute(statement)]


def _deployment_conditions(wanted: DeploymentFilter) -> list[ColumnElement[bool]]:
    columns = DEPLOYMENTS.c
    equal = {
        columns.project: wanted.only_project,
        columns.workspace: wanted.workspace,
        columns.name: wanted.name,
        columns.target: wanted.target,
        columns.created_by: wanted.created_by,
    }
    conditions: list[ColumnElement[bool]] = [columns.project == wanted.project]
    conditions += [c == value for c, value in equal.items() if value is not None]
    conditions.append(columns.state.in_(wanted.states) if wanted.states else _LIVING)
    if wanted.model is not None:
        conditions.append(_is_model(wanted.model))
    if wanted.tags:
        conditions.append(columns.spec["tags"].contains(dict(wanted.tags)))
    if wanted.created_after is not None:
        conditions.append(columns.created_at > wanted.created_after)
    if wanted.updated_after is not None:
        conditions.append(columns.updated_at > wanted.updated_after)
    return conditions


def _is_model(model: str) -> ColumnElement[bool]:
    """Return the condition that a deployment is of this registered name or URI."""
    columns = DEPLOYMENTS.c
    return or_(
        columns.model["name"].as_string() == model,
        columns.model["uri"].as_string() == model,
        columns.spec["model"]["uri"].as_string() == model,
    )


def _ordered(statement: Select[Any], sort: Sort, after: Place | None) -> Select[Any]:
    columns = DEPLOYMENTS.c
    match sort:
        case Sort.CREATED_AT | Sort.CREATED_AT_DOWN:
            # Ids begin with their millisecond: they sort in the order of creation.
            return _keyset(statement, sort, key=None, after=after)
        case Sort.UPDATED_AT | Sort.UPDATED_AT_DOWN:
            return _keyset(statement, sort, key=columns.updated_at, after=after)
        case Sort.NAME:
            return _keyset(statement, sort, key=columns.name, after=after)


def _keyset(
    statement: Select[Any],
    sort: Sort,
    *,
    key: ColumnElement[Any] | None,
    after: Place | None,
) -> Select[Any]:
    is_down = sort.startswith("-")
    identity = DEPLOYMENTS.c.id
    columns: list[ColumnElement[Any]] = [identity]
    if key is not None:
        columns.insert(0, key)
    if after is not None:
        beyond = identity < after.id if is_down else identity > after.id
        if key is not None:
            value = after.name if sort is Sort.NAME else after.moment
            past = key < value if is_down else key > value
            beyond = or_(past, and_(key == value, beyond))
        statement = statement.where(beyond)
    return statement.order_by(*(c.desc() if is_down else c.asc() for c in columns))
