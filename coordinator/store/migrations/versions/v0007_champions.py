"""The changes of champions with their reasons, and what each night found out about those that stood."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

REFUSAL = "the history of champions is only appended to"
TABLES = ("champion_changes", "champion_tests")

KEPT = """
INSERT INTO champion_changes
    (time, symbol, timeframe, horizon, action, job_id, former_job_id, run_id, by, reason)
SELECT p.decided, p.symbol, p.timeframe, p.horizon,
    CASE WHEN f.job_id IS NULL THEN 'promoted' ELSE 'replaced' END,
    p.job_id, f.job_id, p.run_id, '', 'it met every condition of its night, which kept no figures of it'
FROM promotions p LEFT JOIN promotions f ON f.id = p.predecessor
WHERE p.promoted ORDER BY p.id
"""


def upgrade() -> None:
    """Make the tables, and take over the champions that there are."""
    op.create_table(
        "champion_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("time", Instant(), nullable=False),
        sa.Column("symbol", sa.String(30), nullable=False),
        sa.Column("timeframe", sa.String(8), nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("former_job_id", sa.Integer(), nullable=True),
        sa.Column("run_id", sa.Integer(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"]),
        sa.ForeignKeyConstraint(["former_job_id"], ["jobs.id"]),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sa.CheckConstraint(
            "action IN ('promoted', 'replaced', 'demoted', 'expired')", name="champion_change_action"
        ),
        sa.CheckConstraint(
            "(action IN ('promoted', 'replaced')) = (job_id IS NOT NULL)", name="champion_change_model"
        ),
        sa.CheckConstraint("(action = 'promoted') = (former_job_id IS NULL)", name="champion_change_former"),
        sa.CheckConstraint("reason != ''", name="champion_change_reason"),
    )
    op.create_index("champion_changes_by_cell", "champion_changes", ["symbol", "timeframe", "horizon", "id"])
    op.create_index("champion_changes_by_run", "champion_changes", ["run_id"])
    op.create_table(
        "champion_tests",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(30), nullable=False),
        sa.Column("timeframe", sa.String(8), nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "symbol", "timeframe", "horizon"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"]),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"]),
    )
    op.execute(KEPT)
    _refuse_changes()


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_champion_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_champion_change()"
        )
