"""Idempotency keys: the first answer, written with what it guards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.tables import IDEMPOTENCY_KEYS

# Built once: each accepted request runs both.
_CLAIM = (
    insert(IDEMPOTENCY_KEYS).on_conflict_do_nothing().returning(IDEMPOTENCY_KEYS.c.key)
)
_ANSWER = update(IDEMPOTENCY_KEYS).where(
    IDEMPOTENCY_KEYS.c.project == bindparam("of_project"),
    IDEMPOTENCY_KEYS.c.created_by == bindparam("of_principal"),
    IDEMPOTENCY_KEYS.c.key == bindparam("of_key"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class IdempotencyKey:
    """A caller's key for one request; `fingerprint` tells its method, path, body."""

    project: str
    principal: str
    key: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAnswer:
    """The first answer to a key; `secret` is encrypted and None once forgotten."""

    fingerprint: str
    created_at: datetime
    status: int
    headers: Mapping[str, str]
    body: Any
    secret: bytes | None


async def claim(tx: AsyncConnection, key: IdempotencyKey) -> StoredAnswer | None:
    """Take the key for this transaction, or return the answer that it already got.

    A concurrent twin waits on the unique index until the first one has committed,
    and then finds its answer.
    """
    inserted = await tx.execute(
        _CLAIM,
        {
            "project": key.project,
            "created_by": key.principal,
            "key": key.key,
            "fingerprint": key.fingerprint,
        },
    )
    if inserted.first() is not None:
        return None
    row = (await tx.execute(select(*IDEMPOTENCY_KEYS.c).where(_is(key)))).one()
    return StoredAnswer(
        fingerprint=row.fingerprint,
        created_at=row.created_at,
        status=row.status,
        headers=row.headers,
        body=row.answer,
        secret=row.secret,
    )


async def answer(
    tx: AsyncConnection,
    key: IdempotencyKey,
    *,
    status: int,
    headers: Mapping[str, str],
    body: Any,  # noqa: ANN401
    secret: bytes | None = None,
) -> None:
    """Store the answer of a claimed key, in the transaction that claimed it."""
    await tx.execute(
        _ANSWER,
        {
            "of_project": key.project,
            "of_principal": key.principal,
            "of_key": key.key,
            "status": status,
            "headers": dict(headers),
            "answer": body,
            "secret": secret,
        },
    )


async def prune(
    tx: AsyncConnection, *, keys_before: datetime, secrets_before: datetime
) -> None:
    """Forget keys older than the first moment and secrets older than the second."""
    created_at = IDEMPOTENCY_KEYS.c.created_at
    await tx.execute(delete(IDEMPOTENCY_KEYS).where(created_at < keys_before))
    await tx.execute(
        update(IDEMPOTENCY_KEYS)
        .where(created_at < secrets_before, IDEMPOTENCY_KEYS.c.secret.is_not(None))
        .values(secret=None)
    )


def _is(key: IdempotencyKey) -> Any:  # noqa: ANN401
    return (
        (IDEMPOTENCY_KEYS.c.project == key.project)
        & (IDEMPOTENCY_KEYS.c.created_by == key.principal)
        & (IDEMPOTENCY_KEYS.c.key == key.key)
    )
