import numpy as np
import pytest

from trainer.learning.curved_part import BLOCK_ROWS, SAMPLED_BLOCK_ROWS, CurvedPart
from trainer.learning.design_matrix import DesignMatrix


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(3).standard_normal((7 * BLOCK_ROWS + 100, 5)).astype(np.float32)


WEIGHTS = (np.random.default_rng(4).standard_normal((3, 5)) * 0.2).astype(np.float32).astype(float)
OFFSETS = np.array([0.0, 0.1, -3.0])


def expected(values):
    log_odds = values.astype(float) @ WEIGHTS.T + OFFSETS
    curved = 1 / (1 + np.exp(-log_odds)) - 0.5 - log_odds / 4
    return np.column_stack([curved.sum(0), curved.T @ values.astype(float)])


@pytest.mark.parametrize("share", [1.0, 0.9, 0.2])
def test_sums_are_those_of_the_labelled_rows_among_the_first(values, share):
    row = np.flatnonzero(np.random.default_rng(5).random(len(values)) < share)
    design = DesignMatrix(values, row)
    rows = len(row) * 3 // 4
    found = CurvedPart.of(design, rows).sums(WEIGHTS, OFFSETS).sum(axis=0)
    wanted = expected(values[row[:rows]])
    assert found == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())


def test_the_sums_over_a_sample_are_float64s(values):
    design = DesignMatrix(values, np.arange(0, len(values), 2))
    part = CurvedPart.sampled(design, 6000, 5)
    assert len(part) == 1200
    found = part.sums(WEIGHTS, OFFSETS).sum(axis=0)
    assert found == pytest.approx(expected(values[0:12_000:10]), rel=1e-9, abs=1e-9)


def test_even_and_odd_blocks_are_summed_apart(values):
    rows = SAMPLED_BLOCK_ROWS
    even, odd = CurvedPart(values[: 2 * rows], exact=True).sums(WEIGHTS, OFFSETS)
    assert even == pytest.approx(expected(values[:rows]), rel=1e-9, abs=1e-9)
    assert odd == pytest.approx(expected(values[rows : 2 * rows]), rel=1e-9, abs=1e-9)
