"""Statements that are asked for every job that is handed out or taken back.

SQLAlchemy looks up what a statement was compiled to anew each time, and wraps its parameters and its result
several times over, which takes five times as long as SQLite needs for its answer. Here both are worked out
once, from SQLAlchemy's own compiler and types, and the driver is asked at once. PostgreSQL, which answers
over a network and keeps prepared statements by itself, is asked through SQLAlchemy as everywhere else.

A value that an index of a part is made of, such as the state of a job, is best written out in such a
statement: where a parameter is compared with it, SQLite plans the statement anew whenever the parameter's
value is set, which takes up to twenty times as long as the answer.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

_DIALECT = sqlite.dialect(paramstyle="named")
_NOTHING: Mapping[str, Any] = {}

Processor = Callable[[Any], Any]


@dataclass(frozen=True)
class Prepared:
    """A statement whose values are parameters.

    Parameters
    ----------
    statement : Executable
        A query that is not written as text, or a change whose columns are those of its parameters. Defaults
        of columns that Python would fill in are not known here. One with a list, whose text depends on the
        list's length, is asked through SQLAlchemy.
    """

    statement: Executable
    _known: dict[tuple[str, ...], _Compiled | None] = field(default_factory=dict, compare=False, repr=False)

    def on(self, connection: Connection, values: Mapping[str, Any] = _NOTHING) -> Answer:
        """Ask it; a transaction begins with it, if there is none and the engine begins them.

        Raises
        ------
        sqlalchemy.exc.DBAPIError, sqlalchemy.exc.InvalidRequestError
            As by `Connection.execute`: the database refuses, or a parameter has no value. What a column
            cannot store raises what its type does, such as a `ValueError`.
        """
        if connection.dialect.name != "sqlite":
            return Answer.of(connection.execute(self.statement, dict(values)))
        names = tuple(values)
        if names not in self._known:
            self._known[names] = _Compiled.of(self.statement, names)
        compiled = self._known[names]
        if compiled is None:
            return Answer.of(connection.execute(self.statement, dict(values)))
        if not connection.in_transaction():
            connection.begin()
        return compiled.ask(connection, values)


class Answer:
    """All rows of an answer, and how many rows a change has met. The methods are those of SQLAlchemy's."""

    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    @classmethod
    def of(cls, result: CursorResult[Any]) -> Answer:
        """Fetch what SQLAlchemy was answered."""
        return cls(list(result.all()) if result.returns_rows else [], result.rowcount)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows."""
        return iter(self._rows)

    def all(self) -> list[Any]:
        """Return the rows."""
        return self._rows

    def first(self) -> Any:
        """Return the first row, None if there is none."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """Return the only row; anything else is a defect."""
        [row] = self._rows
        return row

    def scalar(self) -> Any:
        """Return the first value of the first row, None if there is none."""
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        """Return the first value of the only row."""
        return self.one()[0]

    def scalars(self) -> Iterator[Any]:
        """Iterate over the first values of the rows."""
        return (row[0] for row in self._rows)


@dataclass(frozen=True)
class _Compiled:
    """The text of a statement for SQLite; what turns values into what it stores, and back."""

    text: str
    constants: Mapping[str, Any]
    binders: Sequence[tuple[str, Processor]]
    readers: Sequence[tuple[int, Processor]]
    row: Callable[[Sequence[Any]], Any] | None

    @classmethod
    def of(cls, statement: Executable, names: tuple[str, ...]) -> _Compiled | None:
        """Return None for a statement with a list."""
        compiled = cast(Any, statement).compile(dialect=_DIALECT, column_keys=list(names))
        if any(bound.expanding for bound in compiled.bind_names):
            return None
        types = {name: bound.type.dialect_impl(_DIALECT) for bound, name in compiled.bind_names.items()}
        found = {name: type_.bind_processor(_DIALECT) for name, type_ in types.items()}
        # Raises for a parameter that has no value.
        given = compiled.construct_params(dict.fromkeys(names))
        constants = {name: value for name, value in given.items() if name not in names}
        columns = list(getattr(statement, "exported_columns", ()))
        readers = [column.type.dialect_impl(_DIALECT).result_processor(_DIALECT, None) for column in columns]
        return cls(
            text=str(compiled),
            constants={
                name: process(value) if (process := found[name]) else value
                for name, value in constants.items()
            },
            binders=[(name, process) for name in names if (process := found.get(name))],
            readers=[(place, process) for place, process in enumerate(readers) if process],
            row=_row([column.key or "" for column in columns]) if columns else None,
        )

    def ask(self, connection: Connection, values: Mapping[str, Any]) -> Answer:
        bound = {**self.constants, **values}
        for name, process in self.binders:
            bound[name] = process(bound[name])
        driver = cast(sqlite3.Connection, connection.connection.dbapi_connection)
        try:
            cursor = driver.execute(self.text, bound)
            found = cursor.fetchall()
        except sqlite3.Error as error:
            raise DBAPIError.instance(self.text, bound, error, sqlite3.Error) from error
        return Answer(self._read(found), cursor.rowcount)

    def _read(self, found: list[Any]) -> list[Any]:
        if self.row is None:
            assert not found, f"the columns of this statement are not known: {self.text}"
            return found
        if not self.readers:
            return [self.row(one) for one in found]
        rows = []
        for one in found:
            values = list(one)
            for place, process in self.readers:
                values[place] = process(values[place])
            rows.append(self.row(values))
        return rows


def _row(names: Sequence[str]) -> Callable[[Sequence[Any]], Any]:
    """Return what makes rows with these columns, which are read by position, by name and as a mapping."""
    of_names = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # The names are those of the query.

    class Row(of_names):
        __slots__ = ()

        @property
        def _mapping(self) -> dict[str, Any]:
            return dict(zip(names, self, strict=True))

    return cast(Callable[[Sequence[Any]], Any], Row._make)
