"""Each change of a job gives it a new revision: what was read before is brought up to date by few rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add revisions, and let the database itself count them: no statement can forget to."""
    op.add_column("jobs", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("jobs_by_revision", "jobs", ["run_id", "revision"])
    op.create_index("attempts_by_outcome", "attempts", ["boot_id", "outcome"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER jobs_revise AFTER UPDATE ON jobs WHEN NEW.revision = OLD.revision BEGIN "
            "UPDATE jobs SET revision = 1 + (SELECT max(revision) FROM jobs WHERE run_id = NEW.run_id) "
            "WHERE id = NEW.id; END"
        )
        return
    op.execute(
        "CREATE FUNCTION revise_job() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.revision := pg_current_xact_id()::text::bigint; RETURN NEW; END $$"
    )
    op.execute("CREATE TRIGGER jobs_revise BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION revise_job()")
