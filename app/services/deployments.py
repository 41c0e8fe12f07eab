"""A whole request about a deployment: checked, pinned, then done in one transaction."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from app.core.aci_options import AciOptions
from app.core.aks_options import AksOptions
from app.core.deployment import Deployment
from app.core.errors import (
    FieldProblem,
    InvalidError,
    NameTakenError,
    NotFoundError,
    NotSupportedError,
    PreconditionError,
)
from app.core.model_uri import is_moving, parse_model_uri
from app.core.principal import Principal
from app.core.requests import OneOffWebhook, PutDeployment
from app.core.secret import secrets_of
from app.core.specs import DeploymentSpec, LocalOptions, is_safe_tag_key
from app.core.target import ResolvedModel
from app.core.workspace import Workspace
from app.services import changes, followers, queries
from app.services.changes import Accepted
from app.services.context import Context
from app.services.planning import ChangeOptions
from app.storage import deployments, workspaces
from app.storage.database import Connection, Transaction
from app.webhooks.addresses import Resolver, ensure_reachable_address


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A deployment asked for by name, and whether it must, or must not, stand yet."""

    workspace: str
    name: str
    spec: DeploymentSpec
    must_exist: bool = False
    must_be_new: bool = False


_PINNED: TypeAdapter[ResolvedModel | None] = TypeAdapter(ResolvedModel | None)


async def granted(
    connection: Connection, name: str, *, principal: Principal
) -> Workspace:
    """Return a workspace that the caller may use; NotFoundError for any other.

    In a transaction its name stays taken until the end: nobody removes it meanwhile.
    """
    workspace = await workspaces.hold(connection, name)
    if not workspace.is_granted_to(principal.project):
        raise NotFoundError(f"There is no workspace named {name}.")
    return workspace


async def check(
    context: Context, request: PutDeployment, *, resolver: Resolver
) -> None:
    """Raise InvalidError for whatever can be known to be wrong without a worker."""
    parse_model_uri(request.model.uri)
    _check_tags(request)
    _check_options(request)
    followers.check(request.webhook)
    if isinstance(request.webhook, OneOffWebhook):
        await ensure_reachable_address(
            request.webhook.url,
            context.address_policy,
            resolver=resolver,
            pointer="/webhook/url",
        )


async def pin(
    context: Context, workspace: str, uri: str, *, principal: Principal
) -> ResolvedModel | None:
    """Return what a moving URI names just now; None for one that never moves."""
    if not is_moving(parse_model_uri(uri)):
        return None
    async with context.database.reading() as connection:
        await granted(connection, workspace, principal=principal)
    answer = await queries.ask(
        context, "resolve", {"workspace": workspace, "uri": uri}, principal=principal
    )
    return _PINNED.validate_python(answer)


async def create(
    context: Context, tx: Transaction, wish: Wish, *, options: ChangeOptions
) -> Accepted:
    """Create the deployment, or raise NameTakenError with a link to the living one."""
    workspace = await granted(tx, wish.workspace, principal=options.principal)
    _check_enabled(context, wish.spec)
    return await changes.create(
        context, tx, workspace, wish.name, spec=wish.spec, options=options
    )


async def put(
    context: Context, tx: Transaction, wish: Wish, *, options: ChangeOptions
) -> Accepted:
    """Make the deployment of that name be as wished: created, changed or left alone.

    Two concurrent creations end as one: the second finds what the first one made.
    """
    workspace = await granted(tx, wish.workspace, principal=options.principal)
    standing = await _lock(tx, workspace, wish.name, options)
    if standing is None:
        if wish.must_exist:
            raise PreconditionError("There is no deployment that could match.")
        try:
            return await create(context, tx, wish, options=options)
        except NameTakenError:
            standing = await _lock(tx, workspace, wish.name, options)
            if standing is None:
                raise
    if wish.must_be_new:
        raise PreconditionError(
            "A deployment of this name lives in this workspace.",
            links={"deployment": f"{context.base_url}/v1/deployments/{standing.id}"},
        )
    return await revise(context, tx, standing, wish.spec, options=options)


async def revise(
    context: Context,
    tx: Transaction,
    standing: Deployment,
    spec: DeploymentSpec,
    *,
    options: ChangeOptions,
) -> Accepted:
    """Make `spec` what is wanted of a locked deployment; its kind of target stays."""
    _check_enabled(context, spec)
    if spec.target.kind != standing.spec.target.kind:
        raise NotSupportedError(
            "A deployment's kind of target is fixed.",
            remedy="Create another deployment on the other kind of target.",
        )
    return await changes.revise(context, tx, standing, spec, options=options)


async def _lock(
    tx: Transaction, workspace: Workspace, name: str, options: ChangeOptions
) -> Deployment | None:
    return await deployments.lock_by_name(
        tx,
        project=options.principal.project,
        workspace_id=workspace.id,
        name=name,
    )


def _check_enabled(context: Context, spec: DeploymentSpec) -> None:
    match spec.target:
        case LocalOptions() if not context.local_enabled:
            raise NotSupportedError(
                "The target local is switched off in this installation.",
                remedy="Use another target, or ask for SLIPWAY_LOCAL_ENABLED.",
            )
        case LocalOptions() | AciOptions() | AksOptions():
            return


def _check_options(request: PutDeployment) -> None:
    problems = [
        dataclasses.replace(found, pointer=f"/target{found.pointer}")
        for found in request.target.problems()
    ]
    for name, secret in secrets_of(request.target).items():
        problems.extend(secret.problems(f"/target/{name}"))
    if problems:
        raise InvalidError("Some options do not go together.", fields=problems)


def _check_tags(request: PutDeployment) -> None:
    named: Iterable[tuple[str, Mapping[str, str]]] = (
        ("/tags", request.tags),
        ("/properties", request.properties),
        ("/model/tags", request.model.tags),
    )
    problems = [
        FieldProblem(
            pointer=f"{pointer}/{_escaped(key)}",
            code="reserved_tag",
            detail="`slipway.` begins Slipway's own marks",
        )
        for pointer, tags in named
        for key in tags
        if not is_safe_tag_key(key)
    ]
    if problems:
        raise InvalidError("A tag's key is reserved.", fields=problems)


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
