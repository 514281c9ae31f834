"""Print the schema that the migrations make of an empty SQLite database.

``python -m coordinator.store.migrations.snapshot > coordinator/store/schema.sql`` after each new migration.
"""

from __future__ import annotations

import sys

from sqlalchemy import create_engine

from coordinator.store.database import migrate


def snapshot() -> str:
    """Return the statements that make the same schema at once.

    Raises
    ------
    ValueError
        A migration has put something into a table, which the statements would lack.
    """
    with create_engine("sqlite://").begin() as connection:
        migrate(connection)
        made = connection.exec_driver_sql(
            "SELECT name, type, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY rowid"
        ).all()
        for name in (name for name, kind, _ in made if kind == "table" and name != "alembic_version"):
            if connection.exec_driver_sql(f"SELECT count(*) FROM {name}").scalar():  # noqa: S608
                raise ValueError(f"the migrations put rows into {name}")
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    versioned = f"INSERT INTO alembic_version VALUES ('{version}')"  # noqa: S608
    written = [*(sql for _, _, sql in made), versioned]
    return "".join("\n".join(line.rstrip() for line in one.splitlines()) + ";\n" for one in written)


if __name__ == "__main__":
    sys.stdout.write(snapshot())
