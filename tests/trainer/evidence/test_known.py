import numpy as np
import pytest

from trainer.evidence.known import Known
from trainer.evidence.significance import rank_sum
from trainer.learning.edge import FoldOutcome, edge
from trainer.learning.scores import score


@pytest.fixture
def predictions():
    draw = np.random.default_rng(8)
    return draw.random(200), draw.integers(0, 2, 200).astype(float)


def test_verdicts_are_those_of_their_functions(predictions):
    p, y = predictions
    known = Known()
    outcomes = [FoldOutcome(p, 10 * (y - 0.5))]
    for _ in range(2):
        assert known.scores(p, y) == score(p, y)
        assert known.scores_and_test(p, y, 3, 60) == (score(p, y), rank_sum(p, y, 3, 60))
        assert known.edge(outcomes, 3, 10.0) == edge(outcomes, 3, 10.0)


def test_what_is_kept_counts_for_equal_arrays_alone(predictions):
    p, y = predictions
    known, kept = Known(), score(p[:50], y[:50])
    known.keep_scores(p, y, kept)
    assert known.scores(p.copy(), y.copy()) is kept
    for place in (0, 199):
        nudged, turned = p.copy(), y.copy()
        nudged[place] = np.nextafter(nudged[place], 1.0)
        turned[place] = 1.0 - turned[place]
        assert known.scores(nudged, y) == score(nudged, y)
        assert known.scores(p, turned) == score(p, turned)
    assert known.scores(p[:-1], y[:-1]) == score(p[:-1], y[:-1])
    assert known.scores_and_test(p, y, 3, 60)[0] == score(p, y)


def test_another_horizon_is_another_verdict(predictions):
    p, y = predictions
    known = Known()
    assert known.scores_and_test(p, y, 3, 60)[1] != known.scores_and_test(p, y, 30, 60)[1]
