"""Which of several coordinators does the housekeeping, and which of them are there."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the one row of the leader, which nobody is yet, and where each coordinator keeps its files."""
    leadership = op.create_table(
        "leadership",
        sa.Column("term", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("sole", sa.Boolean(), nullable=False, unique=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("store", sa.String(64), nullable=False),
        sa.Column("instance", sa.String(64), nullable=False),
        sa.Column("expires", Instant(), nullable=False),
        sa.CheckConstraint("sole", name="leadership_sole"),
    )
    never = datetime(1970, 1, 1, tzinfo=UTC)
    nobody = {"term": 0, "sole": True, "holder": "", "store": "", "instance": "", "expires": never}
    op.bulk_insert(leadership, [nobody])
    for name, kind in (("store", sa.String(64)), ("instance", sa.String(64)), ("place", sa.Text())):
        op.add_column("lives", sa.Column(name, kind, nullable=False, server_default=""))
