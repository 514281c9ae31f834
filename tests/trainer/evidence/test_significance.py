import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from trainer.evidence.significance import allowed_shifts, shift_p_value, shifted_rank_sums
from trainer.learning.scores import area_under_curve, midranks


def brute_force(p, y, horizon, memory):
    n = len(y)
    ranks = midranks(p)
    observed = area_under_curve(ranks, y)
    shifts = [s for s in range(1, n) if s >= horizon and n - s >= horizon + memory]
    if not shifts or observed is None:
        return 1.0
    null = [area_under_curve(ranks, np.array([y[(i + s) % n] for i in range(n)])) for s in shifts]
    # Ranks are multiples of one half, so that equal areas are equal but for the last digit.
    return (1 + sum(area >= observed - 1e-12 for area in null)) / (1 + len(shifts))


@settings(max_examples=120, deadline=None)
@given(
    rows=st.integers(1, 60),
    horizon=st.integers(1, 6),
    memory=st.integers(0, 8),
    levels=st.sampled_from([2, 5, 10**6]),
    seed=st.integers(0, 2**16),
)
def test_the_transform_gives_what_shifting_one_by_one_gives(rows, horizon, memory, levels, seed):
    draw = np.random.default_rng(seed)
    p = draw.integers(0, levels, rows) / levels
    y = draw.integers(0, 2, rows).astype(float)
    assert shift_p_value(p, y, horizon, memory) == pytest.approx(brute_force(p, y, horizon, memory))


def test_shifts_that_show_the_truth_or_the_features_past_are_left_out():
    # Of 12 rows: 1, 2, 11 and 10 share the label's bars; 9 and 8 look at labels that the features hold.
    assert allowed_shifts(12, horizon=3, memory=2).tolist() == [3, 4, 5, 6, 7]
    assert allowed_shifts(5, horizon=3, memory=2).tolist() == []


def test_a_positive_shift_meets_later_labels():
    y = np.array([0.0, 0.0, 1.0, 0.0])
    ranks = np.array([4.0, 1.0, 2.0, 3.0])
    assert shifted_rank_sums(ranks, y) + 2.5 == pytest.approx([2.0, 1.0, 4.0, 3.0])


def test_sums_stay_whole_numbers_for_a_prime_million():
    draw = np.random.default_rng(0)
    rows = 1_000_003
    sums = 2 * shifted_rank_sums(midranks(draw.random(rows)), (draw.random(rows) < 0.5).astype(float))
    assert np.abs(sums - np.rint(sums)).max() < 0.01


def test_p_values_of_noise_are_uniform_though_both_series_are_autocorrelated():
    draw = np.random.default_rng(1)
    p_values = []
    for _ in range(300):
        p = lfilter([1], [1, -0.95], draw.standard_normal(700))
        steps = draw.standard_normal(705)
        y = (np.convolve(steps, np.ones(5), "valid")[:700] > 0).astype(float)
        p_values.append(shift_p_value(p, y, 5, 0))
    shares = [np.mean(np.array(p_values) <= level) for level in (0.1, 0.25, 0.5, 0.75)]
    # Four standard errors of a share of 300 draws.
    for share, level in zip(shares, (0.1, 0.25, 0.5, 0.75), strict=True):
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / 300)


def test_a_signal_is_as_significant_as_the_shifts_allow():
    draw = np.random.default_rng(2)
    signal = draw.standard_normal(2000)
    y = (signal + draw.standard_normal(2000) > 0).astype(float)
    assert shift_p_value(signal, y, 3, 60) == pytest.approx(1 / (1 + 2000 - 6 - 60 + 1))


def test_a_model_of_past_returns_is_not_judged_by_the_labels_it_was_made_of():
    draw = np.random.default_rng(3)
    returns = draw.standard_normal(600)
    y = (returns[1:] > 0).astype(float)
    # It follows the last 20 returns, whose signs are earlier rows' labels, and knows a little of the next.
    p = np.convolve(returns, np.ones(20), "full")[:599] + 0.8 * returns[1:]
    assert shift_p_value(p, y, 1, 0) > 0.01
    assert shift_p_value(p, y, 1, 20) < 0.01


def test_one_class_only_is_never_significant():
    assert shift_p_value(np.arange(50.0), np.ones(50), 1, 0) == 1.0
