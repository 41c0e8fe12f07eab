"""Secrets that callers gave as values: encrypted, and found again by a fingerprint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.tables import SECRETS


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptSecret:
    """One value put away: `field` is the option that it was given for."""

    id: str
    project: str
    deployment_id: str | None = None
    cluster_id: str | None = None
    field: str
    fingerprint: str
    token: bytes
    created_by: str
    created_at: datetime


async def create(tx: AsyncConnection, secrets: Sequence[KeptSecret]) -> None:
    """Insert `secrets`, whose deployment or cluster stands already."""
    columns = KeptSecret.__dataclass_fields__
    await tx.execute(
        insert(SECRETS),
        [{name: getattr(one, name) for name in columns} for one in secrets],
    )


async def known(
    connection: AsyncConnection,
    holder_id: str,
    fingerprints: Mapping[str, Sequence[str]],
) -> Mapping[str, str]:
    """Return by field the ids of values put away before with one of its fingerprints.

    The newest counts, should the same value have been put away twice.
    """
    wanted = [(field, one) for field, found in fingerprints.items() for one in found]
    statement = (
        select(SECRETS.c.field, SECRETS.c.id)
        .where(
            (SECRETS.c.deployment_id == holder_id)
            | (SECRETS.c.cluster_id == holder_id),
            tuple_(SECRETS.c.field, SECRETS.c.fingerprint).in_(wanted),
        )
        .order_by(SECRETS.c.id)
    )
    return {row.field: row.id for row in await connection.execute(statement)}


async def tokens(
    connection: AsyncConnection, ids: Sequence[str]
) -> Mapping[str, bytes]:
    """Return what is kept under `ids`, encrypted; those that are gone are left out."""
    statement = select(SECRETS.c.id, SECRETS.c.token).where(SECRETS.c.id.in_(ids))
    return {row.id: bytes(row.token) for row in await connection.execute(statement)}


async def remove_of_deployment(tx: AsyncConnection, deployment_id: str) -> None:
    """Delete whatever was put away for a deployment."""
    await tx.execute(delete(SECRETS).where(SECRETS.c.deployment_id == deployment_id))


async def remove_of_cluster(tx: AsyncConnection, cluster_id: str) -> None:
    """Delete whatever was put away for a cluster."""
    await tx.execute(delete(SECRETS).where(SECRETS.c.cluster_id == cluster_id))
