"""The first answer again, for whoever sends the same request twice."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from app.core.errors import IdempotencyKeyReusedError
from app.services.context import Context
from app.storage import idempotency
from app.storage.database import Transaction
from app.storage.idempotency import IdempotencyKey, StoredAnswer

# API.md: a replayed webhook creation shows its secret for 24 hours, later omits it.
SECRET_SHOWN_FOR = timedelta(hours=24)
KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer to a caller; `secret_fields` are kept encrypted, and not for long."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_fields: Mapping[str, str] = field(default_factory=dict)
    is_replayed: bool = False


Action = Callable[[Transaction], Awaitable[Answer]]


async def guarded(
    context: Context, key: IdempotencyKey | None, action: Action
) -> Answer:
    """Run `action` in one transaction, once per `key`; later calls get its answer.

    A concurrent twin waits for the first and then replays it. Nothing is stored if
    the action raises. Raises IdempotencyKeyReusedError for another request.
    """
    async with context.database.transaction() as tx:
        if key is None:
            return await action(tx)
        claimed = replace(key, fingerprint=_fingerprints(context, key)[0])
        stored = await idempotency.claim(tx, claimed)
        if stored is not None:
            return _replay(context, key, stored)
        answer = await action(tx)
        secret = (
            context.cipher.encrypt(_purpose(key), _dump(answer.secret_fields))
            if answer.secret_fields
            else None
        )
        await idempotency.answer(
            tx,
            key,
            status=answer.status,
            headers=answer.headers,
            body=dict(answer.body),
            secret=secret,
        )
        return answer


def prune_before(now: datetime) -> tuple[datetime, datetime]:
    """Return the moments before which keys, and their secrets, are forgotten."""
    return now - KEPT_FOR, now - SECRET_SHOWN_FOR


def _replay(context: Context, key: IdempotencyKey, stored: StoredAnswer) -> Answer:
    if stored.fingerprint not in _fingerprints(context, key):
        raise IdempotencyKeyReusedError(
            "This Idempotency-Key came with another method, path or body before."
        )
    secret: Mapping[str, str] = {}
    age = context.clock.now() - stored.created_at
    if stored.secret is not None and age < SECRET_SHOWN_FOR:
        secret = json.loads(context.cipher.decrypt(_purpose(key), stored.secret))
    return Answer(
        status=stored.status,
        body=stored.body,
        headers=stored.headers,
        secret_fields=secret,
        is_replayed=True,
    )


def _fingerprints(context: Context, key: IdempotencyKey) -> list[str]:
    """Return what may be stored of a request, the newest form first.

    A body may hold a weak secret, which a plain hash would let somebody guess. That is
    what releases before stored, and what is last here.
    """
    keyed = context.cipher.secret_fingerprints(_purpose(key), key.fingerprint)
    return [*keyed, key.fingerprint]


def _purpose(key: IdempotencyKey) -> str:
    return f"idempotency:{key.project}:{key.principal}:{key.key}"


def _dump(fields: Mapping[str, str]) -> bytes:
    return json.dumps(dict(fields)).encode()
