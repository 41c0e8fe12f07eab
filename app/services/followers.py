"""Which webhook follows one deployment, because a request named it."""

from dataclasses import dataclass

from app.core.deployment import Deployment
from app.core.errors import FieldProblem, InvalidError, NotFoundError
from app.core.event import ALL_EVENT_NAMES
from app.core.principal import Principal
from app.core.requests import OneOffWebhook, WebhookReference
from app.core.webhook import Webhook, check_patterns, parse_secret
from app.services.context import Context
from app.storage import deployments, webhooks
from app.storage.database import Transaction
from app.storage.deployments import DeploymentValues
from app.storage.webhooks import StoredSecret, WebhookValues

_POINTER = "/webhook"


@dataclass(frozen=True, kw_only=True, slots=True)
class Following:
    """What a request says about its webhook; `wanted` None means that none follows.

    A request that says nothing has no Following at all: then things stay as they are.
    """

    wanted: WebhookReference | OneOffWebhook | None
    principal: Principal

    @property
    def one_off(self) -> OneOffWebhook | None:
        """Return the request's own URL, if it gave one."""
        return self.wanted if isinstance(self.wanted, OneOffWebhook) else None


def check(wanted: WebhookReference | OneOffWebhook | None) -> None:
    """Raise InvalidError unless patterns and secret of a one-off webhook are right."""
    if isinstance(wanted, OneOffWebhook):
        check_patterns(wanted.events, ALL_EVENT_NAMES, pointer=f"{_POINTER}/events")
        parse_secret(wanted.secret, pointer=f"{_POINTER}/secret")


async def registered(tx: Transaction, following: Following | None) -> str | None:
    """Return the id of the registered webhook that the request named, if it did.

    Raises InvalidError unless it is one of the caller's project.
    """
    if following is None or not isinstance(following.wanted, WebhookReference):
        return None
    pointer = f"{_POINTER}/id"
    try:
        webhook = await webhooks.get(
            tx, following.wanted.id, project=following.principal.project
        )
    except NotFoundError as error:
        raise _unknown(pointer) from error
    if webhook.deployment_id is not None:
        raise _unknown(pointer)
    return webhook.id


async def follow_new(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    following: Following | None,
) -> bool:
    """Follow a new `deployment` with the request's own URL; False if it gave none."""
    if following is None or following.one_off is None:
        return False
    await _create(
        context, tx, deployment, following.one_off, principal=following.principal
    )
    return True


async def set_one_off(
    context: Context, tx: Transaction, deployment: Deployment, following: Following
) -> None:
    """Make the request's own URL, or none, the one-off webhook of `deployment`.

    One that stays the same keeps its row, and with it its deliveries.
    """
    standing = await webhooks.one_off(tx, deployment.id)
    wanted = following.one_off
    if standing is not None:
        webhook, fingerprint = standing
        if wanted is not None and _is_same(context, webhook, fingerprint, wanted):
            return
        now = context.clock.now()
        await webhooks.change(tx, webhook.id, WebhookValues(deleted_at=now), at=now)
    if wanted is not None:
        await _create(context, tx, deployment, wanted, principal=following.principal)


async def apply(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    following: Following | None,
) -> Deployment:
    """Follow as asked where nothing else of the deployment changes."""
    if following is None:
        return deployment
    await set_one_off(context, tx, deployment, following)
    webhook_id = await registered(tx, following)
    if webhook_id == deployment.webhook_id:
        return deployment
    return await deployments.change(
        tx,
        deployment.id,
        DeploymentValues(webhook_id=webhook_id),
        events=0,
        at=context.clock.now(),
    )


def _is_same(
    context: Context, webhook: Webhook, fingerprint: str, wanted: OneOffWebhook
) -> bool:
    return (
        webhook.enabled
        and webhook.url == wanted.url
        and webhook.events == wanted.events
        and fingerprint in context.cipher.fingerprints(wanted.secret)
    )


async def _create(
    context: Context,
    tx: Transaction,
    deployment: Deployment,
    wanted: OneOffWebhook,
    *,
    principal: Principal,
) -> None:
    now = context.clock.now()
    webhook = Webhook(
        id=context.ids.new("wh"),
        project=deployment.project,
        name=deployment.name,
        url=wanted.url,
        events=wanted.events,
        deployment_id=deployment.id,
        created_by=principal.name,
        created_at=now,
        updated_at=now,
    )
    await webhooks.create(tx, webhook, seal(context, webhook.id, wanted.secret))


def seal(context: Context, webhook_id: str, secret: str) -> StoredSecret:
    """Return `secret` as it is stored: encrypted for this webhook alone."""
    return StoredSecret(
        token=context.cipher.encrypt(f"webhook:{webhook_id}:secret", secret.encode()),
        fingerprint=context.cipher.fingerprint(secret),
    )


def unseal(context: Context, webhook_id: str, token: bytes) -> str:
    """Return the secret that `seal` encrypted for this very webhook."""
    return context.cipher.decrypt(f"webhook:{webhook_id}:secret", token).decode()


def _unknown(pointer: str) -> InvalidError:
    problem = FieldProblem(
        pointer=pointer,
        code="unknown_webhook",
        detail="no registered webhook of this project",
    )
    return InvalidError(
        "The webhook that is to follow the deployment does not exist.",
        remedy="Register it with POST /v1/webhooks, or give a URL and a secret.",
        fields=[problem],
    )
