"""The grid of a run: what each cell is at, in one query, of as many symbols as are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select

from common.protocol.jobs import Cause, JobKind, JobState
from common.settings.grid import grid_of
from coordinator.store.database import Transaction
from coordinator.store.rows import RunRow, progress_of
from coordinator.store.tables import attempts, checkpoints, jobs, symbols
from coordinator.views.excerpt import EVERYTHING, Excerpt, Shown, shown_of


@dataclass(frozen=True, slots=True)
class GridCell:
    """What a cell is at.

    `stage`, `done` and `total` are how far the attempt is that a trainer works on; `folds` are the saved ones
    of a job that is not done. `auc` is None without scores, and `promoted` until the run has decided;
    `reused_run` is the run whose result was reused.
    """

    job_id: int
    symbol: str
    timeframe: str
    horizon: int
    state: JobState
    cause: Cause | None
    message: str
    auc: float | None
    promoted: bool | None
    reused_run: int | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    folds: int = 0

    @property
    def name(self) -> str:
        """What people call the cell: ``BTCUSDT_1h_H3``."""
        return f"{self.symbol}_{self.timeframe}_H{self.horizon}"

    @property
    def untrainable(self) -> bool:
        """Whether its candles cannot be trained on; nothing has broken then."""
        return self.state is JobState.FAILED and self.cause is Cause.DATA


@dataclass(frozen=True, slots=True)
class GridSymbol:
    """A symbol's row: its survey and why that failed, and until when it is parked (None: it is not)."""

    symbol: str
    survey_id: int
    survey: JobState
    parked_until: datetime | None
    survey_cause: Cause | None = None


@dataclass(frozen=True)
class Grid:
    """The cells of a run's symbols that are shown; `cells` are by symbol, timeframe and horizon.

    `rows` are the symbols that are shown, `names` those of the whole run.
    """

    run_id: int
    n_splits: int
    names: tuple[str, ...]
    shown: Shown
    rows: tuple[GridSymbol, ...]
    timeframes: tuple[str, ...]
    horizons: tuple[int, ...]
    cells: dict[tuple[str, str, int], GridCell]


_FAILED = jobs.c.state == JobState.FAILED
_STATES: dict[str, ColumnElement[bool]] = {
    "promoted": jobs.c.promoted.is_(True),
    "untrainable": _FAILED & (jobs.c.cause == Cause.DATA),
    "failed": _FAILED & jobs.c.cause.is_distinct_from(Cause.DATA),
}
"""The states that a grid tells apart besides those of a job."""


def read_grid(
    tx: Transaction, run: RunRow, excerpt: Excerpt = EVERYTHING, states: Sequence[str] = ()
) -> Grid:
    """Return the grid of a run, as much of it as is shown.

    Where that is not all, symbols with a cell in one of the `states` come first, without any those of which a
    cell broke: what somebody looks for is on the first page.
    """
    config = grid_of(run.config)
    survey = {one.symbol: one for one in _symbols(tx, run.id)}
    first: frozenset[str] = frozenset()
    if excerpt.limit is not None and len(survey) > excerpt.limit:
        first = _with_cells(tx, run.id, states or ("failed",))
    shown = shown_of(tuple(survey), excerpt, first)
    columns = (jobs.c.id, jobs.c.symbol, jobs.c.timeframe, jobs.c.horizon, jobs.c.state, jobs.c.cause)
    result = (jobs.c.message, jobs.c.auc, jobs.c.promoted, jobs.c.reused_run)
    query = (
        select(*columns, *result, attempts.c.progress, checkpoints.c.folds)
        .outerjoin_from(jobs, attempts, (attempts.c.job_id == jobs.c.id) & attempts.c.ended.is_(None))
        .outerjoin(checkpoints, checkpoints.c.job_id == jobs.c.id)
        .where(jobs.c.run_id == run.id, jobs.c.kind == JobKind.TRAINING)
    )
    if len(shown.symbols) < len(survey):
        query = query.where(jobs.c.symbol.in_(shown.symbols))
    by_name = {str(state): state for state in JobState}
    causes = {str(cause): cause for cause in Cause}
    cells = {}
    for (
        job,
        symbol,
        timeframe,
        horizon,
        state,
        cause,
        message,
        auc,
        promoted,
        reused_run,
        progress,
        folds,
    ) in tx.connection.execute(query):
        told = progress_of(progress)
        cells[symbol, timeframe, horizon] = GridCell(
            job,
            symbol,
            timeframe,
            horizon,
            by_name[state],
            causes[cause] if cause else None,
            message,
            auc,
            promoted,
            reused_run,
            told.stage if told else "",
            told.done if told else 0,
            told.total if told else 0,
            folds or 0,
        )
    return Grid(
        run_id=run.id,
        n_splits=config.n_splits,
        names=tuple(survey),
        shown=shown,
        rows=tuple(survey[symbol] for symbol in shown.symbols),
        timeframes=tuple(str(timeframe) for timeframe in config.timeframes),
        horizons=tuple(config.horizons),
        cells=cells,
    )


def _with_cells(tx: Transaction, run_id: int, states: Sequence[str]) -> frozenset[str]:
    """Return the symbols that have a cell in one of some states."""
    wanted = or_(*(_STATES.get(state, jobs.c.state == state) for state in states))
    query = select(jobs.c.symbol).distinct()
    query = query.where(jobs.c.run_id == run_id, jobs.c.kind == JobKind.TRAINING, wanted)
    return frozenset(tx.connection.execute(query).scalars())


def _symbols(tx: Transaction, run_id: int) -> tuple[GridSymbol, ...]:
    query = (
        select(jobs.c.symbol, jobs.c.id, jobs.c.state, jobs.c.cause, symbols.c.parked_until)
        .outerjoin_from(
            jobs, symbols, (symbols.c.run_id == jobs.c.run_id) & (symbols.c.symbol == jobs.c.symbol)
        )
        .where(jobs.c.run_id == run_id, jobs.c.kind == JobKind.SURVEY)
        .order_by(jobs.c.ordinal)
    )
    return tuple(
        GridSymbol(
            row.symbol,
            row.id,
            JobState(row.state),
            row.parked_until if row.parked_until is not None and row.parked_until > tx.now else None,
            Cause(row.cause) if row.cause else None,
        )
        for row in tx.connection.execute(query)
    )
