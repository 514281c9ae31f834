"""Which program trained a cell, and of which earlier job a result was reused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was trained before has no program, and is trained once more."""
    op.add_column("runs", sa.Column("retrain", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("program", sa.String(64), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("reused_from", sa.Integer()))
