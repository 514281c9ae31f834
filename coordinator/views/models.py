"""The champions: each with its scores, its age, the changes of its cell, and its AUC over the last nights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from common.errors import NotFoundError
from common.protocol.champions import ChampionChange
from common.protocol.jobs import Cell, JobKind
from common.protocol.reports import Scores
from coordinator.champions.registry import champions, changes, vacant_cells
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import JOBS, JobRow
from coordinator.store.tables import jobs, manifests, runs

SHOWN_NIGHTS = 10
"""How many nights a sparkline spans."""


@dataclass(frozen=True)
class NightScore:
    """What a night scored for a cell; `auc` is None where it was not trained."""

    run_id: int
    job_id: int
    started: datetime
    auc: float | None
    p_value: float | None
    promoted: bool | None


@dataclass(frozen=True)
class ChampionSummary:
    """A cell with its champion; `nights` are the last ones, the oldest first."""

    cell: Cell
    job_id: int
    since: ChampionChange
    age_days: float
    sha256: str
    synthetic: bool
    scores: Scores | None
    p_value: float | None
    nights: tuple[NightScore, ...]


@dataclass(frozen=True)
class ChampionList:
    """All champions, in the order of their names, and the cells that have one no longer."""

    now: datetime
    champions: tuple[ChampionSummary, ...]
    vacant: tuple[Cell, ...]


@dataclass(frozen=True)
class CellHistory:
    """All that happened to a cell: its champion, each change, and each night's model, the newest first."""

    cell: Cell
    champion: ChampionSummary | None
    changes: tuple[ChampionChange, ...]
    nights: tuple[NightScore, ...]


def champion_list(database: Database) -> ChampionList:
    """Return the champions."""
    with database.read() as tx:
        found = _summaries(tx)
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
        nights = _scores(tx, [cell.symbol], None).get(cell.name, ())
        found = [one for one in _summaries(tx) if one.cell == cell]
        if not nights:
            raise NotFoundError(f"no night has trained {cell.name}")
        changed = changes(tx.connection, cell=cell)
        return CellHistory(cell, found[0] if found else None, changed[::-1], nights[::-1])


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


def _summaries(tx: Transaction) -> list[ChampionSummary]:
    rows = champions(tx.connection)
    query = (
        select(*jobs.c, runs.c.synthetic)
        .join_from(jobs, runs, jobs.c.run_id == runs.c.id)
        .where(jobs.c.id.in_([row.job_id for row in rows]))
    )
    trained = {}
    synthetic = {}
    for row in tx.connection.execute(query):
        values = row._mapping
        synthetic[row.id] = bool(values["synthetic"])
        trained[row.id] = (
            Scores.model_validate_json(values["scores"]) if values["scores"] else None,
            values["p_value"],
        )
    nights = _scores(tx, sorted({row.cell.symbol for row in rows}), SHOWN_NIGHTS)
    return [
        ChampionSummary(
            cell=row.cell,
            job_id=row.job_id,
            since=row.since,
            age_days=(tx.now - row.since.time).total_seconds() / 86_400,
            sha256=row.sha256,
            synthetic=synthetic[row.job_id],
            scores=trained[row.job_id][0],
            p_value=trained[row.job_id][1],
            nights=nights.get(row.cell.name, ()),
        )
        for row in rows
    ]


def _scores(tx: Transaction, symbols: Sequence[str], last: int | None) -> dict[str, tuple[NightScore, ...]]:
    """Return what the last nights scored, the oldest first, by the name of the cell."""
    newest = select(runs.c.id, runs.c.created).order_by(runs.c.id.desc()).limit(last)
    began = {run_id: created for run_id, created in tx.connection.execute(newest)}  # noqa: C416
    query = (
        JOBS.where(jobs.c.kind == JobKind.TRAINING, jobs.c.symbol.in_(symbols))
        .where(jobs.c.run_id.in_(began))
        .order_by(jobs.c.run_id)
    )
    found: dict[str, list[NightScore]] = {}
    for row in tx.connection.execute(query):
        job = JobRow.of(row)
        score = NightScore(job.run_id, job.id, began[job.run_id], job.auc, job.p_value, job.promoted)
        found.setdefault(job.cell.name, []).append(score)
    return {name: tuple(scores) for name, scores in found.items()}
