from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import kstest, mannwhitneyu

from trainer.compiled.predictions import midranks
from trainer.evidence import significance
from trainer.evidence.significance import auc_p_value, covariances, lift_of_fading
from trainer.learning.scores import area_under_curve


def remembering(draw, rows, memory):
    """Of variance one; what lies `memory` rows back counts 1/e."""
    keep = np.exp(-1 / memory)
    noise = np.sqrt(1 - keep**2) * draw.standard_normal(rows + 8 * memory)
    return lfilter([1], [1, -keep], noise)[8 * memory :]


def rises(returns, rows, horizon):
    """Labels of the rows whose last known bar is the first, the second and so on."""
    close = np.cumsum(returns)
    return (close[horizon : horizon + rows] > close[:rows]).astype(float)


def assert_size(p_values):
    """Levels are passed no more than 1.3 times as often as they say, within three standard errors."""
    for level in (0.01, 0.05, 0.1):
        share = np.mean(np.array(p_values) <= level)
        assert share <= 1.3 * level + 3 * np.sqrt(level * (1 - level) / len(p_values)), level


@settings(max_examples=120, deadline=None)
@given(
    rows=st.integers(4, 60), reach=st.integers(1, 20), block=st.integers(1, 60), seed=st.integers(0, 2**16)
)
def test_the_transform_gives_what_sums_one_by_one_give(rows, reach, block, seed):
    reach = min(reach, rows - 1)
    draw = np.random.default_rng(seed)
    p, y = draw.standard_normal((2, rows))
    rest = y - 0.3 * p
    with mock.patch.object(significance, "BLOCK_ROWS", block):
        own_p, own_y, later = covariances(p + 5.0, y - 2.0, (5.0, -2.0), 0.3, reach)
    lags = range(reach + 1)
    assert own_p == pytest.approx([sum(p[k:] * p[: rows - k]) for k in lags], abs=1e-9)
    assert own_y == pytest.approx([sum(rest[k:] * rest[: rows - k]) for k in lags], abs=1e-9)
    assert later == pytest.approx([sum(p[k:] * y[: rows - k]) for k in lags[1:]], abs=1e-9)


@pytest.mark.parametrize("values", [10**9, 4])
def test_rows_without_a_past_are_judged_as_by_mann_and_whitney(values):
    draw = np.random.default_rng(1)
    for strength in (0.0, 0.02, 0.05):
        y = (draw.random(20_000) < 0.4).astype(float)
        p = np.floor(values * np.clip(0.5 + strength * (y - 0.5) + 0.1 * draw.standard_normal(20_000), 0, 1))
        known = mannwhitneyu(p[y > 0], p[y < 1], alternative="greater", method="asymptotic")
        assert np.log(auc_p_value(p, y, 1)) == pytest.approx(np.log(known.pvalue), rel=0.05, abs=0.05)


def test_p_values_of_independent_rows_are_uniform():
    draw = np.random.default_rng(2)
    found = [
        auc_p_value(draw.standard_normal(2000), (draw.random(2000) < 0.55).astype(float), 1)
        for _ in range(600)
    ]
    assert kstest(found, "uniform").pvalue > 0.001


@pytest.mark.parametrize(("rows", "horizon"), [(300, 3), (1000, 10)])
def test_overlapping_labels_and_slow_predictions_pass_no_more_often_than_they_should(rows, horizon):
    draw = np.random.default_rng(3)
    found, naive = [], []
    for _ in range(1500):
        p, y = remembering(draw, rows, 30), rises(draw.standard_t(3, rows + horizon), rows, horizon)
        found.append(auc_p_value(p, y, horizon))
        naive.append(mannwhitneyu(p[y > 0], p[y < 1], alternative="greater").pvalue)
    assert_size(found)
    with pytest.raises(AssertionError):
        assert_size(naive)


def test_levels_by_fold_pass_no_more_often_than_they_should():
    draw = np.random.default_rng(4)
    assert_size(
        [
            auc_p_value(np.repeat(draw.standard_normal(5), 100), rises(draw.standard_normal(505), 500, 5), 5)
            for _ in range(1500)
        ]
    )


def test_fading_the_past_is_not_taken_for_knowing_the_future():
    draw = np.random.default_rng(5)
    found, areas = [], []
    for _ in range(1500):
        returns = draw.standard_normal(1000 + 60 + 3)
        p = -np.convolve(returns, np.ones(60), "valid")[:1000]
        y = rises(returns[59:], 1000, 3)
        areas.append(area_under_curve(midranks(p), y))
        found.append(auc_p_value(p, y, 3))
    assert_size(found)
    # Ranking among later rows lifts the area of what knows nothing.
    assert np.mean(areas) > 0.505


def test_the_lift_of_fading_is_never_below_zero():
    assert lift_of_fading(np.array([-3.0, -1.0]), np.array([0.5, 0.0]), 100) == pytest.approx(0.07 / 0.98)
    assert lift_of_fading(np.array([3.0, 1.0]), np.array([0.5, 0.0]), 100) == 0.0


@pytest.mark.parametrize("rows", [40_000, 40_008])
def test_a_signal_of_the_hour_of_day_is_found(rows):
    draw = np.random.default_rng(6)
    hour = np.arange(rows) % 24
    edge = 0.053 * np.where(draw.permutation(24) < 12, 1.0, -1.0)[hour]
    for _ in range(10):
        y = (draw.random(rows) < 0.5 + edge).astype(float)
        assert area_under_curve(midranks(edge), y) < 0.565
        assert auc_p_value(edge, y, 1) <= 0.001


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_trend_of_five_days_is_found(horizon):
    draw = np.random.default_rng(7)
    for _ in range(10):
        trend = 0.05 * remembering(draw, 40_000 + horizon, 120)
        y = rises(trend + draw.standard_normal(len(trend)), 40_000, horizon)
        assert auc_p_value(trend[:40_000], y, horizon) <= 0.001


def test_a_model_that_follows_past_returns_and_knows_a_little_of_the_next_is_found():
    draw = np.random.default_rng(8)
    returns = draw.standard_normal(600)
    y = (returns[1:] > 0).astype(float)
    p = np.convolve(returns, np.ones(20), "full")[:599] + 0.8 * returns[1:]
    assert auc_p_value(p, y, 1, 20) < 0.01


def test_only_ranks_matter():
    draw = np.random.default_rng(9)
    p, y = draw.random(500), (draw.random(500) < 0.5).astype(float)
    assert auc_p_value(p, y, 3) == auc_p_value(np.exp(p), y, 3)


def test_what_ranks_every_fall_above_every_rise_is_never_significant():
    y = (np.arange(300) % 3 == 0).astype(float)
    assert auc_p_value(1 - y, y, 1) > 0.5
    assert auc_p_value(y, y, 1) < 1e-6


@pytest.mark.parametrize(
    ("p", "y"),
    [
        (np.arange(50.0), np.ones(50)),
        (np.arange(50.0), np.zeros(50)),
        (np.full(50, 0.5), (np.arange(50) % 2).astype(float)),
        (np.array([0.0, 1.0]), np.array([0.0, 1.0])),
        (np.array([0.3]), np.array([1.0])),
    ],
)
def test_where_there_is_nothing_to_rank_nothing_is_significant(p, y):
    assert auc_p_value(p, y, 1) == 1.0
