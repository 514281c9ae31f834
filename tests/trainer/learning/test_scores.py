import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn import metrics

from trainer.compiled.predictions import midranks
from trainer.learning.scores import (
    CHUNK,
    Ordered,
    area_under_curve,
    log_loss,
    row_losses,
    score,
    score_ties,
)

# Few distinct values, so that ties are common.
predictions = st.lists(st.sampled_from([0.1, 0.25, 0.4, 0.5, 0.75, 0.9]), min_size=2, max_size=60)


@settings(max_examples=100, deadline=None)
@given(values=predictions)
def test_midranks_share_the_mean_of_tied_ranks(values):
    assert midranks(np.array(values)).tolist() == rankdata(values).tolist()


@settings(max_examples=150, deadline=None)
@given(values=predictions, seed=st.integers(0, 2**16))
def test_scores_agree_with_scikit_learn(values, seed):
    p = np.array(values)
    y = np.random.default_rng(seed).integers(0, 2, len(p)).astype(float)
    found = score(p, y)
    assert found.brier == pytest.approx(metrics.brier_score_loss(y, p), abs=1e-12)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(y, p > 0.5))
    assert found.log_loss == pytest.approx(metrics.log_loss(y, p, labels=[0, 1]), rel=1e-12)
    assert found.base_rate == pytest.approx(y.mean())
    assert found.n == len(p)
    if 0 < y.sum() < len(y):
        assert found.auc == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-12)
    else:
        assert found.auc is None


def test_certain_predictions_have_a_finite_log_loss():
    p, y = np.array([0.0, 1.0, 1.0]), np.array([1.0, 1.0, 0.0])
    assert log_loss(p, y) == pytest.approx(metrics.log_loss(y, p))


def test_a_perfect_and_a_reversed_order_are_one_and_zero():
    y = np.array([0.0, 0.0, 1.0, 1.0, 1.0])
    assert area_under_curve(midranks(np.arange(5.0)), y) == 1.0
    assert area_under_curve(midranks(-np.arange(5.0)), y) == 0.0
    assert area_under_curve(midranks(np.ones(5)), y) == 0.5


def test_ties_lower_the_score_as_falls_would():
    p, y = np.array([0.6, 0.4]), np.array([1.0, 0.0])
    found = score_ties(Ordered.of(p, y), np.array([0.7, 0.5]), 5, 0.25)
    # Of the pairs of the rise with a fall or a tie two of three are in order.
    assert found.auc_with_ties == pytest.approx(2 / 3)
    assert (found.rows, found.share) == (5, 0.25)
    assert score_ties(Ordered.of(p, y), np.array([]), 0, 0.0).auc_with_ties == 1.0


@settings(max_examples=100, deadline=None)
@given(values=predictions, seed=st.integers(0, 2**16))
def test_of_three_outcomes_pairs_are_counted_one_by_one_as_their_outcomes_differ(values, seed):
    p = np.array(values)
    y = np.random.default_rng(seed).integers(0, 3, len(p)) / 2
    won = apart = 0.0
    for i in range(len(p)):
        for j in range(len(p)):
            if y[i] > y[j]:
                apart += y[i] - y[j]
                won += (y[i] - y[j]) * ((p[i] > p[j]) + 0.5 * (p[i] == p[j]))
    found = score(p, y)
    assert found.auc == (pytest.approx(won / apart) if apart else None)
    directed = y != 0.5
    right = (p > 0.5)[directed] == (y > 0.5)[directed]
    assert found.accuracy == pytest.approx(right.mean() if directed.any() else 0)
    losses = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert found.log_loss == pytest.approx(losses.mean())
    assert found.base_rate == pytest.approx(y.mean())


def test_who_only_tells_calm_from_wild_rows_gains_nothing_where_wild_ones_fall_as_often():
    # A label "up by more than the costs, or not" would give such predictions an area of 0.83.
    wild = np.arange(4000) % 2
    y = np.where(wild == 1, (np.arange(4000) // 2) % 2, 0.5)
    p = 0.4 + 0.2 * wild
    assert score(p, y).auc == 0.5
    assert metrics.roc_auc_score(y == 1, p) == pytest.approx(5 / 6)


def test_losses_of_many_rows_are_those_of_each_row():
    draw = np.random.default_rng(1)
    rows = 2 * CHUNK + 5
    p, y = draw.random(rows), draw.choice([0.0, 0.5, 1.0], rows)
    p[:3], p[-3:] = [0.0, 1.0, 0.5], [1.0, 0.0, 0.5]
    found = row_losses(p, y)
    assert found.tolist() == [row_losses(p[i : i + 1], y[i : i + 1])[0] for i in range(rows)]
    given = np.where(y > 0.5, p, 1.0 - p).clip(np.finfo(float).eps, 1.0 - np.finfo(float).eps)
    assert np.array_equal(found[y != 0.5], -np.log(given)[y != 0.5])


def test_known_ranks_give_the_same_scores():
    draw = np.random.default_rng(0)
    p, y = draw.random(300).round(2), draw.integers(0, 2, 300).astype(float)
    assert score(p, y, midranks(p)) == score(p, y)
    assert score(p, y, midranks(-p)).auc != score(p, y).auc


@pytest.mark.parametrize("decimals", [1, 2, 17])
def test_predictions_in_order_have_the_ranks_that_they_had_before(decimals):
    draw = np.random.default_rng(decimals)
    p, y = draw.random(3000).round(decimals), draw.integers(0, 2, 3000).astype(float)
    ordered = Ordered.of(p, y)
    assert (np.diff(ordered.p) >= 0).all()
    order = np.argsort(p, kind="stable")
    assert np.array_equal(ordered.p, p[order]) and np.array_equal(ordered.y, y[order])
    assert ordered.midranks.tolist() == rankdata(p).tolist()
    assert ordered.of_outcomes == rankdata(p) @ y


@pytest.mark.parametrize("outcomes", [[0.0, 1.0], [0.0, 0.5, 1.0], [1.0], [0.0]])
@pytest.mark.parametrize("decimals", [1, 2, 17])
def test_the_area_with_ties_is_that_of_all_rows_to_the_last_digit(outcomes, decimals):
    draw = np.random.default_rng(decimals)
    p, tied = draw.random(3000).round(decimals), draw.random(400).round(decimals)
    y = draw.choice(outcomes, 3000)
    everything, truth = np.concatenate([p, tied]), np.concatenate([y, np.zeros(400)])
    expected = area_under_curve(midranks(everything), truth)
    assert score_ties(Ordered.of(p, y), tied, 400, 0.1).auc_with_ties == expected


def test_the_log_loss_is_the_mean_of_the_rows_losses():
    draw = np.random.default_rng(2)
    rows = 3 * CHUNK + 11
    p, y = draw.random(rows), draw.choice([0.0, 0.5, 1.0], rows)
    p[:40] = 0.0
    assert log_loss(p, y) == pytest.approx(row_losses(p, y).mean(), rel=1e-13)
