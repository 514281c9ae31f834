import numpy as np
import pytest

from trainer.compiled.passes import SPAN_ROWS, sizes
from trainer.learning.curved_part import CurvedPart
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.row_sample import drawn


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(3).standard_normal((14 * SPAN_ROWS + 100, 5)).astype(np.float32)


WEIGHTS = (np.random.default_rng(4).standard_normal((3, 5)) * 0.2).astype(np.float32).astype(float)
OFFSETS = np.array([0.0, 0.125, -3.0])


def curved(log_odds):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-log_odds)) - 0.5 - log_odds / 4


def expected(values, counted=1.0):
    of_rows = curved(values.astype(float) @ WEIGHTS.T + OFFSETS) * np.reshape(counted, (-1, 1))
    return np.column_stack([of_rows.sum(0), of_rows.T @ values.astype(float)])


@pytest.mark.parametrize("share", [1.0, 0.9, 0.2])
def test_sums_are_those_of_the_labelled_rows_among_the_first(values, share):
    row = np.flatnonzero(np.random.default_rng(5).random(len(values)) < share)
    design = DesignMatrix(values, row)
    rows = len(row) * 3 // 4
    found = CurvedPart.of(design, rows).sums(WEIGHTS, OFFSETS).sum(axis=0)
    wanted = expected(values[row[:rows]])
    assert found == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())


def test_six_digits_are_right_however_small_or_large_the_log_odds_are():
    # Where they are small only the series has the digits that the formula loses.
    for log_odds in (1e-3, 0.02, 0.3, 1.0, 1.9, 2.1, 6.0):
        t = float(np.float32(log_odds))
        series = t**3 * (-1 / 48 + t**2 * (1 / 480 - 17 * t**2 / 80640))
        wanted = curved(t) if t > 0.05 else series
        found = CurvedPart(np.array([[t]], dtype=np.float32)).sums(np.ones((1, 1)), np.zeros(1))
        assert found[:, 0, 0].sum() == pytest.approx(wanted, rel=1e-6)


def test_the_polynomial_and_tanh_meet_where_one_ends_and_the_other_begins():
    edge = 2.0
    weight = np.array([[1.0]])
    below, above = (
        CurvedPart(np.array([[log_odds]], dtype=np.float32)).sums(weight, np.zeros(1)).sum()
        for log_odds in (edge * (1 - 1e-6), edge * (1 + 1e-6))
    )
    assert below == pytest.approx(above, rel=1e-5)
    assert below != above


def test_one_row_far_out_changes_nothing_of_the_others(values):
    far = values[:SPAN_ROWS].copy()
    far[7] = 50.0
    without = np.delete(far, 7, axis=0)
    difference = CurvedPart(far).sums(WEIGHTS, OFFSETS) - CurvedPart(without).sums(WEIGHTS, OFFSETS)
    # Digits of the others are lost where it has more to say than all of them.
    wanted, others = expected(far[7:8]), np.abs(expected(without)).max()
    assert difference.sum(axis=0) == pytest.approx(wanted, rel=1e-6, abs=1e-6 * others)


def test_a_row_that_is_further_out_than_any_polynomial_reaches_is_told_itself(values):
    alone = np.full((1, values.shape[1]), 1e6, dtype=np.float32)
    with np.errstate(all="raise", under="ignore"):
        found = CurvedPart(alone).sums(WEIGHTS, OFFSETS).sum(axis=0)
    assert found == pytest.approx(expected(alone), rel=1e-6)


def sampled(design, rows, count):
    return CurvedPart.sampled(design, sizes(design.values, design.row[:rows]), count)


def test_a_sample_counts_each_of_its_rows_as_often_as_it_stands_for_others(values):
    row = np.arange(0, len(values), 2)
    part = sampled(DesignMatrix(values, row), 6000, 1500)
    lengths = np.square(values[row[:6000]].astype(float)).sum(axis=1)
    positions, weights = drawn(lengths**1.5, 1500)
    found = part.sums(WEIGHTS, OFFSETS).sum(axis=0)
    wanted = expected(values[row[positions]], weights)
    assert found == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())


def test_variances_count_each_row_as_often_as_it_is_said(values):
    counted = np.random.default_rng(8).integers(0, 5, len(values)).astype(np.float32)
    means = values.mean(axis=0, dtype=float) + 0.5
    for weights in (None, counted):
        wanted = np.average(np.square(values - means), axis=0, weights=weights)
        assert CurvedPart(values, counted=weights).variances(means) == pytest.approx(wanted, rel=1e-5)


def test_a_sample_stands_for_the_first_rows_alone(values):
    design, later = (DesignMatrix(each, np.arange(len(values))) for each in (values, values.copy()))
    later.values[6000:] *= 9.0
    before, after = (sampled(each, 6000, 1500).sums(WEIGHTS, OFFSETS) for each in (design, later))
    assert before.tobytes() == after.tobytes()


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_rows_count_as_often_as_is_said_however_few_count(values, share):
    draw = np.random.default_rng(7)
    counted = (draw.random(len(values)) < share) * draw.integers(1, 4, len(values))
    found = CurvedPart(values, counted=counted.astype(np.float32)).sums(WEIGHTS, OFFSETS).sum(axis=0)
    wanted = expected(values, counted)
    assert found == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())


def test_even_and_odd_spans_are_summed_apart(values):
    rows = SPAN_ROWS
    part = CurvedPart(values[: 2 * rows])
    even, odd = part.sums(WEIGHTS, OFFSETS)
    for half, of in ((even, values[:rows]), (odd, values[rows : 2 * rows])):
        wanted = expected(of)
        assert half == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())
