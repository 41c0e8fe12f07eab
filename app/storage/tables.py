"""The tables, as Alembic compares them with the database.

Every record names its `project` and who made it (`created_by`). Rows never leave
this package: the other modules turn them into the core's snapshots.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
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

from app.storage.cluster_tables import CLUSTERS
from app.storage.column_types import Xid8
from app.storage.metadata import METADATA, moment, owned

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
    *owned(),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("expires_at", moment()),
    Column("revoked_at", moment()),
)

WORKSPACES = Table(
    "workspaces",
    METADATA,
    Column("id", Text, primary_key=True),
    *owned(),
    Column("updated_at", moment(), nullable=False, server_default=func.now()),
    Column("name", Text, nullable=False),
    Column("identity", JSONB, nullable=False),
    Column("limits", JSONB, nullable=False),
    Column("projects", ARRAY(Text)),
    Column("deleted_at", moment()),
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
    *owned(),
    Column("updated_at", moment(), nullable=False, server_default=func.now()),
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
    *owned(),
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
    *owned(),
    # Acceptance order within a deployment; ids of two API processes may tie.
    Column("position", BigInteger, Identity(always=True), nullable=False),
    # What it changes: a deployment or a cluster.
    Column("deployment_id", Text, ForeignKey("deployments.id")),
    Column("cluster_id", Text, ForeignKey(CLUSTERS.c.id)),
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
    Column("cancel_requested_at", moment()),
    Column("deadline_at", moment(), nullable=False),
    Column("admitted_at", moment()),
    Column("started_at", moment()),
    Column("finished_at", moment()),
    Column("request_id", Text),
    CheckConstraint("num_nonnulls(deployment_id, cluster_id) = 1", name="one_subject"),
    Index("ix_operations_deployment", "deployment_id", "position"),
    # Only those of clusters, so that no deployment pays for it.
    Index(
        "ix_operations_cluster",
        "cluster_id",
        "position",
        postgresql_where=text("cluster_id IS NOT NULL"),
    ),
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
    *owned(),
    # The stream over all is ordered by (xid, position): see DESIGN section 4.
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("position", BigInteger, Identity(always=True), nullable=False),
    Column("deployment_id", Text),
    Column("cluster_id", Text),
    Column("workspace", Text),
    Column("sequence", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    UniqueConstraint("deployment_id", "sequence"),
    Index(
        "uq_events_cluster_sequence",
        "cluster_id",
        "sequence",
        unique=True,
        postgresql_where=text("cluster_id IS NOT NULL"),
    ),
    Index("ix_events_stream", "xid", "position"),
)

IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    METADATA,
    Column("project", Text, primary_key=True),
    Column("created_by", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("created_at", moment(), nullable=False, server_default=func.now()),
    Column("fingerprint", Text, nullable=False),
    Column("status", Integer),
    Column("headers", JSONB(none_as_null=True)),
    Column("answer", JSONB(none_as_null=True)),
    # Encrypted: a webhook's secret, shown again for 24 hours only.
    Column("secret", LargeBinary),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

SECRETS = Table(
    "secrets",
    METADATA,
    Column("id", Text, primary_key=True),
    *owned(),
    Column("deployment_id", Text, ForeignKey("deployments.id")),
    Column("cluster_id", Text, ForeignKey(CLUSTERS.c.id)),
    # The option that it was given for, and a keyed hash of the value.
    Column("field", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("token", LargeBinary, nullable=False),
    CheckConstraint("num_nonnulls(deployment_id, cluster_id) = 1", name="one_holder"),
    Index("ix_secrets_deployment_id", "deployment_id", "field"),
    Index("ix_secrets_cluster_id", "cluster_id", "field"),
)

QUERIES = Table(
    "queries",
    METADATA,
    Column("id", Text, primary_key=True),
    *owned(),
    Column("kind", Text, nullable=False),
    Column("question", LargeBinary, nullable=False),
    Column("answer", LargeBinary),
)
