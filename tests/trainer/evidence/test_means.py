"""The test of a mean of a series that depends on its past."""

import numpy as np
import pytest

from trainer.compiled.predictions import midranks
from trainer.evidence.means import auc_influence, mean_p_value
from trainer.learning.scores import area_under_curve


def labels(draw, rows, horizon):
    price = np.cumsum(draw.standard_t(4, rows + horizon))
    return (price[horizon:] > price[:-horizon]).astype(float)


def slow(draw, rows, keep=0.95):
    values = np.empty(rows)
    last = 0.0
    for index, fresh in enumerate(draw.standard_normal(rows)):
        values[index] = last = keep * last + np.sqrt(1 - keep * keep) * fresh
    return values


@pytest.mark.parametrize(("rows", "horizon"), [(50, 1), (60, 5), (400, 5)])
def test_differences_of_losses_and_areas_hold_the_level_with_slow_predictions_and_long_labels(rows, horizon):
    draw = np.random.default_rng(rows + horizon)
    paired, areas = [], []
    for _ in range(600):
        y = labels(draw, rows, horizon)
        if y.min() == y.max():
            continue
        one, two = 0.1 * slow(draw, rows), 0.1 * slow(draw, rows)
        sign = 2 * y - 1
        paired.append(mean_p_value(np.log1p(np.exp(-one * sign)) - np.log1p(np.exp(-two * sign)), horizon))
        areas.append(mean_p_value(0.5 - auc_influence(one, y), horizon))
    # Standard error of a share of 600 at 5 %: 0.9 %.
    assert 0.02 < np.mean(np.array(paired) <= 0.05) < 0.08
    assert 0.02 < np.mean(np.array(areas) <= 0.05) < 0.10


def test_a_mean_above_zero_is_found_and_one_below_is_not():
    draw = np.random.default_rng(3)
    found = [mean_p_value(draw.standard_normal(400) + 0.2, 1) for _ in range(100)]
    assert np.mean(np.array(found) <= 0.05) > 0.9
    assert min(mean_p_value(draw.standard_normal(400) - 0.2, 1) for _ in range(100)) > 0.5


@pytest.mark.parametrize("outcomes", [2, 3])
def test_the_mean_of_the_influence_is_the_area_with_ties_too(outcomes):
    draw = np.random.default_rng(4)
    p, y = draw.integers(0, 5, 200).astype(float), draw.integers(0, outcomes, 200) / (outcomes - 1)
    assert auc_influence(p, y).mean() == pytest.approx(area_under_curve(midranks(p), y), abs=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.7])
def test_the_spread_of_the_influence_is_that_of_the_area(level):
    draw = np.random.default_rng(5)
    areas, variances = [], []
    for _ in range(1500):
        y = np.where(draw.random(300) < level, 0.5, draw.random(300) < 0.4)
        p = draw.standard_normal(300) + 0.5 * y
        areas.append(area_under_curve(midranks(p), y))
        variances.append(auc_influence(p, y).var() / 300)
    assert np.mean(variances) == pytest.approx(np.var(areas), rel=0.15)


@pytest.mark.parametrize(
    ("values", "told"), [([1.0] * 7, 1.0), ([0.0] * 20, 1.0), ([1.0] * 20, 0.0), ([-1.0] * 20, 1.0)]
)
def test_too_few_values_and_equal_ones(values, told):
    assert mean_p_value(np.array(values), 1) == told
