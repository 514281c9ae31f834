"""What trainers report about the disks where their jobs write; those of before count as ones that can."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the disk to each trainer."""
    for column in (
        sa.Column("disk_folder", sa.Text(), nullable=False, server_default=""),
        sa.Column("disk_free_bytes", sa.BigInteger(), nullable=True),
        sa.Column("disk_problem", sa.Text(), nullable=False, server_default=""),
        sa.Column("blocked_since", Instant(), nullable=True),
        sa.Column("paused_until", Instant(), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=False, server_default=""),
    ):
        op.add_column("trainers", column)
