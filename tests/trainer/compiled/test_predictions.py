import numpy as np
import pytest
from sklearn import metrics

from trainer.compiled.predictions import ascending_order, summed_losses

EPSILON = float(np.finfo(np.float64).eps)


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
