"""Attempts may end because the trainer could not write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = "'error', 'crash', 'timeout', 'oom', 'data', 'stopped', 'night_closed', 'cancelled'"
AFTER = "'error', 'crash', 'timeout', 'oom', 'data', 'storage', 'stopped', 'night_closed', 'cancelled'"


def upgrade() -> None:
    """Widen the constraint on an attempt's cause."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
        return
    op.drop_constraint("attempt_cause", "attempts", type_="check")
    op.create_check_constraint("attempt_cause", "attempts", f"cause IS NULL OR cause IN ({AFTER})")


def _rebuild() -> None:
    # SQLite changes no constraint in place; nothing refers to attempts, so the table can be copied.
    connection = op.get_bind()
    made = sa.text("SELECT type, sql FROM sqlite_master WHERE tbl_name = 'attempts' AND sql NOT NULL")
    statements = [(row.type, row.sql) for row in connection.execute(made)]
    (table,) = (sql for kind, sql in statements if kind == "table")
    widened = table.replace(BEFORE, AFTER).replace("TABLE attempts", "TABLE attempts_widened", 1)
    op.execute(widened)
    op.execute("INSERT INTO attempts_widened SELECT * FROM attempts")
    op.execute("DROP TABLE attempts")
    op.execute("ALTER TABLE attempts_widened RENAME TO attempts")
    for kind, sql in statements:
        if kind != "table":
            op.execute(sql)
