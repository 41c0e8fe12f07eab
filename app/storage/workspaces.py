"""Workspaces in the database."""

from datetime import datetime

from sqlalchemy import bindparam, or_, select, union_all, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from app.core.workspace import Limits, Workspace, WorkspaceIdentity
from app.storage import codec
from app.storage.cluster_tables import CLUSTERS
from app.storage.tables import DEPLOYMENTS, WORKSPACES

_LIVING = WORKSPACES.c.deleted_at.is_(None)

# Built once: each accepted request asks for it.
_HOLD = (
    select(*WORKSPACES.c)
    .where(WORKSPACES.c.name == bindparam("wanted_name"), _LIVING)
    .with_for_update(read=True, key_share=True)
)


async def create(tx: AsyncConnection, workspace: Workspace) -> bool:
    """Insert `workspace`; False if the name is taken."""
    values = {name: getattr(workspace, name) for name in Workspace.__dataclass_fields__}
    statement = (
        insert(WORKSPACES)
        .values(**codec.to_columns(values))
        .on_conflict_do_nothing()
        .returning(WORKSPACES.c.id)
    )
    return (await tx.execute(statement)).first() is not None


async def get(connection: AsyncConnection, name: str) -> Workspace:
    """Return the workspace of that name, or raise NotFoundError."""
    statement = select(*WORKSPACES.c).where(WORKSPACES.c.name == name, _LIVING)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFoundError(f"There is no workspace named {name}.")
    return codec.workspace(row)


async def get_by_id(connection: AsyncConnection, workspace_id: str) -> Workspace:
    """Return the workspace with that id, removed ones too."""
    statement = select(*WORKSPACES.c).where(WORKSPACES.c.id == workspace_id)
    return codec.workspace((await connection.execute(statement)).one())


async def lock(tx: AsyncConnection, name: str) -> Workspace | None:
    """Return the workspace of that name, locked; None if there is none."""
    statement = (
        select(*WORKSPACES.c)
        .where(WORKSPACES.c.name == name, _LIVING)
        .with_for_update()
    )
    row = (await tx.execute(statement)).first()
    return None if row is None else codec.workspace(row)


async def hold(tx: AsyncConnection, name: str) -> Workspace:
    """Return the workspace of that name, or raise NotFoundError.

    Until the transaction ends nobody removes it; others may use and change it.
    """
    row = (await tx.execute(_HOLD, {"wanted_name": name})).first()
    if row is None:
        raise NotFoundError(f"There is no workspace named {name}.")
    return codec.workspace(row)


async def list_all(
    connection: AsyncConnection,
    *,
    project: str | None,
    after: str | None,
    limit: int,
) -> list[Workspace]:
    """Return living workspaces by name, those after `after`.

    With a `project`, only those granted to it.
    """
    statement = (
        select(*WORKSPACES.c).where(_LIVING).order_by(WORKSPACES.c.name).limit(limit)
    )
    if project is not None:
        statement = statement.where(
            or_(
                WORKSPACES.c.projects.is_(None),
                WORKSPACES.c.projects.contains([project]),
            )
        )
    if after is not None:
        statement = statement.where(WORKSPACES.c.name > after)
    return [codec.workspace(row) for row in await connection.execute(statement)]


async def change(
    tx: AsyncConnection,
    workspace_id: str,
    *,
    identity: WorkspaceIdentity,
    limits: Limits,
    projects: tuple[str, ...] | None,
    at: datetime,
) -> Workspace:
    """Write what a PUT may change and return the workspace as it now stands."""
    columns = codec.to_columns({"identity": identity, "limits": limits})
    statement = (
        update(WORKSPACES)
        .where(WORKSPACES.c.id == workspace_id)
        .values(**columns, projects=projects, updated_at=at)
        .returning(*WORKSPACES.c)
    )
    return codec.workspace((await tx.execute(statement)).one())


async def remove(tx: AsyncConnection, workspace_id: str, *, at: datetime) -> None:
    """Free the name; the row stays, because old deployments name it."""
    await tx.execute(
        update(WORKSPACES).where(WORKSPACES.c.id == workspace_id).values(deleted_at=at)
    )


async def was_used(connection: AsyncConnection, workspace_id: str) -> bool:
    """Say whether any deployment or cluster was ever accepted in the workspace."""
    statement = union_all(
        select(DEPLOYMENTS.c.id).where(DEPLOYMENTS.c.workspace_id == workspace_id),
        select(CLUSTERS.c.id).where(CLUSTERS.c.workspace_id == workspace_id),
    ).limit(1)
    return (await connection.execute(statement)).first() is not None
