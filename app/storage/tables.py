"""The tables, as Alembic compares them with the database.

Every record names its `project` and who made it (`created_by`). Rows never leave
this package: the other modules turn them into the core's snapshots.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.storage.column_types import Xid8

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _owned() -> list[Column[Any]]:
    return [
        Column("project", Text, nullable=False, server_default="default"),
        Column("created_by", Text, nullable=False),
        Column("created_at", _time(), nullable=False, server_default=func.now()),
    ]


def _time() -> DateTime:
    return DateTime(timezone=True)


INSTALLATION = Table(
    "installation",
    METADATA,
    # One row for ever: the id changes only when a backup is restored.
    Column("is_it", Boolean, primary_key=True, server_default=text("true")),
    Column("id", Text, nullable=False),
    CheckConstraint("is_it", name="single_row"),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    *_owned(),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("expires_at", _time()),
    Column("revoked_at", _time()),
)

WORKSPACES = Table(
    "workspaces",
    METADATA,
    Column("id", Text, primary_key=True),
    *_owned(),
    Column("updated_at", _time(), nullable=False, server_default=func.now()),
    Column("name", Text, nullable=False),
    Column("identity", JSONB, nullable=False),
    Column("limits", JSONB, nullable=False),
    Column("projects", ARRAY(Text)),
    Column("deleted_at", _time()),
    Index(
        "uq_workspaces_name_living",
        "name",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    ),
)

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("id", Text, primary_key=True),
    *_owned(),
    Column("updated_at", _time(), nullable=False, server_default=func.now()),
    Column("workspace_id", Text, ForeignKey("workspaces.id"), nullable=False),
    Column("workspace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("endpoint_key", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("spec", JSONB, nullable=False),
    Column("conditions", JSONB, nullable=False, server_default=text("'[]'")),
    Column("serving", Boolean),
    Column("wanted_revision", Integer, nullable=False),
    Column("serving_revision", Integer),
    Column("last_revision", Integer, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("scoring_uri", Text),
    Column("swagger_uri", Text),
    Column("model", JSONB(none_as_null=True)),
    Column("traffic", JSONB, nullable=False, server_default=text("'[]'")),
    Column("azure_state", Text),
    Column("latest_operation_id", Text, nullable=False),
    # A registered webhook that a request named: it hears of this deployment.
    Column("webhook_id", Text),
    Index(
        "uq_deployments_name_living",
        "project",
        "workspace_id",
        "name",
        unique=True,
        postgresql_where=text("state <> 'deleted'"),
    ),
    Index(
        "uq_deployments_endpoint_living",
        "endpoint_key",
        unique=True,
        postgresql_where=text("state <> 'deleted'"),
    ),
    Index("ix_deployments_project_id", "project", "id"),
    Index("ix_deployments_project_updated", "project", "updated_at", "id"),
    Index("ix_deployments_tags", text("(spec -> 'tags')"), postgresql_using="gin"),
    Index(
        "ix_deployments_serving",
        "id",
        postgresql_where=text("serving_revision IS NOT NULL AND state <> 'deleted'"),
    ),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("deployment_id", Text, ForeignKey("deployments.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *_owned(),
    Column("spec", JSONB, nullable=False),
    Column("slot", Text, nullable=False),
    Column("model", JSONB(none_as_null=True)),
    Column("handle", JSONB(none_as_null=True)),
    Column("log_tail", JSONB(none_as_null=True)),
)

OPERATIONS = Table(
    "operations",
    METADATA,
    Column("id", Text, primary_key=True),
    *_owned(),
    # Acceptance order within a deployment; ids of two API processes may tie.
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("deployment_id", Text, ForeignKey("deployments.id"), nullable=False),
    Column("workspace_id", Text, ForeignKey("workspaces.id"), nullable=False),
    Column("endpoint_key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("phase", Text),
    Column("epoch", Integer, nullable=False, server_default=text("0")),
    Column("spec_version", Integer, nullable=False),
    Column("revision", Integer),
    Column("previous_revision", Integer),
    Column("keep_at_target", Boolean, nullable=False, server_default=text("false")),
    Column("retry_of", Text),
    Column("error", JSONB(none_as_null=True)),
    Column("checkpoint", JSONB, nullable=False, server_default=text("'{}'")),
    Column("cancel_requested_at", _time()),
    Column("deadline_at", _time(), nullable=False),
    Column("admitted_at", _time()),
    Column("started_at", _time()),
    Column("finished_at", _time()),
    Column("request_id", Text),
    Index("ix_operations_deployment", "deployment_id", "position"),
    Index("ix_operations_project_id", "project", "id"),
    Index(
        "ix_operations_open",
        "workspace_id",
        "position",
        postgresql_where=text("state IN ('queued', 'running')"),
    ),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("id", Text, primary_key=True),
    *_owned(),
    # The stream over all is ordered by (xid, position): see DESIGN section 4.
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("deployment_id", Text),
    Column("workspace", Text),
    Column("sequence", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    UniqueConstraint("deployment_id", "sequence"),
    Index("ix_events_stream", "xid", "position"),
)

WEBHOOKS = Table(
    "webhooks",
    METADATA,
    Column("id", Text, primary_key=True),
    *_owned(),
    Column("updated_at", _time(), nullable=False, server_default=func.now()),
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
    Column("deployment_id", Text, ForeignKey("deployments.id")),
    Column("deleted_at", _time()),
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
    *_owned(),
    Column("webhook_id", Text, ForeignKey("webhooks.id"), nullable=False),
    Column("event_id", Text, ForeignKey("events.id"), nullable=False),
    Column("event_type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", _time()),
    Column("finished_at", _time()),
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
    *_owned(),
    Column("started_at", _time(), nullable=False),
    Column("duration_seconds", Float, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("response_head", Text),
)

IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    METADATA,
    Column("project", Text, primary_key=True),
    Column("created_by", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("created_at", _time(), nullable=False, server_default=func.now()),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer),
    Column("headers", JSONB(none_as_null=True)),
    Column("answer", JSONB(none_as_null=True)),
    # Encrypted: a webhook's secret, shown again for 24 hours only.
    Column("secret", LargeBinary),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

QUERIES = Table(
    "queries",
    METADATA,
    Column("id", Text, primary_key=True),
    *_owned(),
    Column("kind", Text, nullable=False),
    Column("question", LargeBinary, nullable=False),
    Column("answer", LargeBinary),
)
