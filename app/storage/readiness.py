"""Whether the database can serve this release, asked cheaply and often."""

import asyncio

from sqlalchemy import text

from app.core.errors import UnavailableError
from app.storage import migrations
from app.storage.database import Database


class Readiness:
    """Remembers which schema this release was written for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted: str | None = None

    async def check(self) -> None:
        """Return if the database answers with the right schema.

        Raises UnavailableError otherwise, as long as it lasts.
        """
        async with self._database.reading() as connection:
            exists = text("SELECT to_regclass('alembic_version') IS NOT NULL")
            if not (await connection.execute(exists)).scalar_one():
                raise UnavailableError("The database has not been migrated yet.")
            version = text("SELECT version_num FROM alembic_version")
            found = (await connection.execute(version)).scalar_one_or_none()
        if self._wanted is None:
            # It reads files, once.
            self._wanted = await asyncio.to_thread(migrations.newest)
        if found != self._wanted:
            raise UnavailableError(
                "The database has another schema than this release needs.",
                remedy="Run `slipway migrate`.",
            )
