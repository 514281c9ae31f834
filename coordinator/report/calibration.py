"""How true the predicted probabilities are, pooled over the cells of a timeframe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.protocol.curves import ReliabilityBin
from coordinator.html.plots.curves import reliability_plot
from coordinator.report.contents import Contents
from coordinator.views.cells import ReportedJob

GROUPS = 10
"""Points of a pooled curve."""


@dataclass(frozen=True)
class Calibration:
    """A timeframe's drawing, of how many cells it is, and how far their probabilities are off on the mean."""

    timeframe: str
    cells: int
    plot: Markup
    error: float


def calibrations(found: Contents) -> tuple[Calibration, ...]:
    """Return a drawing for each timeframe with a model whose report has a curve."""
    drawn = []
    for timeframe in found.config.timeframes:
        own = [one for one in found.trained if one.job.timeframe == timeframe]
        curves = [one.measured.reliability for one in own if one.measured and one.measured.reliability]
        if curves:
            pooled = pool([one for curve in curves for one in curve])
            plot = reliability_plot(pooled)
            drawn.append(Calibration(str(timeframe), len(curves), plot, _error(own)))
    return tuple(drawn)


def pool(bins: Sequence[ReliabilityBin], groups: int = GROUPS) -> tuple[ReliabilityBin, ...]:
    """Join bins of many cells into groups of about equally many rows, in ascending order."""
    ordered = sorted((one for one in bins if one.rows), key=lambda one: one.predicted)
    size = sum(one.rows for one in ordered) / groups
    joined: list[list[ReliabilityBin]] = []
    rows = 0
    for one in ordered:
        if rows >= size * len(joined):
            joined.append([])
        joined[-1].append(one)
        rows += one.rows
    return tuple(_mean(group) for group in joined)


def _mean(group: Sequence[ReliabilityBin]) -> ReliabilityBin:
    rows = sum(one.rows for one in group)
    return ReliabilityBin(
        predicted=sum(one.predicted * one.rows for one in group) / rows,
        observed=sum(one.observed * one.rows for one in group) / rows,
        rows=rows,
    )


def _error(cells: Sequence[ReportedJob]) -> float:
    errors = [one.measured.calibration_error for one in cells if one.measured]
    known = [error for error in errors if error is not None]
    return sum(known) / len(known)
