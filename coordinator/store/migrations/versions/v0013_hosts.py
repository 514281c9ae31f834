"""How many trainers of a host may work at once, and what they say of its load."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the hosts with their limits, and the load to trainers."""
    op.create_table(
        "hosts",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("trainers", sa.Integer(), nullable=False),
        sa.Column("changed", Instant(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("looked", Instant(), nullable=False),
        sa.Column("enough", sa.Float(), nullable=True),
        sa.Column("idle_cores", sa.Float(), nullable=True),
        sa.Column("cut", Instant(), nullable=True),
        sa.Column("raised", sa.Boolean(), nullable=False),
        sa.Column("rest", sa.Float(), nullable=False),
        sa.CheckConstraint("trainers >= 1", name="host_trainers"),
    )
    op.add_column("trainers", sa.Column("load", sa.Text(), nullable=True))
    op.add_column("trainers", sa.Column("load_seen", Instant(), nullable=True))
