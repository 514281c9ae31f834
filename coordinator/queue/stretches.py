"""Stretches of the queue: conditions by their names, put together once for each set of them.

A claim asks some ten questions of the same few shapes. To write each anew with SQLAlchemy takes six times as
long as to have it answered, so a statement is made once, and only its values change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)

from common.protocol.jobs import JobKind
from coordinator.store.prepared import Prepared
from coordinator.store.tables import jobs

QUEUED = jobs.c.state == literal_column("'queued'")
"""Written out and not as a parameter, so that the database knows by itself which of its indexes serve."""
TRAINING = jobs.c.kind == literal_column("'training'")

COLUMNS = (
    jobs.c.id,
    jobs.c.kind,
    jobs.c.symbol,
    jobs.c.ordinal,
    jobs.c.timeframe,
    jobs.c.rows,
    jobs.c.volume,
    jobs.c.waiting_since,
    jobs.c.not_before,
    jobs.c.oom_room_bytes,
    jobs.c.wanted_next,
)
"""What admission knows of a job by itself."""

# A function hides the column from the planner, which would sort the queue rather than follow one index. What
# is compared with a parameter stands first and gives it its type, as a constant's name would not: linters
# turn that round.
_waits_since = func.coalesce(jobs.c.waiting_since, jobs.c.created)


def _some(name: str) -> Any:
    return bindparam(name, expanding=True)


CONDITIONS: dict[str, ColumnElement[bool]] = {
    "surveyed": jobs.c.waiting_since.is_not(None),
    "unsurveyed": jobs.c.waiting_since.is_(None),
    "ready": or_(jobs.c.not_before.is_(None), jobs.c.not_before <= bindparam("now")),
    "not ready": jobs.c.not_before > bindparam("now"),
    "open": or_(jobs.c.kind != literal_column("'training'"), jobs.c.symbol.not_in(_some("closed"))),
    "not open": TRAINING & jobs.c.symbol.in_(_some("closed")),
    "after oom": jobs.c.oom_room_bytes.is_not(None),
    "wanted": jobs.c.wanted_next.is_not(None),
    "unwanted": jobs.c.wanted_next.is_(None),
    "overdue": jobs.c.waiting_since < bindparam("bound"),
    "not overdue": _waits_since >= bindparam("bound"),
    "since": jobs.c.waiting_since == bindparam("since"),
    "later": jobs.c.waiting_since > bindparam("beyond"),
    "probation": jobs.c.symbol.in_(_some("probation")),
    "no probation": jobs.c.symbol.not_in(_some("probation")),
    JobKind.SURVEY: jobs.c.kind == literal_column("'survey'"),
    JobKind.TRAINING: TRAINING,
    "last": jobs.c.symbol == bindparam("last"),
    "not last": jobs.c.symbol != bindparam("last"),
    "volume": jobs.c.volume == bindparam("volume"),
    "less traded": jobs.c.volume < bindparam("beyond"),
    "timeframe": jobs.c.timeframe.is_not_distinct_from(bindparam("timeframe")),
    "rows": jobs.c.rows.is_not_distinct_from(bindparam("rows")),
    "rows up to": jobs.c.rows <= bindparam("rows"),
    "fewer rows": jobs.c.rows < bindparam("rows"),
    "further": jobs.c.ordinal > bindparam("further"),
}
"""What jobs of a stretch have in common; the values bear the names of the parameters."""

CHUNK = 500
"""So many rows are a piece."""

_ORDERS = {
    "ordinal": jobs.c.ordinal.asc(),
    "volume": jobs.c.volume.desc(),
    "waiting_since": jobs.c.waiting_since.asc(),
}


@dataclass(frozen=True)
class Stretch:
    """The queued jobs of a run that meet some conditions.

    `where` names the conditions; `values` holds the run's id as ``run`` and what the conditions ask for.
    """

    where: tuple[str, ...]
    values: Mapping[str, Any]

    def that(self, *where: str, **values: Any) -> Self:
        """Return those of them that meet more conditions."""
        return type(self)((*self.where, *where), {**self.values, **values})

    def read(
        self, connection: Connection, column: str = "", size: int | None = None
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """Return the rows, ordered by a column and the first `size` of them where that is wanted."""
        values = self.values if size is None else {**self.values, "size": size}
        return _asked(self.where, column, size is not None).on(connection, values).all()

    def pieces(self, connection: Connection, column: str) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
        """Yield the rows ordered by a column, some at a time: all may be more than should be held."""
        query = _statement(self.where, column, False).execution_options(yield_per=CHUNK)
        yield from connection.execute(query, self.values).partitions()

    def most_rows(self, connection: Connection) -> int | None:
        """Return how many rows the largest of them has, None where none has any."""
        found: int | None = _most_rows(self.where).on(connection, self.values).scalar()
        return found


def which(connection: Connection, stretches: Mapping[str, tuple[Stretch, str]]) -> frozenset[str]:
    """Return the names of those of some stretches of one run that hold a job, by one statement.

    Each comes with the column by which an index orders it, or with nothing: of a stretch that is to be empty,
    the order says to SQLite by which index that is seen at once.
    """
    values: dict[str, Any] = {}
    for stretch, _ in stretches.values():
        values |= stretch.values
    asked = tuple((stretch.where, column) for stretch, column in stretches.values())
    row = _firsts(asked).on(connection, values).one()
    return frozenset(name for name, first in zip(stretches, row, strict=True) if first is not None)


@cache
def _firsts(asked: tuple[tuple[tuple[str, ...], str], ...]) -> Prepared:
    firsts = []
    for where, column in asked:
        query = _narrowed(select(jobs.c.id), where)
        firsts.append((query.order_by(_ORDERS[column]) if column else query).limit(1).scalar_subquery())
    return Prepared(select(*firsts))


@cache
def _asked(where: tuple[str, ...], column: str, limited: bool) -> Prepared:
    return Prepared(_statement(where, column, limited))


@cache
def _statement(where: tuple[str, ...], column: str, limited: bool) -> Select[Any]:
    query = _narrowed(select(*COLUMNS), where)
    if column:
        query = query.order_by(_ORDERS[column])
    return query.limit(bindparam("size")) if limited else query


@cache
def _most_rows(where: tuple[str, ...]) -> Prepared:
    return Prepared(_narrowed(select(func.max(jobs.c.rows)), where))


def _narrowed(query: Select[Any], where: tuple[str, ...]) -> Select[Any]:
    run: BindParameter[int] = bindparam("run")
    # Where SQLite can compare run and state it reads all that is queued, and not the few in the index.
    of_run = jobs.c.run_id.between(run, run) if "after oom" in where else jobs.c.run_id == run
    return query.where(of_run, QUEUED, *(CONDITIONS[name] for name in where))
