"""All that a database holds, brought into an empty one of either kind and compared row by row.

The source is read in one snapshot, and the target written, read back and compared in one transaction:
whatever ends it before, the target stays empty. What is of a database and not of its nights begins anew:
nobody leads, and the next leader's term has a larger number than any had in either database; the revisions of
jobs, which count the transactions of one server, are 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Row, String, Table, Text, func, select, text, update
from sqlalchemy.exc import DataError, IntegrityError

from common.errors import ConflictError, InternalError
from coordinator.store.errors import reason_of
from coordinator.store.tables import hosts, jobs, leadership, lives, metadata, runs, trainers

CHUNK = 200
"""So many rows are read at a time: a row may hold a document of a megabyte."""

PASSING = (lives, trainers, hosts, leadership)
"""What coordinators and trainers leave in a database by their start alone, without any night."""

TABLES = tuple(table for table in metadata.sorted_tables if table is not leadership)
"""What is copied, in an order in which each row finds those that it names."""

ANEW: dict[str, dict[str, Any]] = {jobs.name: {jobs.c.revision.name: 0}}
"""Columns that are no part of a night, by table, and what they begin with."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""By every clock: the election goes by the database's, and not by that of whoever copies."""

_EMPTY = "name an empty database, or move what is there away first"

Told = Callable[[int], None]
"""Is called with how many rows more are done; each row is done twice, written and compared."""

Values = dict[str, Any]


def count_rows(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has that is copied."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in TABLES
    }


def refuse_content(connection: Connection, name: str) -> None:
    """Refuse a target in which a night was begun, or anything else was kept.

    Raises
    ------
    ConflictError
        Says what it holds; `name` is the target's.
    """
    refuse_nights(connection, name)
    for table in TABLES:
        if table not in PASSING and connection.execute(select(1).select_from(table).limit(1)).first():
            raise ConflictError(f"{name} is not empty: there are rows in {table.name}", _EMPTY)


def refuse_nights(connection: Connection, name: str) -> None:
    """Refuse a target in which a night was begun, as `refuse_content`; its schema may be an earlier one."""
    nights = connection.execute(select(func.count()).select_from(runs)).scalar_one()
    if nights:
        raise ConflictError(f"{name} holds {nights} {'night' if nights == 1 else 'nights'} already", _EMPTY)


def transfer(source: Connection, target: Connection, told: Told) -> dict[str, int]:
    """Write all rows of `source` to `target`, read them back, and return how many are equal by table.

    Parameters
    ----------
    source, target : Connection
        In transactions; both databases have the present schema, and `refuse_content` lets the target pass.
    told : callable
        How far it is.

    Raises
    ------
    ConflictError
        A row cannot be stored in the target; says which and why.
    InternalError
        What is read back is not what was written.
    """
    for table in reversed(TABLES):
        if table in PASSING:
            target.execute(table.delete())
    for table in TABLES:
        with closing(_chunks(source, table)) as chunks:
            for chunk in chunks:
                _write(target, table, chunk)
                told(len(chunk))
    _lead_by_nobody(source, target)
    if _is_postgres(target):
        _continue_numbers(target)
        # The database sets its own: whoever asks for what has changed since gets all.
        target.execute(update(jobs).values(revision=0))
    return {table.name: _compare(source, target, table, told) for table in TABLES}


def _chunks(connection: Connection, table: Table) -> Generator[list[Values]]:
    """Yield the rows in the order of their keys, which is the same in each kind of database."""
    keys = [
        key.collate("C") if isinstance(key.type, String | Text) and _is_postgres(connection) else key
        for key in table.primary_key.columns
    ]
    query = select(table).order_by(*keys).execution_options(yield_per=CHUNK)
    anew = ANEW.get(table.name, {})
    with connection.execute(query) as result:
        for rows in result.partitions():
            yield [_values(row) | anew for row in rows]


def _values(row: Row[*tuple[Any, ...]]) -> Values:
    return dict(row._mapping)


def _write(target: Connection, table: Table, rows: Sequence[Values]) -> None:
    is_postgres = _is_postgres(target)
    try:
        # SQLite answers a full disk by undoing all, and has no savepoint then to go back to.
        with target.begin_nested() if is_postgres else nullcontext():
            target.execute(table.insert(), rows)
    except (DataError, IntegrityError, OverflowError, UnicodeEncodeError) as error:
        if is_postgres and len(rows) > 1:
            for row in rows:
                _write(target, table, [row])
            return
        named = " to ".join(_key(table, row) for row in rows[:: max(1, len(rows) - 1)])
        problem = f"{table.name} with {named} cannot be stored in {'PostgreSQL' if is_postgres else 'SQLite'}"
        hint = "correct it where it is; nothing was copied"
        raise ConflictError(f"{problem}: {reason_of(error)[:200]}", hint) from error


def _compare(source: Connection, target: Connection, table: Table, told: Told) -> int:
    equal = 0
    with closing(_rows(source, table)) as wanted, closing(_rows(target, table)) as found:
        for row, other in zip_longest(wanted, found):
            if row is None:
                raise InternalError(f"{table.name}: the row with {_key(table, other)} was not there before")
            if other is None or not _is_equal(row, other):
                key = _key(table, row)
                raise InternalError(f"{table.name}: the row with {key} was read back differently")
            equal += 1
            if equal % CHUNK == 0:
                told(CHUNK)
    told(equal % CHUNK)
    return equal


def _rows(connection: Connection, table: Table) -> Generator[Values]:
    with closing(_chunks(connection, table)) as chunks:
        for chunk in chunks:
            yield from chunk


def _is_equal(one: Values, other: Values) -> bool:
    return one == other or all(
        value == other[name] or (_is_nan(value) and _is_nan(other[name])) for name, value in one.items()
    )


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _key(table: Table, row: Values) -> str:
    return ", ".join(f"{column.name} {row[column.name]!r}" for column in table.primary_key.columns)


def _lead_by_nobody(source: Connection, target: Connection) -> None:
    """Let whoever comes first lead, with a number that no leader of either database had."""
    terms = [connection.execute(select(leadership.c.term)).scalar_one() for connection in (source, target)]
    nobody = {"holder": "", "store": "", "instance": "", "expires": _LONG_AGO}
    target.execute(update(leadership).values(term=max(terms), **nobody))


def _continue_numbers(target: Connection) -> None:
    """Let PostgreSQL go on numbering after the largest number; SQLite does so by itself."""
    for table in TABLES:
        column = table.autoincrement_column
        if column is None:
            continue
        # Names of our own schema.
        numbers = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
        largest = f"max({column.name})"
        target.execute(
            text(f"SELECT setval({numbers}, coalesce({largest}, 1), {largest} IS NOT NULL) FROM {table.name}")  # noqa: S608 (of our own schema)
        )


def _is_postgres(connection: Connection) -> bool:
    return connection.dialect.name == "postgresql"
