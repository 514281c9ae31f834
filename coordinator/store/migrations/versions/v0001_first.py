"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from coordinator.store.tables import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CAUSES = "'error', 'crash', 'timeout', 'oom', 'data', 'stopped', 'night_closed', 'cancelled'"
REFUSAL = "the history of promotions is only ever appended to"


def upgrade() -> None:
    """Make all tables, and let the database itself refuse to rewrite the history of promotions."""
    op.create_table(
        "blobs",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored", Instant(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name="blob_sha256"),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("created", Instant(), nullable=False),
        sa.Column("decided", Instant(), nullable=True),
        sa.Column("finished", Instant(), nullable=True),
        sa.Column("results_path", sa.Text(), nullable=False),
        sa.CheckConstraint("(state = 'running') = (finished IS NULL)", name="run_finished"),
        sa.CheckConstraint("state IN ('running', 'done', 'cancelled')", name="run_state"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "one_running_run",
        "runs",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_table(
        "trainers",
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("limit_kind", sa.String(length=16), nullable=False),
        sa.Column("memory_limit_bytes", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("registered", Instant(), nullable=False),
        sa.Column("last_seen", Instant(), nullable=False),
        sa.Column("superseded", Instant(), nullable=True),
        sa.Column("memory_total_bytes", sa.BigInteger(), nullable=False),
        sa.Column("memory_available_bytes", sa.BigInteger(), nullable=False),
        sa.Column("cpu_ratio", sa.Float(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("limit_kind IN ('cgroup', 'agent')", name="trainer_limit_kind"),
        sa.PrimaryKeyConstraint("boot_id"),
    )
    op.create_index(
        "one_process_a_trainer",
        "trainers",
        ["name"],
        unique=True,
        sqlite_where=sa.text("superseded IS NULL"),
        postgresql_where=sa.text("superseded IS NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("symbol", sa.String(length=30), nullable=False),
        sa.Column("timeframe", sa.String(length=8), nullable=True),
        sa.Column("horizon", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("waiting_since", Instant(), nullable=True),
        sa.Column("not_before", Instant(), nullable=True),
        sa.Column("oom_room_bytes", sa.BigInteger(), nullable=True),
        sa.Column("created", Instant(), nullable=False),
        sa.Column("started", Instant(), nullable=True),
        sa.Column("finished", Instant(), nullable=True),
        sa.Column("changed", Instant(), nullable=False),
        sa.Column("auc", sa.Float(), nullable=True),
        sa.Column("p_value", sa.Float(), nullable=True),
        sa.Column("promoted", sa.Boolean(), nullable=True),
        sa.Column("spec", sa.Text(), nullable=True),
        sa.Column("scores", sa.Text(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'training') = (timeframe IS NOT NULL AND horizon IS NOT NULL)", name="job_cell"
        ),
        sa.CheckConstraint("(state IN ('queued', 'leased')) = (finished IS NULL)", name="job_finished"),
        sa.CheckConstraint(
            f"cause IS NULL OR cause IN ({CAUSES})",
            name="job_cause",
        ),
        sa.CheckConstraint("kind IN ('survey', 'training')", name="job_kind"),
        sa.CheckConstraint("promoted IS NULL OR state = 'succeeded'", name="job_promoted"),
        sa.CheckConstraint("state != 'failed' OR cause IS NOT NULL", name="job_failure_has_cause"),
        sa.CheckConstraint("state != 'leased' OR spec IS NOT NULL", name="job_leased_has_spec"),
        sa.CheckConstraint(
            "state IN ('queued', 'leased', 'succeeded', 'failed', 'cancelled')", name="job_state"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("jobs_by_change", "jobs", ["run_id", "changed"], unique=False)
    op.create_index("jobs_by_state", "jobs", ["run_id", "state"], unique=False)
    op.create_index(
        "one_survey_a_symbol",
        "jobs",
        ["run_id", "symbol"],
        unique=True,
        sqlite_where=sa.text("kind = 'survey'"),
        postgresql_where=sa.text("kind = 'survey'"),
    )
    op.create_index(
        "one_training_a_cell",
        "jobs",
        ["run_id", "symbol", "timeframe", "horizon"],
        unique=True,
        sqlite_where=sa.text("kind = 'training'"),
        postgresql_where=sa.text("kind = 'training'"),
    )
    op.create_table(
        "symbols",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(length=30), nullable=False),
        sa.Column("quote_volume", sa.Float(), nullable=False),
        sa.Column("failing", sa.Text(), nullable=False),
        sa.Column("parked_until", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.PrimaryKeyConstraint("run_id", "symbol"),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("lease_id", sa.String(length=64), nullable=False),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("trainer", sa.String(length=200), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("memory_limit_bytes", sa.BigInteger(), nullable=False),
        sa.Column("deadline_seconds", sa.Float(), nullable=False),
        sa.Column("started", Instant(), nullable=False),
        sa.Column("renewed", Instant(), nullable=False),
        sa.Column("expires", Instant(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("artifact_sha256", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=True),
        sa.Column("charged", sa.Boolean(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("retry_in_seconds", sa.Float(), nullable=True),
        sa.Column("ended", Instant(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("resumed_folds", sa.Integer(), nullable=True),
        sa.CheckConstraint("(outcome = 'running') = (ended IS NULL)", name="attempt_ended"),
        sa.CheckConstraint(
            "(outcome IN ('running', 'succeeded')) = (cause IS NULL)", name="attempt_failure_has_cause"
        ),
        sa.CheckConstraint(
            f"cause IS NULL OR cause IN ({CAUSES})",
            name="attempt_cause",
        ),
        sa.CheckConstraint(
            "outcome IN ('running', 'succeeded', 'failed', 'released', 'expired', 'cancelled')",
            name="attempt_outcome",
        ),
        sa.ForeignKeyConstraint(
            ["artifact_sha256"],
            ["blobs.sha256"],
        ),
        sa.ForeignKeyConstraint(
            ["boot_id"],
            ["trainers.boot_id"],
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id", "number", name="attempt_number"),
        sa.UniqueConstraint("lease_id"),
    )
    op.create_index(
        "one_live_lease_a_trainer",
        "attempts",
        ["boot_id"],
        unique=True,
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
    op.create_index(
        "one_open_attempt_a_job",
        "attempts",
        ["job_id"],
        unique=True,
        sqlite_where=sa.text("ended IS NULL"),
        postgresql_where=sa.text("ended IS NULL"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("folds", sa.Integer(), nullable=False),
        sa.Column("saved", Instant(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_table(
        "manifests",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("certified", sa.Boolean(), nullable=False),
        sa.Column("comparison", sa.Text(), nullable=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sha256"],
            ["blobs.sha256"],
        ),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("symbol", sa.String(length=30), nullable=False),
        sa.Column("timeframe", sa.String(length=8), nullable=False),
        sa.Column("horizon", sa.Integer(), nullable=False),
        sa.Column("decided", Instant(), nullable=False),
        sa.Column("promoted", sa.Boolean(), nullable=False),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("predecessor", sa.Integer(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.CheckConstraint("promoted = (reasons = '[]')", name="promotion_reasons"),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["predecessor"],
            ["promotions.id"],
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["runs.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sha256"],
            ["blobs.sha256"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("job_id"),
    )
    op.create_index(
        "promotions_by_cell", "promotions", ["symbol", "timeframe", "horizon", "id"], unique=False
    )
    op.create_table(
        "reports",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
        ),
        sa.PrimaryKeyConstraint("job_id"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER promotions_refuse_{verb.lower()} BEFORE {verb} ON promotions "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_promotions_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER promotions_refuse_change BEFORE UPDATE OR DELETE ON promotions "
        "FOR EACH ROW EXECUTE FUNCTION refuse_promotions_change()"
    )
