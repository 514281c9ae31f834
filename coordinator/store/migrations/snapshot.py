"""Print the schema that the migrations make of an empty SQLite database.

``python -m coordinator.store.migrations.snapshot > coordinator/store/schema.sql`` after each new migration.
"""

from __future__ import annotations

import sys

from sqlalchemy import create_engine

from coordinator.store.database import migrate


def snapshot() -> str:
    """Return the statements that make the same schema at once, with the rows that the migrations make."""
    with create_engine("sqlite://").begin() as connection:
        migrate(connection)
        made = connection.exec_driver_sql(
            "SELECT name, type, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY rowid"
        ).all()
        written = ["\n".join(line.rstrip() for line in sql.splitlines()) for _, _, sql in made]
        for name in (name for name, kind, _ in made if kind == "table"):
            columns = [row[1] for row in connection.exec_driver_sql(f"PRAGMA table_info({name})")]
            quoted = " || ', ' || ".join(f"quote({column})" for column in columns)
            rows = connection.exec_driver_sql(f"SELECT {quoted} FROM {name}").scalars()  # noqa: S608 (of our own schema)
            into = f"INSERT INTO {name} ({', '.join(columns)}) VALUES"
            written += [f"{into} ({values})" for values in rows]
    return "".join(f"{statement};\n" for statement in written)


if __name__ == "__main__":
    sys.stdout.write(snapshot())
