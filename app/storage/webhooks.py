"""Webhooks in the database; their secrets are stored encrypted and apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.errors import NotFoundError
from app.core.webhook import Webhook
from app.storage import codec
from app.storage.webhook_tables import WEBHOOKS

_LIVING = WEBHOOKS.c.deleted_at.is_(None)

# Built once: asked with every event.
_LISTENING = select(*WEBHOOKS.c).where(
    WEBHOOKS.c.project == bindparam("of_project"),
    WEBHOOKS.c.deployment_id.is_(None)
    | (WEBHOOKS.c.deployment_id == bindparam("of_deployment")),
    WEBHOOKS.c.enabled,
    _LIVING,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredSecret:
    """A secret as it is kept: encrypted, and a fingerprint to tell it apart."""

    token: bytes
    fingerprint: str


class WebhookValues(TypedDict, total=False):
    """The columns of a webhook that may change, each optional."""

    name: str
    url: str
    events: Sequence[str]
    workspaces: Sequence[str] | None
    tags: Mapping[str, str] | None
    enabled: bool
    disabled_reason: str | None
    deleted_at: datetime


async def create(tx: AsyncConnection, webhook: Webhook, secret: StoredSecret) -> None:
    """Insert `webhook` with its encrypted secret."""
    values = {name: getattr(webhook, name) for name in Webhook.__dataclass_fields__}
    values |= {
        "events": list(webhook.events),
        "workspaces": None if webhook.workspaces is None else list(webhook.workspaces),
        "secret": secret.token,
        "secret_fingerprint": secret.fingerprint,
    }
    await tx.execute(insert(WEBHOOKS).values(**values))


async def get(
    connection: AsyncConnection, webhook_id: str, *, project: str | None
) -> Webhook:
    """Return one living webhook, or raise NotFoundError; None sees all projects."""
    statement = select(*WEBHOOKS.c).where(WEBHOOKS.c.id == webhook_id, _LIVING)
    if project is not None:
        statement = statement.where(WEBHOOKS.c.project == project)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no such webhook in this project.")
    return codec.webhook(row)


async def list_of(
    connection: AsyncConnection,
    *,
    project: str,
    deployment_id: str | None,
    after: str | None,
    limit: int,
) -> list[Webhook]:
    """Return the project's webhooks by id, those after `after`.

    The registered ones, or with a `deployment_id` its one-off webhook.
    """
    statement = (
        select(*WEBHOOKS.c)
        .where(
            WEBHOOKS.c.project == project,
            _LIVING,
            # None is compared as IS NULL: a registered one has no deployment.
            WEBHOOKS.c.deployment_id == deployment_id,
        )
        .order_by(WEBHOOKS.c.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(WEBHOOKS.c.id > after)
    return [codec.webhook(row) for row in await connection.execute(statement)]


async def listening(
    tx: AsyncConnection, *, project: str, deployment_id: str | None
) -> list[Webhook]:
    """Return the enabled webhooks that may want an event of this deployment."""
    rows = await tx.execute(
        _LISTENING, {"of_project": project, "of_deployment": deployment_id}
    )
    return [codec.webhook(row) for row in rows]


async def one_off(
    tx: AsyncConnection, deployment_id: str
) -> tuple[Webhook, str] | None:
    """Return the deployment's own webhook and its secret's fingerprint, if any."""
    statement = select(*WEBHOOKS.c).where(
        WEBHOOKS.c.deployment_id == deployment_id, _LIVING
    )
    row = (await tx.execute(statement)).first()
    return None if row is None else (codec.webhook(row), row.secret_fingerprint)


async def change(
    tx: AsyncConnection, webhook_id: str, values: WebhookValues, *, at: datetime
) -> Webhook:
    """Write `values` and return the webhook as it now stands."""
    statement = (
        update(WEBHOOKS)
        .where(WEBHOOKS.c.id == webhook_id, _LIVING)
        .values(**values, updated_at=at)
        .returning(*WEBHOOKS.c)
    )
    row = (await tx.execute(statement)).first()
    if row is None:
        raise NotFoundError("There is no such webhook.")
    return codec.webhook(row)
