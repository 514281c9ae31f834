import numpy as np
import pytest

from trainer.learning.row_sample import EQUAL_SHARE, drawn


@pytest.fixture(scope="module")
def sizes():
    return np.random.default_rng(0).standard_normal(50_000) ** 4


def test_as_many_rows_are_drawn_as_were_asked_for_but_for_those_that_are_certain(sizes):
    for count in (1, 500, 5000):
        positions, weights = drawn(sizes, count)
        assert 0.6 * count <= len(positions) <= count + 1
        assert len(np.unique(positions)) == len(positions) == len(weights)
        assert (np.diff(positions) > 0).all()


def test_every_row_may_be_drawn_and_all_are_if_all_are_asked_for():
    positions, weights = drawn(np.ones(100), 100)
    assert positions.tolist() == list(range(100))
    assert weights == pytest.approx(np.ones(100))


def test_no_row_stands_for_fewer_than_itself_nor_for_more_than_the_equal_share_allows(sizes):
    giant = sizes.copy()
    giant[17] = 1e12
    positions, weights = drawn(giant, 1000)
    assert 17 in positions
    assert weights[positions.tolist().index(17)] == 1.0
    assert weights.min() >= 1.0
    assert weights.max() <= len(sizes) / (1000 * EQUAL_SHARE) * (1 + 1e-9)
    assert len(positions) >= 1000 * EQUAL_SHARE - 1


def test_large_rows_are_drawn_more_often(sizes):
    positions, _ = drawn(sizes, 2500)
    largest = np.argsort(sizes)[-2500:]
    assert np.isin(largest, positions).mean() > 0.3 > 5 * 2500 / len(sizes)


def test_a_sum_that_grows_with_the_sizes_is_estimated_far_better_than_by_every_nth_row(sizes):
    draw = np.random.default_rng(1)
    ours, every_nth = [], []
    for _ in range(30):
        values = sizes * draw.standard_normal(len(sizes))
        positions, weights = drawn(sizes, 2000)
        ours.append(weights @ values[positions] - values.sum())
        every_nth.append(25 * values[::25].sum() - values.sum())
    assert np.std(ours) < 0.5 * np.std(every_nth)


@pytest.mark.parametrize("sizes", [np.zeros(1000), np.full(1000, np.inf), np.full(1000, np.nan)])
def test_sizes_that_say_nothing_do_not_count(sizes):
    positions, weights = drawn(sizes, 100)
    assert set(np.diff(positions)) <= {9, 10, 11}
    assert len(positions) == 100
    assert weights == pytest.approx(np.full(100, 10.0))
