"""Clusters, and operations, events and secrets of theirs beside the deployments'."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clusters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), server_default="default", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        *(
            sa.Column(
                name,
                sa.DateTime(timezone=True),
                server_default=sa.text("now()"),
                nullable=False,
            )
            for name in ("created_at", "updated_at")
        ),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("workspace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("endpoint_key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("spec", postgresql.JSONB(), nullable=False),
        sa.Column("applied_spec", postgresql.JSONB()),
        sa.Column("provisioning_state", sa.Text()),
        sa.Column(
            "provisioning_errors",
            postgresql.JSONB(),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("resource_id", sa.Text()),
        sa.Column(
            "version", sa.BigInteger(), server_default=sa.text("1"), nullable=False
        ),
        sa.Column(
            "sequence", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("latest_operation_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_clusters_workspace_id_workspaces"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clusters")),
    )
    op.create_index(
        "uq_clusters_endpoint_living",
        "clusters",
        ["endpoint_key"],
        unique=True,
        postgresql_where=sa.text("state <> 'deleted'"),
    )
    op.create_index("ix_clusters_workspace_name", "clusters", ["workspace_id", "name"])
    _share("operations", subject="one_subject")
    op.create_index(
        "ix_operations_cluster",
        "operations",
        ["cluster_id", "position"],
        postgresql_where=sa.text("cluster_id IS NOT NULL"),
    )
    _share("secrets", subject="one_holder")
    op.create_index("ix_secrets_cluster_id", "secrets", ["cluster_id", "field"])
    op.add_column("events", sa.Column("cluster_id", sa.Text()))
    op.create_index(
        "uq_events_cluster_sequence",
        "events",
        ["cluster_id", "sequence"],
        unique=True,
        postgresql_where=sa.text("cluster_id IS NOT NULL"),
    )
    # A release that knows nothing of clusters writes no such rows: it still works.
    op.execute(
        """
        CREATE OR REPLACE FUNCTION slipway_notify_event() RETURNS trigger
        LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_notify(
                'slipway_events', coalesce(NEW.deployment_id, NEW.cluster_id, '')
            );
            RETURN NULL;
        END
        $$
        """
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go below the table of clusters.")


def _share(table: str, *, subject: str) -> None:
    """Let rows of `table` belong to a cluster instead of a deployment."""
    op.alter_column(table, "deployment_id", nullable=True)
    op.add_column(table, sa.Column("cluster_id", sa.Text()))
    op.create_foreign_key(
        op.f(f"fk_{table}_cluster_id_clusters"),
        table,
        "clusters",
        ["cluster_id"],
        ["id"],
    )
    op.create_check_constraint(
        op.f(f"ck_{table}_{subject}"),
        table,
        "num_nonnulls(deployment_id, cluster_id) = 1",
    )
