"""A queue that is read in the order in which it is handed out, and a table of what attempts took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None

IN_ORDER = "run_id, kind, volume, timeframe, rows, ordinal"
QUEUED = {
    "queued_by_volume": (IN_ORDER, "waiting_since IS NOT NULL"),
    "queued_by_wait": ("run_id, waiting_since", "waiting_since IS NOT NULL"),
    "queued_unsurveyed": (IN_ORDER, "waiting_since IS NULL"),
    "queued_by_symbol": ("run_id, symbol", "symbol IS NOT NULL"),
    "queued_wanted": ("run_id, wanted_next", "wanted_next IS NOT NULL"),
    "queued_for_later": ("run_id, not_before", "not_before IS NOT NULL"),
    "queued_after_oom": ("run_id", "oom_room_bytes IS NOT NULL"),
}


def upgrade() -> None:
    """Add the volume to jobs, the indexes of the queue, and the measurements, filled from what there is."""
    op.add_column("jobs", sa.Column("volume", sa.Float(), nullable=False, server_default="0"))
    jobs = sa.table("jobs", sa.column("run_id"), sa.column("symbol"), sa.column("volume"))
    symbols = sa.table("symbols", sa.column("run_id"), sa.column("symbol"), sa.column("quote_volume"))
    runs = sa.table("runs", sa.column("id"), sa.column("state"))
    known = sa.select(symbols.c.quote_volume).where(
        symbols.c.run_id == jobs.c.run_id, symbols.c.symbol == jobs.c.symbol
    )
    running = sa.select(runs.c.id).where(runs.c.state == "running")
    op.execute(sa.update(jobs).where(jobs.c.run_id.in_(running)).values(volume=known.scalar_subquery()))
    for name, (columns, condition) in QUEUED.items():
        op.execute(f"CREATE INDEX {name} ON jobs ({columns}) WHERE state = 'queued' AND {condition}")
    op.create_index("jobs_by_cell", "jobs", ["symbol", "timeframe", "horizon", "id"])
    op.execute("CREATE INDEX parked_symbols ON symbols (run_id) WHERE parked_until IS NOT NULL")
    op.create_table(
        "measurements",
        sa.Column("attempt_id", sa.Integer(), nullable=False),
        sa.Column("timeframe", sa.String(8), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["attempt_id"], ["attempts.id"]),
        sa.PrimaryKeyConstraint("attempt_id"),
    )
    op.execute(
        "INSERT INTO measurements (attempt_id, timeframe, rows, seconds, peak_memory_bytes)"
        " SELECT attempts.id, COALESCE(jobs.timeframe, ''), COALESCE(jobs.rows, 0), attempts.seconds,"
        " attempts.peak_memory_bytes FROM attempts JOIN jobs ON attempts.job_id = jobs.id"
        " WHERE attempts.outcome = 'succeeded' AND COALESCE(attempts.resumed_folds, 0) = 0"
        " AND attempts.seconds IS NOT NULL AND attempts.peak_memory_bytes IS NOT NULL"
    )
