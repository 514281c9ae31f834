"""The jobs of a symbol by an index of their own: a survey looked through all jobs of its run for them."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Have one index of the jobs of a symbol in any state, in place of that of its queued jobs."""
    op.create_index("jobs_by_symbol", "jobs", ["run_id", "symbol", "state"])
    op.drop_index("queued_by_symbol", "jobs")
