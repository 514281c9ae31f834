import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import rankdata
from sklearn import metrics

from trainer.compiled.predictions import (
    log_odds,
    midranks,
    probabilities,
    raised,
    ranked_and_ordered,
    slope_derivatives,
    summed_losses,
    tallies,
)

EPSILON = float(np.finfo(np.float64).eps)


def ascending_order(values):
    """The positions that put numbers in ascending order: where each stood is its outcome."""
    ranks, ascending, outcomes = ranked_and_ordered(values, np.arange(float(len(values))))
    order = outcomes.astype(np.int64)
    assert np.array_equal(ascending, values[order])
    assert np.array_equal(ranks, rankdata(values)) and np.array_equal(midranks(values), ranks)
    return order


@pytest.mark.parametrize("rows", [1, 2, 17, 64, 65, 1000, 100_003])
@pytest.mark.parametrize("distinct", [1, 2, 50, None])
def test_the_order_is_that_of_a_stable_sort(rows, distinct):
    draw = np.random.default_rng([rows, distinct or 0])
    values = draw.random(rows) if distinct is None else draw.choice(draw.random(distinct), rows)
    assert np.array_equal(ascending_order(values), np.argsort(values, kind="stable"))


def test_numbers_of_all_sizes_and_signs_are_put_in_order():
    draw = np.random.default_rng(1)
    values = draw.standard_normal(5000) * 10.0 ** draw.integers(-300, 300, 5000)
    values[:4] = [np.inf, -np.inf, 5e-324, -5e-324]
    assert np.array_equal(ascending_order(values), np.argsort(values, kind="stable"))
    assert ascending_order(np.empty(0)).tolist() == []


def test_every_second_number_is_put_in_order_where_it_lies():
    values = np.random.default_rng(2).random(1000)
    assert np.array_equal(ascending_order(values[::2]), np.argsort(values[::2], kind="stable"))


@pytest.mark.parametrize("spread", [1e-5, 1e-7, 1e-9, 1e-11])
@pytest.mark.parametrize("way", ["random", "falling", "rising"])
def test_numbers_that_differ_only_beyond_their_first_digits_are_put_in_order(spread, way):
    # Beside one that is far away they share the first 32 of the bits that all differ in: a few, or all.
    draw = np.random.default_rng(4)
    close = 0.5 + spread * np.round(draw.random(30_000), 4)
    close = {"random": close, "rising": np.sort(close), "falling": np.sort(close)[::-1]}[way]
    values = np.concatenate([[1e6], close, [-1e6]])
    assert np.array_equal(ascending_order(values), np.argsort(values, kind="stable"))


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 5, 1001])
def test_log_odds_and_probabilities_are_those_of_scipy_and_each_other(rows):
    draw = np.random.default_rng(rows)
    t = np.concatenate([draw.normal(0, 5, rows), draw.normal(0, 1e-4, rows)])
    p = probabilities(t)
    assert p == pytest.approx(expit(t), rel=4e-15, abs=0)
    assert log_odds(p, EPSILON) == pytest.approx(logit(p), rel=4e-15, abs=2e-15)
    assert log_odds(p, EPSILON) == pytest.approx(t, rel=1e-9, abs=1e-15)
    # A number's digits do not depend on where it stands.
    assert probabilities(t[1:]).tobytes() == p[1:].tobytes()


def test_certainties_have_log_odds_and_what_is_no_number_stays_so():
    assert probabilities(np.array([-2000.0, 2000.0])).tolist() == [pytest.approx(0.0, abs=1e-300), 1.0]
    sure = log_odds(np.array([0.0, 1.0, EPSILON / 2]), EPSILON)
    assert sure == pytest.approx([np.log(EPSILON), -np.log(EPSILON), np.log(EPSILON)])
    assert (
        np.isnan(probabilities(np.full(5, np.nan))).all()
        and np.isnan(log_odds(np.full(5, np.nan), EPSILON)).all()
    )


