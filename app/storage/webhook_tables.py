"""The tables of webhooks, their deliveries, and every attempt at one.

They refer to most of the others: who imports this module knows all tables.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.storage.metadata import METADATA, moment, owned
from app.storage.tables import DEPLOYMENTS, EVENTS

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("id", Text, primary_key=True),
    *owned(),
    Column("updated_at", moment(), nullable=False, server_default=func.now()),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", ARRAY(Text), nullable=False),
    Column("workspaces", ARRAY(Text)),
    Column("tags", JSONB(none_as_null=True)),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("disabled_reason", Text),
    Column("secret", LargeBinary, nullable=False),
    Column("secret_fingerprint", Text, nullable=False),
    # Set for the one-off webhook of a request: it follows this deployment alone.
    Column("deployment_id", Text, ForeignKey(DEPLOYMENTS.c.id)),
    Column("deleted_at", moment()),
    Index(
        "ix_webhooks_project_living",
        "project",
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("id", Text, primary_key=True),
    *owned(),
    Column("webhook_id", Text, ForeignKey("webhooks.id"), nullable=False),
    Column("event_id", Text, ForeignKey(EVENTS.c.id), nullable=False),
    Column("event_type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", moment()),
    Column("finished_at", moment()),
    UniqueConstraint("webhook_id", "event_id"),
    Index("ix_deliveries_webhook", "webhook_id", "id"),
    Index(
        "ix_deliveries_pending",
        "next_attempt_at",
        postgresql_where=text("state = 'pending'"),
    ),
)

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("delivery_id", Text, ForeignKey("deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *owned(),
    Column("started_at", moment(), nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("response_head", Text),
)
