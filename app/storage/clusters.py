"""Clusters in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from pydantic import TypeAdapter
from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.cluster import Cluster, ProvisioningError
from app.core.cluster_spec import AnyClusterSpec, ClusterSpec
from app.core.deployment import Operation
from app.core.errors import FencedError, NotFoundError
from app.core.lifecycle import (
    CLUSTER_MOVES,
    ClusterState,
    DeploymentState,
    check_cluster_move,
)
from app.storage import codec, secrets
from app.storage.cluster_tables import CLUSTERS
from app.storage.tables import DEPLOYMENTS, OPERATIONS

_LIVING = CLUSTERS.c.state != ClusterState.DELETED
_SPEC: TypeAdapter[ClusterSpec | None] = TypeAdapter(ClusterSpec | None)
_JSON_FIELDS: Mapping[str, TypeAdapter[Any]] = {
    "spec": _SPEC,
    "applied_spec": _SPEC,
    "provisioning_errors": TypeAdapter(tuple[ProvisioningError, ...]),
}
_CLUSTER = TypeAdapter(Cluster)
_OPERATION_LABELS = {
    name: f"operation_{name}" for name in Operation.__dataclass_fields__
}


class ClusterValues(TypedDict, total=False):
    """The columns of a cluster that may change, each optional."""

    state: ClusterState
    spec: AnyClusterSpec
    applied_spec: AnyClusterSpec | None
    provisioning_state: str | None
    provisioning_errors: tuple[ProvisioningError, ...]
    resource_id: str | None
    latest_operation_id: str


async def create(tx: AsyncConnection, cluster: Cluster) -> bool:
    """Insert `cluster`; False if one lives at the same place at Azure.

    A concurrent create of the same one waits for the first to end.
    """
    values = {name: getattr(cluster, name) for name in Cluster.__dataclass_fields__}
    statement = (
        insert(CLUSTERS)
        .values(**_to_columns(values))
        .on_conflict_do_nothing()
        .returning(CLUSTERS.c.id)
    )
    return (await tx.execute(statement)).first() is not None


async def change(
    tx: AsyncConnection,
    cluster_id: str,
    values: ClusterValues,
    *,
    events: int,
    at: datetime,
) -> Cluster:
    """Write `values`, raise the version by one and the sequence by `events`.

    Takes the row's lock until the transaction ends, which makes the order of
    sequence numbers the order of commits. Raises IllegalMoveError if the state
    cannot become the one in `values`, and NotFoundError if there is no such row.
    """
    statement = (
        update(CLUSTERS)
        .where(CLUSTERS.c.id == cluster_id)
        .values(
            **_to_columns(dict(values)),
            version=CLUSTERS.c.version + 1,
            sequence=CLUSTERS.c.sequence + events,
            updated_at=at,
        )
        .returning(*CLUSTERS.c)
    )
    if "state" in values:
        new = values["state"]
        allowed = [new, *(old for old, moves in CLUSTER_MOVES.items() if new in moves)]
        statement = statement.where(CLUSTERS.c.state.in_(allowed))
    row = (await tx.execute(statement)).first()
    if row is not None:
        if values.get("state") is ClusterState.DELETED:
            await secrets.remove_of_cluster(tx, cluster_id)
        return _cluster(row)
    standing = await lock(tx, cluster_id)
    check_cluster_move(standing.state, values["state"])
    raise FencedError("The cluster changed at the same time.")


async def lock(tx: AsyncConnection, cluster_id: str) -> Cluster:
    """Return a cluster with its row locked until the transaction ends."""
    statement = select(*CLUSTERS.c).where(CLUSTERS.c.id == cluster_id).with_for_update()
    row = (await tx.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no such cluster.")
    return _cluster(row)


async def lock_by_name(
    tx: AsyncConnection, *, project: str, workspace_id: str, name: str
) -> Cluster | None:
    """Return the project's living cluster of that name, locked; None if none."""
    statement = (
        select(*CLUSTERS.c)
        .where(*_named(project, workspace_id, name))
        .with_for_update()
    )
    row = (await tx.execute(statement)).first()
    return None if row is None else _cluster(row)


async def at_endpoint(connection: AsyncConnection, endpoint_key: str) -> Cluster | None:
    """Return the living cluster at that place at Azure, of whichever project."""
    statement = select(*CLUSTERS.c).where(
        CLUSTERS.c.endpoint_key == endpoint_key, _LIVING
    )
    row = (await connection.execute(statement)).first()
    return None if row is None else _cluster(row)