@pytest.mark.parametrize("rows", [0, 1, 4, 7, 20_001])
@pytest.mark.parametrize("slope", [0.1, 1.0, 1.7])
def test_slope_derivatives_are_those_of_the_summed_log_loss(rows, slope):
    draw = np.random.default_rng(rows)
    added, y, intercept = draw.normal(0, 0.7, rows), draw.choice([0.0, 0.5, 1.0], rows), 0.3
    p = expit(intercept + slope * added)
    gradient, curvature = slope_derivatives(added, y, intercept, slope)
    assert gradient == pytest.approx(float(np.sum((p - y) * added)), rel=1e-11, abs=1e-15)
    assert curvature == pytest.approx(float(np.sum(p * (1 - p) * added**2)), rel=1e-12)


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 5000])
def test_losses_are_scikit_learns(rows):
    draw = np.random.default_rng(rows)
    p, y = draw.random(rows), draw.integers(0, 2, rows).astype(float)
    expected = metrics.log_loss(y, p, labels=[0, 1], normalize=False)
    assert summed_losses(p, y, EPSILON) == pytest.approx(expected, rel=1e-12)


def test_half_of_each_is_lost_where_neither_happened():
    p = np.random.default_rng(3).random(500)
    both = summed_losses(p, np.zeros(500), EPSILON) + summed_losses(p, np.ones(500), EPSILON)
    assert summed_losses(p, np.full(500, 0.5), EPSILON) == pytest.approx(both / 2, rel=1e-12)


def test_a_thousand_certain_mistakes_lose_no_more_than_the_least_probability_allows():
    for p, y in ((0.0, 1.0), (1.0, 0.0)):
        lost = summed_losses(np.full(1000, p), np.full(1000, y), EPSILON)
        assert lost == pytest.approx(-1000 * np.log(EPSILON), rel=1e-12)
    assert summed_losses(np.empty(0), np.empty(0), EPSILON) == 0.0


def test_predictions_and_outcomes_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="outcomes"):
        summed_losses(np.zeros(3), np.zeros(2), EPSILON)
    with pytest.raises(ValueError, match="outcomes"):
        slope_derivatives(np.zeros(3), np.zeros(4), 0.0, 1.0)
    with pytest.raises(ValueError, match="in a row"):
        midranks(np.zeros((3, 2)))
    for function in (ranked_and_ordered, tallies):
        with pytest.raises(ValueError, match="outcomes"):
            function(np.zeros(3), np.zeros(2))


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 6, 1003])
def test_squares_and_what_was_told_of_a_direction_are_counted(rows):
    draw = np.random.default_rng(rows)
    p, y = draw.choice([0.2, 0.5, 0.8], rows), draw.choice([0.0, 0.5, 1.0], rows)
    squares, directed, right = tallies(p, y)
    assert squares == pytest.approx(np.sum((p - y) ** 2), rel=1e-13)
    assert directed == np.count_nonzero(y != 0.5)
    assert right == np.count_nonzero((y != 0.5) & ((p > 0.5) == (y > 0.5)))


@pytest.mark.parametrize("distinct", [3, 10**6])
@pytest.mark.parametrize("falls", [0, 1, 500])
def test_further_rows_are_raised_by_the_outcomes_above_them_and_half_of_their_equals(distinct, falls):
    draw = np.random.default_rng(falls)
    p = np.sort(draw.integers(0, distinct, 700) / distinct)
    y, others = draw.choice([0.0, 0.5, 1.0], 700), draw.integers(0, distinct, falls) / distinct
    expected = sum(y[p > one].sum() + y[p == one].sum() / 2 for one in others)
    assert raised(p, y, others) == expected
    rounded = others.astype(np.float32)
    assert raised(p, y, rounded) == raised(p, y, rounded.astype(np.float64))


def test_a_further_row_that_is_no_number_makes_a_sum_that_is_none():
    said, outcomes = np.array([0.4, 0.6]), np.array([0.0, 1.0])
    assert np.isnan(raised(said, outcomes, np.array([np.nan, 0.5, np.nan])))
