"""The heat map of a night: the AUC of each cell with its interval, in tables that fit a printed page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from common.protocol.jobs import JobState
from coordinator.report.contents import Contents
from coordinator.views.cells import ReportedJob

EDGES = (0.48, 0.49, 0.50, 0.51, 0.52, 0.53, 0.55)
"""AUC at which the colour changes; 0.5 is a coin."""
COLUMNS = 18
"""So many columns stand side by side on a page at most."""

Place = tuple[str, int]


@dataclass(frozen=True)
class HeatCell:
    """A cell: its level of colour (None: no AUC), its AUC and half its interval as text, and all in words.

    `sure` says that its whole interval lies above 0.5.
    """

    level: int | None
    text: str
    spread: str
    words: str
    promoted: bool
    sure: bool


@dataclass(frozen=True)
class HeatTable:
    """Some columns for all symbols: each timeframe with how many of its horizons, then the horizons."""

    timeframes: tuple[tuple[str, int], ...]
    horizons: tuple[int, ...]
    rows: tuple[tuple[str, tuple[HeatCell | None, ...]], ...]


def heat_tables(found: Contents) -> tuple[HeatTable, ...]:
    """Return the heat map, cut between timeframes where it is too wide."""
    config = found.config
    by_place = {(one.job.symbol, str(one.job.timeframe), one.job.horizon or 0): one for one in found.cells}
    groups = [[(str(frame), horizon) for horizon in config.horizons] for frame in config.timeframes]
    tables = []
    for places in _cut(groups):
        rows = tuple(
            (symbol, tuple(_cell(by_place.get((symbol, *place))) for place in places))
            for symbol in config.symbols
        )
        frames = dict.fromkeys(frame for frame, _ in places)
        counts = tuple((frame, sum(one == frame for one, _ in places)) for frame in frames)
        tables.append(HeatTable(counts, tuple(horizon for _, horizon in places), rows))
    return tuple(tables)


def _cut(groups: Sequence[list[Place]]) -> list[list[Place]]:
    """Join groups of columns up to the width of a page; one that is wider alone is cut itself."""
    found: list[list[Place]] = [[]]
    for group in groups:
        for start in range(0, len(group), COLUMNS):
            part = group[start : start + COLUMNS]
            if found[-1] and len(found[-1]) + len(part) > COLUMNS:
                found.append([])
            found[-1] += part
    return found


def _cell(one: ReportedJob | None) -> HeatCell | None:
    if one is None:
        return None
    job, interval = one.job, one.measured.interval if one.measured else None
    if job.auc is None:
        text = str(job.cause) if job.state is JobState.FAILED else "no AUC" if one.measured else job.state
        words = f"{job.name}: {job.message or text}"
        return HeatCell(None, text, "", words, bool(job.promoted), False)
    spread = f"±{(interval[1] - interval[0]) / 2:.3f}" if interval else ""
    within = f", with 95 % between {interval[0]:.4f} and {interval[1]:.4f}" if interval else ""
    promoted = ", promoted" if job.promoted else ""
    words = f"{job.name}: AUC {job.auc:.4f}{within}{promoted}"
    level = bisect_right(EDGES, job.auc)
    return HeatCell(level, f"{job.auc:.3f}", spread, words, bool(job.promoted), one.is_sure)
