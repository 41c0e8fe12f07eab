"""How Alembic reaches the database; only `app.storage.migrations` runs it."""

from alembic import context
from sqlalchemy import create_engine, pool
from sqlalchemy.dialects.postgresql.base import ischema_names

from app.storage.column_types import Xid8
from app.storage.webhook_tables import WEBHOOKS

# Reflection must know the type, or each comparison warns of it.
ischema_names["xid8"] = Xid8


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave the engine's own tables out of the comparison."""
    return kind != "table" or not (name or "").startswith("procrastinate_")


def _run() -> None:
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(
            connection=connection,
            # One collection holds them all.
            target_metadata=WEBHOOKS.metadata,
            include_name=_is_ours,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


_run()
