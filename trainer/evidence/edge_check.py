"""Whether the edge is that of the stored models' predictions and of the closes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import Check, Edge, FoldReport
from trainer.candles.arrays import FloatArray
from trainer.evidence.stored_models import StoredModels
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.edge import FoldOutcome, edge
from trainer.learning.training_set import TrainingSet

TOLERANCE = 1e-6
"""Most that a figure may differ, relative to the typical move; predictions that are nearer to the last of
their tenth may change places with it on another kind of processor."""


def check_edge(
    data: TrainingSet, stored: Sequence[StoredModels], folds: Sequence[FoldReport], claimed: Edge
) -> Check:
    """Predict again what each fold tested and the ties beside it, and measure the extreme tenths.

    Parameters
    ----------
    data : TrainingSet
        What was trained on; of it candles, the bar of each row, horizon and costs are believed.
    stored : sequence of StoredModels
        The folds' models.
    folds : sequence of FoldReport
        Each fold's C.
    claimed : Edge
        What the training says.
    """
    tested = [
        _tested(data, models, fold.C, following.tested.start)
        for models, fold, following in zip(stored, folds, stored[1:], strict=False)
    ]
    found = edge(tested, data.horizon, data.label.costs_bp)
    moves = np.concatenate([fold.moves for fold in tested])
    slack = TOLERANCE * float(np.abs(moves).mean()) + _undecided(tested) / found.tenth_rows
    for name in Edge.model_fields:
        ours, theirs = getattr(found, name), getattr(claimed, name)
        if not abs(ours - theirs) <= (slack if name.endswith("_bp") else 0):
            detail = f"{name} of the stored models' extreme predictions is {ours:.9g}, not {theirs:.9g}"
            return Check(name="edge", passed=False, checked=found.rows, detail=detail)
    detail = f"{found.edge_bp:.3g} bp a trade, before costs, is what the stored models' predictions give"
    return Check(name="edge", passed=True, checked=found.rows, detail=detail)


def _tested(data: TrainingSet, models: StoredModels, C: float, following: int) -> FoldOutcome:
    """Predict every row with a future from a fold's first test row to the first of the fold after it."""
    row, bar, candles = data.labels.row, data.matrix.bar, data.candles
    stop = int(row[following]) if following < len(row) else len(bar)
    rows = np.arange(row[models.tested.start], stop)
    ends = candles.open_time[bar[rows]] + data.horizon * candles.interval_ms
    later = np.searchsorted(candles.open_time, ends)
    known = later == bar[rows] + data.horizon
    known[known] = candles.open_time[later[known].clip(max=len(candles) - 1)] == ends[known]
    rows, later = rows[known], later[known]
    design = DesignMatrix(data.matrix.values, rows)
    gains = np.log(candles.close[later] / candles.close[bar[rows]])
    return FoldOutcome(models.model(C).predict(design, 0, len(design)), 1e4 * gains)


def _undecided(tested: Sequence[FoldOutcome]) -> float:
    """Return the sum of the moves of rows that rounding may bring into a tenth or out of it, in bp."""
    return sum(
        float(np.abs(fold.moves[np.abs(fold.p - tenth.edge) <= TOLERANCE * _spread(fold.p)]).sum())
        for fold in tested
        for tenth in (fold.highest, fold.lowest)
    )


def _spread(p: FloatArray) -> float:
    return float(np.ptp(p))
