"""An index of jobs less: nobody asks for them by when they changed, and each change was written there."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the index; what has changed is found by revision."""
    op.drop_index("jobs_by_change", "jobs")
