import numpy as np
import pytest

from trainer.evidence import edge_check
from trainer.evidence.edge_check import check_edge
from trainer.evidence.known import Known
from trainer.evidence.predicted import Predicted
from trainer.features.labels import future_moves
from trainer.learning.edge import FoldOutcome, edge
from trainer.learning.stretch import Stretch


@pytest.fixture
def said(job):
    draw = np.random.default_rng(3)
    stretches = [Stretch.of(job.data.design, fold.test_start, fold.test_stop) for fold in job.data.folds]
    return [Predicted(None, one, draw.random(one.stop - one.start), np.zeros(1)) for one in stretches]


def outcomes(data, said, unbroken):
    """Give the outcome of each row whose next bars are there, all of them or only the last."""
    candles, steps = data.candles, range(1 if unbroken else data.horizon, data.horizon + 1)
    close = dict(zip(candles.open_time.tolist(), candles.close.tolist(), strict=True))
    found = []
    for one in said:
        p, moves = [], []
        for row in range(one.stretch.start, one.stretch.stop):
            now = int(candles.open_time[data.matrix.bar[row]])
            later = [now + step * candles.interval_ms for step in steps]
            if all(moment in close for moment in later):
                p.append(one.chosen[row - one.stretch.start])
                moves.append(1e4 * np.log(close[later[-1]] / close[now]))
        found.append(FoldOutcome(np.array(p), np.array(moves)))
    return found


def test_the_edge_is_of_the_rows_that_are_followed_by_a_whole_horizon(job, said):
    data = job.data
    costs = data.label.costs_bp
    honest = edge(outcomes(data, said, unbroken=True), data.horizon, costs)
    assert check_edge(data, said, honest, Known()).passed
    across = edge(outcomes(data, said, unbroken=False), data.horizon, costs)
    assert across.rows > honest.rows
    assert not check_edge(data, said, across, Known()).passed


def test_moves_that_are_not_those_of_the_closes_fail(job, said, monkeypatch):
    data = job.data
    honest = edge(outcomes(data, said, unbroken=True), data.horizon, data.label.costs_bp)
    monkeypatch.setattr(edge_check, "future_moves", lambda *asked: future_moves(*asked) * (1 + 1e-6))
    verdict = check_edge(data, said, honest, Known())
    assert not verdict.passed and verdict.detail == "the moves of rows are not those of their closes"
