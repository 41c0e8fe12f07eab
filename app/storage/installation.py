"""The installation's own id: part of the mark on everything made at a target."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from app.storage.tables import INSTALLATION


async def get_id(connection: AsyncConnection) -> str:
    """Return the id that the first migration made."""
    return str((await connection.execute(select(INSTALLATION.c.id))).scalar_one())


async def renew(tx: AsyncConnection, installation_id: str) -> None:
    """Give a restored copy its own id, so that it owns nothing of the original."""
    await tx.execute(update(INSTALLATION).values(id=installation_id))
