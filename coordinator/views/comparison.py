"""Two nights side by side: cell by cell, and what changed between them in configuration, data and code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from sqlalchemy import select

from common.protocol.jobs import JobKind, JobState
from common.settings.grid import grid_of
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, find_run
from coordinator.store.tables import jobs, manifests
from coordinator.views.nights import NightSummary, night_summary

OF_DATA = "candles_"
NOT_CODE = ("features", "configuration", "inputs", "data")
"""Digests in a model's lineage that are neither candles nor the version of a program."""


@dataclass(frozen=True)
class CellOfNight:
    """What became of a cell in a night."""

    job_id: int
    state: JobState
    auc: float | None
    p_value: float | None
    promoted: bool | None
    lineage: Mapping[str, str]


@dataclass(frozen=True)
class CellPair:
    """A cell in two nights; None where a night did not have it. `changed` says what differs, in words."""

    symbol: str
    timeframe: str
    horizon: int
    before: CellOfNight | None
    after: CellOfNight | None
    changed: tuple[str, ...]

    @property
    def gain(self) -> float | None:
        """By how much the AUC rose; None unless both nights trained it."""
        if self.before is None or self.after is None or self.before.auc is None or self.after.auc is None:
            return None
        return self.after.auc - self.before.auc


@dataclass(frozen=True)
class Comparison:
    """Two nights; `configuration` has the old and the new value of each key that differs, by its name.

    `code` likewise for the versions of programs, features and labels, `candles` names the symbols whose
    candles differ, with how many of their cells.
    """

    before: NightSummary
    after: NightSummary
    configuration: dict[str, tuple[str, str]]
    code: dict[str, tuple[str, str]]
    candles: dict[str, int]
    cells: tuple[CellPair, ...]

    @property
    def mean_gain(self) -> float | None:
        """By how much the AUC rose on the mean, over the cells that both nights trained."""
        gains = [cell.gain for cell in self.cells if cell.gain is not None]
        return sum(gains) / len(gains) if gains else None


def compare_nights(database: Database, before: int, after: int) -> Comparison:
    """Return two nights side by side.

    Raises
    ------
    NotFoundError
        There is no such night.
    """
    with database.read() as tx:
        return comparison_of(tx, find_run(tx, before), find_run(tx, after))


def comparison_of(tx: Transaction, old: RunRow, new: RunRow) -> Comparison:
    """Return two nights side by side that were read in this transaction."""
    then, now = _cells(tx, old), _cells(tx, new)
    order = dict.fromkeys([*now, *then])
    cells = tuple(
        CellPair(*key, then.get(key), now.get(key), _changed(then.get(key), now.get(key))) for key in order
    )
    candles: dict[str, int] = {}
    for cell in cells:
        if "candles" in cell.changed:
            candles[cell.symbol] = candles.get(cell.symbol, 0) + 1
    return Comparison(
        before=night_summary(tx, old),
        after=night_summary(tx, new),
        configuration=_differing(_flat(old), _flat(new)),
        code=_differing(_code(then), _code(now)),
        candles=candles,
        cells=cells,
    )


def _cells(tx: Transaction, run: RunRow) -> dict[tuple[str, str, int], CellOfNight]:
    query = (
        select(
            jobs.c.id,
            jobs.c.symbol,
            jobs.c.timeframe,
            jobs.c.horizon,
            jobs.c.state,
            jobs.c.auc,
            jobs.c.p_value,
            jobs.c.promoted,
            manifests.c.document,
        )
        .join_from(jobs, manifests, manifests.c.job_id == jobs.c.id, isouter=True)
        .where(jobs.c.run_id == run.id, jobs.c.kind == JobKind.TRAINING)
        .order_by(jobs.c.ordinal)
    )
    return {
        (row.symbol, row.timeframe, row.horizon): CellOfNight(
            job_id=row.id,
            state=JobState(row.state),
            auc=row.auc,
            p_value=row.p_value,
            promoted=row.promoted,
            lineage=_lineage(row.document),
        )
        for row in tx.connection.execute(query)
    }


def _lineage(document: str | None) -> Mapping[str, str]:
    # Of hundreds of manifests only this is needed, so they are read and not validated.
    found = from_json(document).get("lineage", {}) if document else {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _changed(before: CellOfNight | None, after: CellOfNight | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ()
    then, now = before.lineage, after.lineage
    if not then or not now:
        return ()
    of_data = {key for key in (*then, *now) if key.startswith(OF_DATA)}
    of_code = {key for key in (*then, *now) if key not in of_data and key not in NOT_CODE}
    words = []
    if any(then.get(key) != now.get(key) for key in of_data):
        words.append("candles")
    if then.get("configuration") != now.get("configuration") and not words:
        # The specification holds the digests of the candles too: it says something only where those agree.
        words.append("configuration")
    if any(then.get(key) != now.get(key) for key in of_code):
        words.append("code")
    return tuple(words)


def _code(cells: Mapping[Any, CellOfNight]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for cell in cells.values():
        for key, value in cell.lineage.items():
            if not key.startswith(OF_DATA) and key not in NOT_CODE:
                found.setdefault(key, set()).add(value)
    return {key: ", ".join(sorted(values)) for key, values in found.items()}


def _flat(run: RunRow) -> dict[str, str]:
    document = grid_of(run.config).model_dump(mode="json")
    return dict(_leaves(document, ""))


def _leaves(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [
            leaf
            for key, inner in value.items()
            for leaf in _leaves(inner, f"{name}.{key}" if name else str(key))
        ]
    if isinstance(value, list):
        return [(name, ", ".join(str(one) for one in value))]
    return [(name, str(value))]


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    keys = dict.fromkeys([*before, *after])
    return {
        key: (before.get(key, "none"), after.get(key, "none"))
        for key in keys
        if before.get(key) != after.get(key)
    }
