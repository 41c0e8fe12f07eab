"""An endpoint's keys and tokens: shown to who may see them, and stored nowhere."""

import dataclasses

from pydantic import TypeAdapter

from app.core.authentication import Authentication, authentication_of
from app.core.deployment import Deployment, Operation, Revision
from app.core.errors import AuthDisabledError, NotServingError, StateConflictError
from app.core.event import DeploymentAccepted
from app.core.lifecycle import OperationKind
from app.core.principal import Principal
from app.core.secret import secrets_of
from app.core.specs import AnyTargetOptions
from app.core.target import KeyName, ScoringKeys, ScoringToken
from app.services import admission, queries
from app.services.changes import Accepted
from app.services.context import Context
from app.services.events import record
from app.services.planning import ChangeOptions, new_operation
from app.services.preconditions import check_alive, check_preconditions, make_way
from app.storage import deployments, operations, revisions
from app.storage.database import Connection, Transaction
from app.storage.deployments import DeploymentValues

# The entry of an operation's checkpoint that names the key to be replaced.
KEY = "key"

_KEYS = TypeAdapter(ScoringKeys)
_TOKEN = TypeAdapter(ScoringToken)


async def keys(
    context: Context, deployment_id: str, *, principal: Principal
) -> ScoringKeys:
    """Return both keys of what serves.

    Raises AuthDisabledError if it asks for none, NotServingError if nothing serves.
    """
    question = await _question(
        context, deployment_id, Authentication.KEY, principal=principal
    )
    answer = await queries.ask(context, "keys", question, principal=principal)
    return _KEYS.validate_python(answer)


async def token(
    context: Context, deployment_id: str, *, principal: Principal
) -> ScoringToken:
    """Return a token for what serves; raises as `keys` does."""
    question = await _question(
        context, deployment_id, Authentication.TOKEN, principal=principal
    )
    answer = await queries.ask(context, "token", question, principal=principal)
    return _TOKEN.validate_python(answer)


async def regenerate(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    name: KeyName,
    *,
    options: ChangeOptions,
    retry_of: str | None = None,
) -> Accepted:
    """Start to replace one key of a locked `deployment` by one that Azure makes.

    Raises StateConflictError for a key that the spec itself gives: it would not be
    what the spec says any more.
    """
    check_preconditions(deployment, options)
    check_alive(deployment)
    serving = await _serving(tx, deployment, Authentication.KEY)
    if f"{name}_key" in secrets_of(serving.spec.target):
        raise StateConflictError(
            f"The {name} key is one that the deployment's own spec gives.",
            remedy=f"Send another value as target.{name}_key, or leave the field out "
            "first.",
        )
    await make_way(context, tx, deployment, options)
    operation = dataclasses.replace(
        new_operation(
            context,
            deployment,
            kind=OperationKind.REGENERATE,
            revision=None,
            options=options,
        ),
        checkpoint={KEY: name.value},
        retry_of=retry_of,
    )
    await operations.create(tx, operation)
    changed = await record(
        context,
        tx,
        deployment.id,
        values=DeploymentValues(latest_operation_id=operation.id),
        operation=operation,
        happened=[DeploymentAccepted(detail=f"the {name} key is to be replaced")],
    )
    await admission.admit(context, tx, operation)
    return Accepted(deployment=changed, operation=operation)


async def regenerate_again(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    ended: Operation,
    *,
    options: ChangeOptions,
) -> Accepted:
    """Start again what `ended` was to do to a locked `deployment`."""
    name = KeyName(ended.checkpoint[KEY])
    return await regenerate(
        context, tx, deployment, name, options=options, retry_of=ended.id
    )


async def _question(
    context: Context,
    deployment_id: str,
    wanted: Authentication,
    *,
    principal: Principal,
) -> dict[str, str | int]:
    async with context.database.reading() as connection:
        found, _ = await deployments.get(
            connection, deployment_id, project=principal.project
        )
        serving = await _serving(connection, found, wanted)
    return {"deployment_id": found.id, "revision": serving.number}


async def _serving(
    connection: Connection, deployment: Deployment, wanted: Authentication
) -> Revision:
    """Return the revision that serves, if it asks its callers for what is wanted."""
    number = deployment.serving_revision
    if number is None:
        _check(deployment, deployment.spec.target, wanted)
        raise NotServingError("No revision of this deployment serves.")
    serving = await revisions.get(connection, deployment.id, number)
    _check(deployment, serving.spec.target, wanted)
    return serving


def _check(
    deployment: Deployment, options: AnyTargetOptions, wanted: Authentication
) -> None:
    actual = authentication_of(options)
    if actual is wanted:
        return
    if actual is Authentication.NONE:
        raise AuthDisabledError(
            f"This endpoint of the target {deployment.spec.target.kind} has none."
        )
    raise AuthDisabledError(
        f"This endpoint asks its callers for a {actual}, not for a {wanted}.",
        remedy=f"Ask for its {actual} instead.",
    )