async def get(
    connection: AsyncConnection, cluster_id: str, *, project: str | None
) -> tuple[Cluster, Operation]:
    """Return a cluster, deleted ones too, with its latest operation."""
    statement = _with_operation(select(*CLUSTERS.c).where(CLUSTERS.c.id == cluster_id))
    row = (await connection.execute(statement)).first()
    if row is None or project not in {None, row.project}:
        raise NotFoundError("There is no such cluster in this project.")
    return _pair(row)


async def get_by_name(
    connection: AsyncConnection, *, project: str, workspace_id: str, name: str
) -> tuple[Cluster, Operation]:
    """Return the project's living cluster of that name, or raise NotFoundError."""
    statement = _with_operation(
        select(*CLUSTERS.c).where(*_named(project, workspace_id, name))
    )
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFoundError(
            "There is no cluster of that name in this workspace that Slipway keeps."
        )
    return _pair(row)


async def list_of_workspace(
    connection: AsyncConnection, *, project: str, workspace_id: str
) -> list[tuple[Cluster, Operation]]:
    """Return the project's living clusters of a workspace, by name."""
    statement = _with_operation(
        select(*CLUSTERS.c)
        .where(
            CLUSTERS.c.project == project,
            CLUSTERS.c.workspace_id == workspace_id,
            _LIVING,
        )
        .order_by(CLUSTERS.c.name)
    )
    return [_pair(row) for row in await connection.execute(statement)]


async def living_in_workspace(
    connection: AsyncConnection, workspace_id: str, *, limit: int
) -> Sequence[str]:
    """Return up to `limit` names of clusters that still need the workspace."""
    statement = (
        select(CLUSTERS.c.name)
        .where(CLUSTERS.c.workspace_id == workspace_id, _LIVING)
        .order_by(CLUSTERS.c.name)
        .limit(limit)
    )
    return (await connection.execute(statement)).scalars().all()


async def deployments_on(
    connection: AsyncConnection, *, arm_id: str, name: str, limit: int
) -> list[tuple[str, str]]:
    """Return up to `limit` ids, with their projects, of what is deployed on a compute.

    Of every project and every workspace that is the same one at Azure.
    """
    compute = DEPLOYMENTS.c.spec["target"]["compute_target_name"].as_string()
    statement = (
        select(DEPLOYMENTS.c.id, DEPLOYMENTS.c.project)
        .where(
            DEPLOYMENTS.c.target == "aks",
            DEPLOYMENTS.c.state != DeploymentState.DELETED,
            DEPLOYMENTS.c.endpoint_key.startswith(f"{arm_id}/", autoescape=True),
            func.lower(compute) == name.lower(),
        )
        .order_by(DEPLOYMENTS.c.id)
        .limit(limit)
    )
    return [(row.id, row.project) for row in await connection.execute(statement)]


def _named(project: str, workspace_id: str, name: str) -> tuple[Any, ...]:
    # Azure tells no two computes apart by the case of their letters.
    return (
        CLUSTERS.c.project == project,
        CLUSTERS.c.workspace_id == workspace_id,
        func.lower(CLUSTERS.c.name) == name.lower(),
        _LIVING,
    )


def _to_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _JSON_FIELDS[name].dump_python(value, mode="json")
        if name in _JSON_FIELDS
        else value
        for name, value in values.items()
    }


def _with_operation(statement: Select[Any]) -> Select[Any]:
    joined = statement.join(
        OPERATIONS, OPERATIONS.c.id == CLUSTERS.c.latest_operation_id
    )
    return joined.add_columns(
        *(OPERATIONS.c[name].label(label) for name, label in _OPERATION_LABELS.items())
    )


def _pair(row: Row[Any]) -> tuple[Cluster, Operation]:
    mapping = row._mapping  # noqa: SLF001  # SQLAlchemy's documented public name
    return _cluster(row), codec.operation_from(
        {name: mapping[label] for name, label in _OPERATION_LABELS.items()}
    )


def _cluster(row: Row[Any]) -> Cluster:
    mapping = row._mapping  # noqa: SLF001  # SQLAlchemy's documented public name
    return _CLUSTER.validate_python(
        {name: mapping[name] for name in Cluster.__dataclass_fields__}
    )
