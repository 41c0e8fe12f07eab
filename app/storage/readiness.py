"""Whether the database can serve this release, asked cheaply and often."""

import asyncio

from sqlalchemy import text

from app.core.errors import UnavailableError
from app.storage import migrations
from app.storage.database import Database

_IS_MIGRATED = "SELECT to_regclass('alembic_version') IS NOT NULL"
_VERSION = "SELECT version_num FROM alembic_version"


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
            if not (await connection.execute(text(_IS_MIGRATED))).all()[0][0]:
                raise UnavailableError("The database has not been migrated yet.")
            found = (await connection.execute(text(_VERSION))).all()
        if self._wanted is None:
            # It reads files, once.
            self._wanted = await asyncio.to_thread(migrations.newest)
        if [row[0] for row in found] != [self._wanted]:
            raise UnavailableError(
                "The database has another schema than this release needs.",
                remedy="Run `slipway migrate`.",
            )
