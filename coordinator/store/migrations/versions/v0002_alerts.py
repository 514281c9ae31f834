"""Alerts, what a refused model missed, and the attempts of one trainer found by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of alerts, and add a column and an index."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("runbook", sa.Text(), nullable=False),
        sa.Column("starts", Instant(), nullable=False),
        sa.Column("ends", Instant(), nullable=True),
        sa.Column("received", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint", "starts", name="alert_start"),
    )
    op.create_index(
        "one_firing_alert",
        "alerts",
        ["fingerprint"],
        unique=True,
        sqlite_where=sa.text("ends IS NULL"),
        postgresql_where=sa.text("ends IS NULL"),
    )
    op.create_index("alerts_by_end", "alerts", ["ends"], unique=False)
    op.create_index("attempts_by_trainer", "attempts", ["boot_id", "id"], unique=False)
    op.add_column("jobs", sa.Column("refused_by", sa.Text(), nullable=False, server_default="[]"))
