"""Whether the edge is that of the stored models' predictions and of the closes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import Check, Edge
from trainer.candles.arrays import FloatArray, IntArray
from trainer.evidence.known import Known
from trainer.evidence.predicted import Predicted
from trainer.features.labels import future_moves
from trainer.learning.edge import FoldOutcome
from trainer.learning.training_set import TrainingSet

TOLERANCE = 1e-6
"""Most that a figure may differ, relative to the typical move; predictions that are nearer to the last of
their tenth may change places with it on another kind of processor."""


EVERY = 61
"""One move in so many is computed again by numpy's logarithm."""

MOVE = 1e-9
"""Most that a move may differ then, in basis points."""


def check_edge(data: TrainingSet, said: Sequence[Predicted], claimed: Edge, known: Known) -> Check:
    """Measure the extreme tenths of what the stored models say of each fold's test rows and of the ties.

    Parameters
    ----------
    data : TrainingSet
        What was trained on; of it candles, the bar of each row, horizon and costs are believed.
    said : sequence of Predicted
        What the folds' models say.
    claimed : Edge
        What the training says.
    known : Known
        What was computed of equal predictions.
    """
    segments = np.asarray(data.candles.segments(), dtype=np.int64).reshape(-1, 2)
    rows = [_future_rows(data, one, segments) for one in said]
    tested = [
        FoldOutcome(one.chosen[where], future_moves(data.candles, now, data.horizon))
        for one, (where, now) in zip(said, rows, strict=True)
    ]
    if not all(_are_moves(data, now, fold.moves) for fold, (_, now) in zip(tested, rows, strict=True)):
        told = "the moves of rows are not those of their closes"
        return Check(name="edge", passed=False, checked=sum(len(now) for _, now in rows), detail=told)
    found = known.edge(tested, data.horizon, data.label.costs_bp)
    slack = 0.0
    if found != claimed:
        moves = np.concatenate([fold.moves for fold in tested])
        slack = TOLERANCE * float(np.abs(moves).mean()) + _undecided(tested) / found.tenth_rows
    for name in Edge.model_fields:
        ours, theirs = getattr(found, name), getattr(claimed, name)
        if not abs(ours - theirs) <= (slack if name.endswith("_bp") else 0):
            detail = f"{name} of the stored models' extreme predictions is {ours:.9g}, not {theirs:.9g}"
            return Check(name="edge", passed=False, checked=found.rows, detail=detail)
    detail = f"{found.edge_bp:.3g} bp a trade, before costs, is what the stored models' predictions give"
    return Check(name="edge", passed=True, checked=found.rows, detail=detail)


def _future_rows(data: TrainingSet, said: Predicted, segments: IntArray) -> tuple[slice | IntArray, IntArray]:
    """Return the rows of a stretch whose horizon ends in the row's own segment, and their bars."""
    bar = data.matrix.bar[said.stretch.start : said.stretch.stop]
    firsts = np.searchsorted(bar, segments[:, 0])
    stops = np.searchsorted(bar, segments[:, 1] - data.horizon)
    runs = [slice(*ends) for ends in zip(firsts.tolist(), stops.tolist(), strict=True) if ends[0] < ends[1]]
    if len(runs) == 1:
        # As usual: nothing is copied.
        return runs[0], bar[runs[0]]
    where = np.concatenate([np.arange(0), *(np.arange(run.start, run.stop) for run in runs)])
    return where, bar[where]


def _are_moves(data: TrainingSet, now: IntArray, moves: FloatArray) -> bool:
    close, some = data.candles.close, now[::EVERY]
    expected = 1e4 * np.log(close[some + data.horizon] / close[some])
    return bool((np.abs(moves[::EVERY] - expected) <= MOVE).all())


def _undecided(tested: Sequence[FoldOutcome]) -> float:
    """Return the sum of the moves of rows that rounding may bring into a tenth or out of it, in bp."""
    return sum(
        float(np.abs(fold.moves[np.abs(fold.p - tenth.end.edge) <= TOLERANCE * _spread(fold.p)]).sum())
        for fold in tested
        for tenth in (fold.highest, fold.lowest)
    )


def _spread(p: FloatArray) -> float:
    return float(np.ptp(p))
