"""The three ways to change a deployment, whichever route they come by."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Protocol

from fastapi import Response
from pydantic import TypeAdapter

from app.api.answers import JSON
from app.api.changing import Change
from app.api.patching import read_patch, touches_model, touches_webhook
from app.core.model_uri import is_moving, parse_model_uri
from app.core.requests import PutDeployment
from app.core.target import ResolvedModel
from app.services import removal
from app.services.changes import Accepted
from app.services.context import Context
from app.services.deployments import Wish, check, pin, revise
from app.services.planning import ChangeOptions
from app.services.preconditions import check_preconditions
from app.services.previews import Preflight, preflight
from app.storage import deployments
from app.storage.database import Transaction
from app.storage.idempotency import IdempotencyKey

AtAzure = Literal["keep"]

_REMOVAL = TypeAdapter(removal.Removal)


class UseCase(Protocol):
    """What `put` and `create` of `app.services.deployments` have in common."""

    async def __call__(
        self, context: Context, tx: Transaction, wish: Wish, *, options: ChangeOptions
    ) -> Accepted:
        """Make `wish` so within `tx`."""
        ...


async def wish(
    change: Change,
    wanted: Wish,
    request: PutDeployment,
    use_case: UseCase,
    *,
    key: IdempotencyKey | None = None,
) -> Response:
    """Check `request`, pin a moving URI, and let `use_case` make it so."""
    context = change.parts.context
    await check(context, request, resolver=change.parts.resolver)
    found, pinned = await _look(change, wanted, is_pinned_anew=True)
    options = replace(change.options(request), pinned=pinned)

    async def action(tx: Transaction) -> Accepted:
        return await use_case(context, tx, wanted, options=options)

    return await change.run(action, key=key, found=found)


async def _look(
    change: Change, wanted: Wish, *, is_pinned_anew: bool
) -> tuple[Preflight | None, ResolvedModel | None]:
    """Return a worker's preflight if only that was asked, and what a moving URI names.

    Outside of any transaction: both wait for a worker.
    """
    context, uri = change.parts.context, wanted.spec.model.uri
    if change.manner.validate_only:
        found = await preflight(
            context,
            wanted.workspace,
            wanted.name,
            spec=wanted.spec,
            principal=change.principal,
        )
        moves = is_pinned_anew and is_moving(parse_model_uri(uri))
        return found, found.model if moves else None
    if not is_pinned_anew:
        return None, None
    return None, await pin(context, wanted.workspace, uri, principal=change.principal)


async def patch(
    change: Change, deployment_id: str, merge_patch: Mapping[str, Any]
) -> Response:
    """Merge `merge_patch` into the spec that stands, and make that wanted."""
    context, project = change.parts.context, change.principal.project
    async with context.database.reading() as connection:
        standing, _ = await deployments.get(connection, deployment_id, project=project)
    request = read_patch(standing, merge_patch)
    await check(context, request, resolver=change.parts.resolver)
    wanted = Wish(workspace=standing.workspace, name=standing.name, spec=request.spec())
    found, pinned = await _look(
        change, wanted, is_pinned_anew=touches_model(merge_patch)
    )

    async def action(tx: Transaction) -> Accepted:
        locked = await deployments.lock(tx, deployment_id, project=project)
        # Somebody may have changed it since: the patch is of what stands now.
        latest = read_patch(locked, merge_patch)
        options = replace(change.options(latest), pinned=pinned)
        if not touches_webhook(merge_patch):
            options = replace(options, following=None)
        return await revise(context, tx, locked, latest.spec(), options=options)

    return await change.run(action, found=found)


async def remove(
    change: Change, deployment_id: str, at_azure: AtAzure | None
) -> Response:
    """Start to delete a deployment, or list what would go and what stays."""
    context, project = change.parts.context, change.principal.project
    keeps = at_azure == "keep"
    if change.manner.validate_only:
        async with context.database.trial() as tx:
            standing = await deployments.lock(tx, deployment_id, project=project)
            check_preconditions(standing, change.options())
            plan = await removal.preview(tx, standing, keep_at_target=keeps)
        return Response(_REMOVAL.dump_json(plan), media_type=JSON)

    async def action(tx: Transaction) -> Accepted:
        standing = await deployments.lock(tx, deployment_id, project=project)
        return await removal.delete(
            context, tx, standing, options=change.options(), keep_at_target=keeps
        )

    return await change.run(action)
