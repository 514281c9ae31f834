"""The report of a night, and its digest until it is handed over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the path of the report to runs, and the digests; nights that have ended before have none."""
    op.add_column("runs", sa.Column("report_path", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "digests",
        sa.Column("run_id", sa.Integer(), sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("ended", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.Column("closed", Instant(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
    )
