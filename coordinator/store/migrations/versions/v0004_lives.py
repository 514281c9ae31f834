"""The processes of the coordinator, so that each can tell how long nobody was there before it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of the coordinator's lives."""
    op.create_table(
        "lives",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("began", Instant(), nullable=False),
        sa.Column("seen", Instant(), nullable=False),
        sa.Column("stopped", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
