"""The keys and tokens of endpoints that ask their callers for one."""

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from app.api import examples, shapes
from app.api.answers import JSON
from app.api.changing import CurrentKeyChange
from app.api.deps import CurrentContext, KeyHolder
from app.api.documents import refused, shown
from app.api.idempotency import OptionalKey
from app.api.route import GuardedRoute
from app.core.deployment import Operation
from app.core.errors import (
    AuthDisabledError,
    IdempotencyKeyReusedError,
    NotFoundError,
    NotServingError,
    TimedOutError,
    UpstreamError,
)
from app.core.target import KeyName
from app.services import endpoint_keys as use_cases
from app.storage import deployments
from app.storage.database import Transaction

router = APIRouter(route_class=GuardedRoute, tags=["scoring"])

_PATH = "/v1/deployments/{deployment_id}"
_NO_STORE = {"Cache-Control": "no-store"}
_ERRORS = (
    NotFoundError,
    AuthDisabledError,
    NotServingError,
    UpstreamError,
    TimedOutError,
)


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class KeysView:
    """Both keys of an endpoint; either is sent as `Authorization: Bearer <key>`."""

    primary: str
    secondary: str


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class TokenView:
    """A token for an endpoint, sent as `Authorization: Bearer <token>`."""

    token: str
    expires_at: datetime
    refresh_after: datetime | None


_KEYS = TypeAdapter(KeysView)
_TOKEN = TypeAdapter(TokenView)


@router.get(
    f"{_PATH}/keys",
    summary="Show the endpoint's keys",
    responses=shown(
        200, "Both keys; stored nowhere.", {"keys": examples.keys()}, model=KeysView
    )
    | refused(*_ERRORS),
)
async def show_keys(
    deployment_id: str, context: CurrentContext, caller: KeyHolder
) -> Response:
    """Ask Azure for the keys of what serves; needs the scope `keys`."""
    found = await use_cases.keys(context, deployment_id, principal=caller)
    view = KeysView(primary=found.primary, secondary=found.secondary)
    return Response(_KEYS.dump_json(view), media_type=JSON, headers=_NO_STORE)


@router.post(
    f"{_PATH}/token",
    summary="Get a token for the endpoint",
    responses=shown(
        200, "A token; stored nowhere.", {"token": examples.token()}, model=TokenView
    )
    | refused(*_ERRORS),
)
async def get_token(
    deployment_id: str, context: CurrentContext, caller: KeyHolder
) -> Response:
    """Ask Azure for a token for what serves; needs the scope `keys`."""
    found = await use_cases.token(context, deployment_id, principal=caller)
    view = TokenView(
        token=found.value,
        expires_at=found.expires_at,
        refresh_after=found.refresh_after,
    )
    return Response(_TOKEN.dump_json(view), media_type=JSON, headers=_NO_STORE)


@router.post(
    f"{_PATH}/keys/{{key}}/regenerate",
    status_code=202,
    summary="Replace one of the endpoint's keys",
    responses=shapes.operation_accepted()
    | refused(
        *shapes.CHANGE_ERRORS,
        AuthDisabledError,
        NotServingError,
        IdempotencyKeyReusedError,
    ),
)
async def regenerate_key(
    deployment_id: str,
    key: KeyName,
    change: CurrentKeyChange,
    idempotency_key: OptionalKey,
) -> Response:
    """Start to replace a key by one that Azure makes; needs the scope `keys`.

    The other key goes on to work. Ask for the keys once the operation has succeeded.
    """
    context = change.parts.context

    async def action(tx: Transaction) -> Operation:
        standing = await deployments.lock(
            tx, deployment_id, project=change.principal.project
        )
        accepted = await use_cases.regenerate(
            context, tx, standing, key, options=change.options()
        )
        return accepted.operation

    return await change.run_on_operation(action, key=idempotency_key)
