"""The table of clusters, which operations, events and secrets refer to."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from app.storage.metadata import METADATA, moment, owned

CLUSTERS = Table(
    "clusters",
    METADATA,
    Column("id", Text, primary_key=True),
    *owned(),
    Column("updated_at", moment(), nullable=False, server_default=text("now()")),
    Column("workspace_id", Text, ForeignKey("workspaces.id"), nullable=False),
    Column("workspace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("endpoint_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("spec", JSONB, nullable=False),
    Column("applied_spec", JSONB(none_as_null=True)),
    Column("provisioning_state", Text),
    Column("provisioning_errors", JSONB, nullable=False, server_default=text("'[]'")),
    Column("resource_id", Text),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("latest_operation_id", Text, nullable=False),
    # It names the workspace at Azure and the compute in it, whoever asks.
    Index(
        "uq_clusters_endpoint_living",
        "endpoint_key",
        unique=True,
        postgresql_where=text("state <> 'deleted'"),
    ),
    Index("ix_clusters_workspace_name", "workspace_id", "name"),
)
