"""The schema of a new SQLite database, in the words in which its migrations have made it once.

To run them one after another, and to import what runs them, would take longer than all else that a start does
in the database. The tests hold both to the same schema.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

SNAPSHOT = Path(__file__).with_name("schema.sql")
"""Written by ``python -m coordinator.store.migrations.snapshot`` after each new migration."""


def statements() -> Iterator[str]:
    """Return what makes the schema and says at which version it is, in order."""
    statement = ""
    for line in SNAPSHOT.read_text(encoding="utf-8").splitlines(keepends=True):
        statement += line
        # A trigger has semicolons within.
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
