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
    jobs = sa.table("jobs", *(sa.column(name) for name in ("id", "run_id", "reused_from", "reused_run")))
    former = jobs.alias("former")
    known = sa.select(former.c.run_id).where(former.c.id == jobs.c.reused_from).scalar_subquery()
    op.execute(sa.update(jobs).where(jobs.c.reused_from.is_not(None)).values(reused_run=known))
