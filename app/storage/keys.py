"""API keys in the database: a keyed hash of each, never the key itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.principal import ApiKey, Scope
from app.storage.tables import API_KEYS


async def create(tx: AsyncConnection, key: ApiKey, fingerprint: str) -> None:
    """Insert `key` with the fingerprint by which it will be found."""
    await tx.execute(
        insert(API_KEYS).values(
            id=key.id,
            project=key.project,
            created_by=key.created_by,
            created_at=key.created_at,
            name=key.name,
            scopes=list(key.scopes),
            fingerprint=fingerprint,
            expires_at=key.expires_at,
        )
    )


async def find(
    connection: AsyncConnection, fingerprints: Sequence[str]
) -> ApiKey | None:
    """Return the key with one of these fingerprints, revoked ones too."""
    statement = select(*API_KEYS.c).where(API_KEYS.c.fingerprint.in_(fingerprints))
    row = (await connection.execute(statement)).first()
    return None if row is None else _key(row)


async def list_all(connection: AsyncConnection) -> list[ApiKey]:
    """Return every key, oldest first."""
    statement = select(*API_KEYS.c).order_by(API_KEYS.c.id)
    return [_key(row) for row in await connection.execute(statement)]


async def revoke(tx: AsyncConnection, key_id: str, *, at: datetime) -> bool:
    """Switch a key off for ever; False if it is unknown or was off already."""
    statement = (
        update(API_KEYS)
        .where(API_KEYS.c.id == key_id, API_KEYS.c.revoked_at.is_(None))
        .values(revoked_at=at)
        .returning(API_KEYS.c.id)
    )
    return (await tx.execute(statement)).first() is not None


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        project=row.project,
        name=row.name,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
