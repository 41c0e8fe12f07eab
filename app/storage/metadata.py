"""What all tables have in common: their collection, and columns that each has."""

from typing import Any

from sqlalchemy import Column, DateTime, MetaData, Text, func

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def owned() -> list[Column[Any]]:
    """Return the columns that say whose a record is, and since when."""
    return [
        Column("project", Text, nullable=False, server_default="default"),
        Column("created_by", Text, nullable=False),
        Column("created_at", moment(), nullable=False, server_default=func.now()),
    ]


def moment() -> DateTime:
    """Return the type of a moment, whatever time zone it was told in."""
    return DateTime(timezone=True)
