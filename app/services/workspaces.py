"""Workspaces: who may deploy where, and where that is."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import IdentityFixedError, InUseError, NotFoundError
from app.core.principal import Principal
from app.core.requests import PutWorkspace
from app.core.workspace import (
    AnyWorkspaceIdentity,
    Limits,
    MlflowWorkspace,
    Workspace,
)
from app.services.context import Context
from app.services.workspace_identity import is_same_place
from app.storage import clusters, deployments, workspaces
from app.storage.database import Transaction

# The workspace that `serve` declares by itself.
LOCAL = "local"
_DECLARED_BY = "slipway"
_LOCAL_OPERATIONS = 4
# More would be a list that nobody reads; the rest is found by GET /v1/deployments.
_MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Stands:
    """A workspace as it stands after a PUT; `is_new` says that this PUT made it."""

    workspace: Workspace
    is_new: bool


async def by_id(context: Context, workspace_id: str) -> Workspace:
    """Return the workspace of that id as it stands now, a removed one too."""
    async with context.database.reading() as connection:
        return await workspaces.get_by_id(connection, workspace_id)


async def put(
    context: Context,
    tx: Transaction,
    name: str,
    *,
    request: PutWorkspace,
    identity: AnyWorkspaceIdentity,
    principal: Principal,
) -> Stands:
    """Make the workspace of that name be as asked.

    Raises IdentityFixedError if another identity was used by any deployment, which
    would then be looked for in a place where it never was.
    """
    now = context.clock.now()
    wanted = Workspace(
        id=context.ids.new("ws"),
        name=name,
        project=principal.project,
        identity=identity,
        limits=request.limits,
        projects=request.projects,
        created_by=principal.name,
        created_at=now,
        updated_at=now,
    )
    standing = await workspaces.lock(tx, name)
    if standing is None and await workspaces.create(tx, wanted):
        return Stands(workspace=wanted, is_new=True)
    # A concurrent PUT of the same name came first: it is committed by now.
    standing = standing or await workspaces.lock(tx, name)
    if standing is None:
        raise NotFoundError(f"There is no workspace named {name} any more.")
    return Stands(workspace=await _change(tx, standing, wanted=wanted), is_new=False)


async def remove(context: Context, tx: Transaction, name: str) -> None:
    """Free the name; raise InUseError, with links, while anything lives there."""
    standing = await workspaces.lock(tx, name)
    if standing is None:
        raise NotFoundError(f"There is no workspace named {name}.")
    living = await deployments.living_in_workspace(
        tx, standing.id, limit=_MOST_NAMED + 1
    )
    if living:
        named = living[:_MOST_NAMED]
        more = " and more" if len(living) > _MOST_NAMED else ""
        raise InUseError(
            f"Deployments that live in the workspace: {len(named)}{more}.",
            links=_links(context, named),
        )
    kept = await clusters.living_in_workspace(tx, standing.id, limit=_MOST_NAMED)
    if kept:
        at = f"{context.base_url}/v1/workspaces/{standing.name}/clusters"
        raise InUseError(
            f"Clusters that live in the workspace: {len(kept)}.",
            remedy="Delete or detach the clusters listed in `links` first.",
            links={one: f"{at}/{one}" for one in kept},
        )
    await workspaces.remove(tx, standing.id, at=context.clock.now())


async def ensure_local(context: Context, directory: Path) -> None:
    """Declare the workspace `local` over a store in `directory`, unless it stands.

    Its artifacts belong into `directory/artifacts`, which is made.
    """
    artifacts = directory / "artifacts"
    await asyncio.to_thread(artifacts.mkdir, parents=True, exist_ok=True)
    now = context.clock.now()
    declared = Workspace(
        id=context.ids.new("ws"),
        name=LOCAL,
        project="default",
        identity=MlflowWorkspace(tracking_uri=f"sqlite:///{directory / 'mlflow.db'}"),
        # Each may load a model on this machine: more at once would only be slower.
        limits=Limits(concurrent_operations=_LOCAL_OPERATIONS),
        projects=None,
        created_by=_DECLARED_BY,
        created_at=now,
        updated_at=now,
    )
    async with context.database.transaction() as tx:
        await workspaces.create(tx, declared)


async def _change(
    tx: Transaction, standing: Workspace, *, wanted: Workspace
) -> Workspace:
    if _is_as_wanted(standing, wanted):
        return standing
    is_elsewhere = not is_same_place(standing.identity, wanted.identity)
    if is_elsewhere and await workspaces.was_used(tx, standing.id):
        raise IdentityFixedError(
            f"Deployments were made in workspace {standing.name} as it is."
        )
    return await workspaces.change(
        tx,
        standing.id,
        identity=wanted.identity,
        limits=wanted.limits,
        projects=wanted.projects,
        at=wanted.updated_at,
    )


def _is_as_wanted(standing: Workspace, wanted: Workspace) -> bool:
    return (standing.identity, standing.limits, standing.projects) == (
        wanted.identity,
        wanted.limits,
        wanted.projects,
    )


def _links(context: Context, ids: Sequence[str]) -> dict[str, str]:
    return {one: f"{context.base_url}/v1/deployments/{one}" for one in ids}
