"""Who uses a database at this moment, told by its engine and not by what was written into it.

SQLite's connections hold a lock of the kernel's on the file, which ends with their process. PostgreSQL knows
its connections, and each coordinator's bear its name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, text

from common.errors import ConflictError
from coordinator.store.database import UPGRADE_LOCK, Database
from coordinator.store.errors import translated

STOP = "stop the coordinator first: nighttrain run, up, or its container"

_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name LIKE 'nighttrain-%' AND application_name != :own"
)


def refuse_open_file(path: Path) -> None:
    """Refuse a SQLite file that another process has open; one that is not there is nobody's.

    Raises
    ------
    ConflictError
        Another process has it open.
    """
    if not path.exists():
        return
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            # What else is wrong with it is told by whoever opens it next.
            if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                problem = f"{path} is in use by another process, such as a coordinator"
                raise ConflictError(problem, STOP) from error


@contextmanager
def alone(database: Database, name: str, *, writes: bool) -> Iterator[Connection]:
    """Open a transaction during which no coordinator uses the database, and none can begin to.

    Without `writes` it sees one state of the database, and changes nothing.

    Raises
    ------
    ConflictError
        A coordinator uses it; `name` is what the database is called.
    """
    with translated():
        if database.is_sqlite:
            # The lock of a writer, for the reader too.
            with database.engine.execution_options(writes=True).begin() as connection:
                yield connection
            return
        with database.engine.connect() as connection:
            try:
                connection.execution_options(isolation_level="AUTOCOMMIT")
                _refuse_others(connection, database.session, name)
                connection.commit()
                # Begun only now, so that it sees whatever the last coordinator has written.
                connection.execution_options(
                    isolation_level="READ COMMITTED" if writes else "REPEATABLE READ"
                )
                with connection.begin():
                    _stay(connection)
                    yield connection
            finally:
                # The lock ends with it: back in the pool it would keep out whoever gets another one.
                connection.invalidate()


def refuse_users(database: Database, name: str) -> None:
    """Refuse a database that a coordinator uses at this moment, without keeping others from it.

    Raises
    ------
    ConflictError
        A coordinator uses it; `name` is what the database is called.
    """
    if database.is_sqlite:
        return
    with translated(), database.engine.connect() as connection:
        if connection.execute(_OTHERS, {"own": database.session}).scalar_one():
            raise ConflictError(f"{name} is in use by a coordinator", STOP)


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """Open a transaction that sees one state of the database, whoever writes meanwhile."""
    with translated(), database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            _stay(connection)
            yield connection


def _stay(connection: Connection) -> None:
    """Let the transaction wait for the other database as long as that takes."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))


def _refuse_others(connection: Connection, own: str, name: str) -> None:
    # Each coordinator asks for this lock at its start, and waits for it. It ends with the connection.
    free = text("SELECT pg_try_advisory_lock(:key)")
    if not connection.execute(free, {"key": UPGRADE_LOCK}).scalar_one():
        raise ConflictError(f"{name} is in use by a coordinator that is just starting", STOP)
    if connection.execute(_OTHERS, {"own": own}).scalar_one():
        raise ConflictError(f"{name} is in use by a coordinator", STOP)
