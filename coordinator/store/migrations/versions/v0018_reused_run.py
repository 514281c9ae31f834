"""Of which night a result was reused, and why another was not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; the job that a result was reused from says of which run it is."""
    op.add_column("jobs", sa.Column("reused_run", sa.Integer()))
    op.add_column("jobs", sa.Column("again", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE jobs SET reused_run ="
        " (SELECT former.run_id FROM jobs AS former WHERE former.id = jobs.reused_from)"
        " WHERE reused_from IS NOT NULL"
    )
