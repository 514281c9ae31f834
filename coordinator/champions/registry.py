"""Who is the champion of a cell, and each change of it with its reason: only ever appended to.

The database decides, the files of `coordinator.champions.files` follow.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select

from common.errors import ConflictError, InvalidRequestError, NotFoundError
from common.protocol.champions import ChampionAction, ChampionChange
from common.protocol.faults import model_fault
from common.protocol.jobs import Cell
from common.protocol.reports import Manifest
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.tables import champion_changes, jobs, manifests

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ChampionRow:
    """The champion of a cell, as it stands in the database.

    `job_id` trained it, `since` is when it became champion, `sha256` is that of its .pkl and `document` its
    manifest as JSON, which nobody has validated.
    """

    cell: Cell
    job_id: int
    since: ChampionChange
    sha256: str
    document: str

    def manifest(self) -> Manifest | None:
        """Return its manifest, or None if it is malformed."""
        try:
            manifest = Manifest.model_validate_json(self.document)
        except ValidationError:
            return None
        return None if model_fault(manifest) else manifest


def record_change(
    tx: Transaction,
    cell: Cell,
    job_id: int | None,
    reason: str,
    *,
    expired: bool = False,
    run_id: int | None = None,
    by: str = "",
) -> ChampionChange:
    """Make a model the champion of its cell, or leave the cell without one, for good and with the reason.

    This is the one place that changes who is champion. The files follow when `Publication.publish` is called
    after the transaction, and at the next start.

    Parameters
    ----------
    tx : Transaction
        A write; the change is committed with all else in it.
    cell : Cell
        The cell.
    job_id : int or None
        The training job whose model is champion from now on; None: the present one is champion no longer.
    reason : str
        Why, in a sentence and with the numbers it rests on.
    expired : bool
        Whether it is its age alone that ends a champion without a successor.
    run_id : int or None
        The run that decides it.
    by : str
        The person who decides it; empty where a run does.

    Raises
    ------
    InvalidRequestError
        There is no reason, or the job's model is of another cell.
    NotFoundError
        The job has no model.
    ConflictError
        The cell has no champion that could be ended, or the model is champion already and a person asks.
    """
    if not reason.strip():
        raise InvalidRequestError(f"{cell.name}: the change of a champion needs a reason", "say why")
    present = champion_of(tx.connection, cell)
    sha256 = "" if job_id is None else _model_of(tx.connection, cell, job_id)
    if job_id is None and present is None:
        raise ConflictError(f"{cell.name} has no champion")
    if by and present is not None and job_id == present.job_id:
        raise ConflictError(f"{cell.name}: the model of job {job_id} is its champion already")
    if job_id is None:
        action = ChampionAction.EXPIRED if expired else ChampionAction.DEMOTED
    else:
        action = ChampionAction.PROMOTED if present is None else ChampionAction.REPLACED
    _CHANGE.on(
        tx.connection,
        {
            "time": tx.now,
            "symbol": cell.symbol,
            "timeframe": cell.timeframe,
            "horizon": cell.horizon,
            "action": action,
            "job_id": job_id,
            "former_job_id": None if present is None else present.job_id,
            "run_id": run_id,
            "by": by,
            "reason": reason,
        },
    )
    return ChampionChange(
        time=tx.now,
        symbol=cell.symbol,
        timeframe=cell.timeframe,
        horizon=cell.horizon,
        action=action,
        model=sha256,
        former="" if present is None else present.sha256,
        run=run_id,
        by=by,
        reason=reason,
    )


def champions(connection: Connection) -> list[ChampionRow]:
    """Return the champion of each cell that has one, in the order of their promotions."""
    newest = select(func.max(champion_changes.c.id)).group_by(
        champion_changes.c.symbol, champion_changes.c.timeframe, champion_changes.c.horizon
    )
    return _champions(connection.execute(_CHAMPIONS.where(champion_changes.c.id.in_(newest))))


def champion_of(connection: Connection, cell: Cell) -> ChampionRow | None:
    """Return the champion of a cell, or None."""
    found = _champions(_CHAMPION.on(connection, cell.model_dump(mode="json")))
    return found[0] if found else None


def champion_moments(connection: Connection) -> dict[tuple[str, str, int], datetime]:
    """Return since when each cell that has a champion has it, by symbol, timeframe and horizon."""
    cell = (champion_changes.c.symbol, champion_changes.c.timeframe, champion_changes.c.horizon)
    newest = select(func.max(champion_changes.c.id)).group_by(*cell)
    query = select(*cell, champion_changes.c.time).where(
        champion_changes.c.id.in_(newest), champion_changes.c.job_id.is_not(None)
    )
    return {(row.symbol, row.timeframe, row.horizon): row.time for row in connection.execute(query)}


def vacant_cells(connection: Connection) -> list[Cell]:
    """Return the cells that had a champion once and have none now."""
    cells = select(champion_changes.c.symbol, champion_changes.c.timeframe, champion_changes.c.horizon)
    known = {
        Cell(symbol=row.symbol, timeframe=row.timeframe, horizon=row.horizon)
        for row in connection.execute(cells.distinct())
    }
    present = {champion.cell for champion in champions(connection)}
    return sorted(known - present, key=lambda cell: cell.name)


def changes(
    connection: Connection, run_id: int | None = None, cell: Cell | None = None
) -> tuple[ChampionChange, ...]:
    """Return the changes, those of one run or one cell if that is given, the oldest first."""
    query = _CHANGES
    if run_id is not None:
        query = query.where(champion_changes.c.run_id == run_id)
    if cell is not None:
        query = query.where(_is_of(cell))
    return tuple(
        ChampionChange.of(row, model=row.sha256 or "", former=row.former_sha256 or "", run=row.run_id)
        for row in connection.execute(query)
    )


def newest_change(connection: Connection) -> int:
    """Return the number of the last change of any champion, or 0 before the first."""
    return int(connection.execute(select(func.coalesce(func.max(champion_changes.c.id), 0))).scalar_one())


def champion_jobs(connection: Connection, cell: Cell) -> list[int | None]:
    """Return the job whose model was champion of a cell after each change, the oldest first."""
    query = select(champion_changes.c.job_id).where(_is_of(cell)).order_by(champion_changes.c.id)
    return list(connection.execute(query).scalars())


def champion_manifest(connection: Connection, cell: Cell, synthetic: bool) -> Manifest | None:
    """Return the manifest of a cell's champion if both were trained on the same kind of candles.

    A malformed one counts as none; the end of the run says so.
    """
    champion = champion_of(connection, cell)
    manifest = None if champion is None else champion.manifest()
    if manifest is None or manifest.synthetic != synthetic:
        return None
    return manifest


_former = manifests.alias("former")

_CHANGES: Select[tuple[object, ...]] = (
    select(*champion_changes.c, manifests.c.sha256, _former.c.sha256.label("former_sha256"))
    .join_from(champion_changes, manifests, manifests.c.job_id == champion_changes.c.job_id, isouter=True)
    .join(_former, _former.c.job_id == champion_changes.c.former_job_id, isouter=True)
    .order_by(champion_changes.c.id)
)

_CHAMPIONS = _CHANGES.add_columns(manifests.c.document).where(champion_changes.c.job_id.is_not(None))

_CHAMPION = Prepared(
    _CHAMPIONS.where(
        champion_changes.c.id
        == select(func.max(champion_changes.c.id))
        .where(
            champion_changes.c.symbol == bindparam("symbol"),
            champion_changes.c.timeframe == bindparam("timeframe"),
            champion_changes.c.horizon == bindparam("horizon"),
        )
        .scalar_subquery()
    )
)
"""The champion of one cell."""

_CHANGE = Prepared(champion_changes.insert())
_MODEL = Prepared(
    select(jobs.c.symbol, jobs.c.timeframe, jobs.c.horizon, manifests.c.sha256)
    .join_from(jobs, manifests, manifests.c.job_id == jobs.c.id)
    .where(jobs.c.id == bindparam("job"))
)


def _is_of(cell: Cell) -> ColumnElement[bool]:
    return and_(
        champion_changes.c.symbol == cell.symbol,
        champion_changes.c.timeframe == cell.timeframe,
        champion_changes.c.horizon == cell.horizon,
    )


def _champions(rows: Iterable[Any]) -> list[ChampionRow]:
    return [
        ChampionRow(
            cell=Cell(symbol=row.symbol, timeframe=row.timeframe, horizon=row.horizon),
            job_id=row.job_id,
            since=ChampionChange.of(row, model=row.sha256, former=row.former_sha256 or "", run=row.run_id),
            sha256=row.sha256,
            document=row.document,
        )
        for row in rows
    ]


def _model_of(connection: Connection, cell: Cell, job_id: int) -> str:
    row = _MODEL.on(connection, {"job": job_id}).first()
    if row is None:
        raise NotFoundError(f"job {job_id} has no model")
    if (row.symbol, row.timeframe, row.horizon) != (cell.symbol, cell.timeframe, cell.horizon):
        raise InvalidRequestError(
            f"the model of job {job_id} is of {row.symbol}_{row.timeframe}_H{row.horizon}, not of {cell.name}"
        )
    return str(row.sha256)
