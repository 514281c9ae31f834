"""The champions: each with its scores, its age, the changes of its cell, and its AUC over the last nights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic_core import from_json
from sqlalchemy import select

from common.errors import NotFoundError
from common.protocol.champions import ChampionChange
from common.protocol.jobs import Cell, JobKind
from common.protocol.reports import Edge, Scores
from common.protocol.retests import ChampionResult
from coordinator.champions.registry import ChampionRow, champion_of, champions, changes, vacant_cells
from coordinator.store.database import Database, Transaction
from coordinator.store.documents import read_document
from coordinator.store.rows import scores_of
from coordinator.store.tables import champion_tests, jobs, manifests, runs

SHOWN_NIGHTS = 10
"""How many nights a sparkline spans."""

SHOWN_TESTS = 50
"""How many of the tests of a cell's champions are shown, the newest first."""


@dataclass(frozen=True)
class NightScore:
    """What a night scored for a cell; `auc` is None where it was not trained."""

    run_id: int
    job_id: int
    started: datetime
    auc: float | None
    p_value: float | None
    promoted: bool | None
    synthetic: bool = False


@dataclass(frozen=True)
class ChampionSummary:
    """A cell with its champion; `nights` are the last ones, the oldest first.

    `edge` is what its model would have earned; None where an earlier version did not measure it.
    """

    cell: Cell
    job_id: int
    since: ChampionChange
    age_days: float
    sha256: str
    synthetic: bool
    scores: Scores | None
    p_value: float | None
    nights: tuple[NightScore, ...]
    edge: Edge | None = None


@dataclass(frozen=True)
class ChampionList:
    """All champions, in the order of their names, and the cells that have one no longer."""

    now: datetime
    champions: tuple[ChampionSummary, ...]
    vacant: tuple[Cell, ...]


@dataclass(frozen=True)
class CellHistory:
    """All that happened to a cell: its champion, each change, and each night's model, the newest first.

    `tests` are what each night found out about the champion that stood before it, by the night's id.
    """

    cell: Cell
    champion: ChampionSummary | None
    changes: tuple[ChampionChange, ...]
    nights: tuple[NightScore, ...]
    tests: dict[int, ChampionResult]


def champion_list(database: Database) -> ChampionList:
    """Return the champions."""
    with database.read() as tx:
        found = _summaries(tx, champions(tx.connection))
        vacant = tuple(vacant_cells(tx.connection))
        return ChampionList(tx.now, tuple(sorted(found, key=lambda one: one.cell.name)), vacant)


def cell_history(database: Database, cell: Cell) -> CellHistory:
    """Return what happened to a cell.

    Raises
    ------
    NotFoundError
        No night has trained it.
    """
    with database.read() as tx:
        nights = _scores(tx, [cell.symbol], None, cell).get(cell.name, ())
        if not nights:
            raise NotFoundError(f"no night has trained {cell.name}")
        champion = champion_of(tx.connection, cell)
        found = _summaries(tx, [champion]) if champion is not None else []
        changed = changes(tx.connection, cell=cell)
        tests = _tests(tx, cell)
        return CellHistory(cell, found[0] if found else None, changed[::-1], nights[::-1], tests)


def model_of(database: Database, job_id: int) -> tuple[Cell, str, str]:
    """Return the cell of a training job's model, the digest of its .pkl and its manifest as JSON.

    Raises
    ------
    NotFoundError
        The job has no model.
    """
    query = (
        select(jobs.c.symbol, jobs.c.timeframe, jobs.c.horizon, manifests.c.sha256, manifests.c.document)
        .join_from(jobs, manifests, manifests.c.job_id == jobs.c.id)
        .where(jobs.c.id == job_id)
    )
    with database.read() as tx:
        row = tx.connection.execute(query).first()
    if row is None:
        raise NotFoundError(f"job {job_id} has no model")
    cell = Cell(symbol=row.symbol, timeframe=row.timeframe, horizon=row.horizon)
    return cell, row.sha256, row.document


def _summaries(tx: Transaction, rows: Sequence[ChampionRow]) -> list[ChampionSummary]:
    query = (
        select(jobs.c.id, jobs.c.scores, jobs.c.p_value, runs.c.synthetic)
        .join_from(jobs, runs, jobs.c.run_id == runs.c.id)
        .where(jobs.c.id.in_([row.job_id for row in rows]))
    )
    trained = {row.id: row for row in tx.connection.execute(query)}
    nights = _scores(tx, sorted({row.cell.symbol for row in rows}), SHOWN_NIGHTS)
    return [
        ChampionSummary(
            cell=row.cell,
            job_id=row.job_id,
            since=row.since,
            age_days=(tx.now - row.since.time).total_seconds() / 86_400,
            sha256=row.sha256,
            synthetic=trained[row.job_id].synthetic,
            scores=scores_of(trained[row.job_id].scores),
            p_value=trained[row.job_id].p_value,
            nights=nights.get(row.cell.name, ()),
            edge=_edge_of(row.document),
        )
        for row in rows
    ]


def _scores(
    tx: Transaction, symbols: Sequence[str], last: int | None, cell: Cell | None = None
) -> dict[str, tuple[NightScore, ...]]:
    """Return what the last nights scored, the oldest first, by the name of the cell."""
    newest = select(runs.c.id).order_by(runs.c.id.desc()).limit(last)
    query = (
        select(
            jobs.c.symbol,
            jobs.c.timeframe,
            jobs.c.horizon,
            jobs.c.run_id,
            jobs.c.id,
            runs.c.created,
            jobs.c.auc,
            jobs.c.p_value,
            jobs.c.promoted,
            runs.c.synthetic,
        )
        .join_from(jobs, runs, runs.c.id == jobs.c.run_id)
        .where(jobs.c.kind == JobKind.TRAINING, jobs.c.symbol.in_(symbols), jobs.c.run_id.in_(newest))
        .order_by(jobs.c.run_id)
    )
    if cell is not None:
        query = query.where(jobs.c.timeframe == cell.timeframe, jobs.c.horizon == cell.horizon)
    found: dict[str, list[NightScore]] = {}
    for symbol, timeframe, horizon, *score in tx.connection.execute(query):
        run_id, job_id, began, auc, p_value, promoted, synthetic = score
        scores = found.setdefault(f"{symbol}_{timeframe}_H{horizon}", [])
        scores.append(NightScore(run_id, job_id, began, auc, p_value, promoted, synthetic))
    return {name: tuple(scores) for name, scores in found.items()}


def _tests(tx: Transaction, cell: Cell) -> dict[int, ChampionResult]:
    query = (
        select(champion_tests.c.run_id, champion_tests.c.document)
        .where(
            champion_tests.c.symbol == cell.symbol,
            champion_tests.c.timeframe == cell.timeframe,
            champion_tests.c.horizon == cell.horizon,
        )
        .order_by(champion_tests.c.run_id.desc())
        .limit(SHOWN_TESTS)
    )
    found = {
        row.run_id: read_document(
            ChampionResult, row.document, f"what night {row.run_id} found of {cell.name}"
        )
        for row in tx.connection.execute(query)
    }
    return {run_id: one for run_id, one in found.items() if one}


def _edge_of(manifest: str) -> Edge | None:
    # A whole manifest takes milliseconds to validate, and a page shows a hundred of them.
    try:
        found = from_json(manifest).get("edge")
        return Edge.model_validate(found) if found else None
    except (ValueError, AttributeError):
        return None
