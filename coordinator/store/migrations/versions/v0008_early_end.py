"""Nights that operators end before all is done, and jobs that they want to be next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the early end to runs, and the wish to be next to jobs."""
    for column in (
        sa.Column("ended_early", Instant(), nullable=True),
        sa.Column("ended_early_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("ended_early_reason", sa.Text(), nullable=False, server_default=""),
    ):
        op.add_column("runs", column)
    op.add_column("jobs", sa.Column("wanted_next", Instant(), nullable=True))
