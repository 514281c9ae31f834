import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.compiled.edges import (
    End,
    end_of,
    moves_of,
    outcomes_of,
    overconfidence,
    parts_of_ends,
    sums_of_ends,
    window_squares,
)


@settings(max_examples=200, deadline=None)
@given(
    p=st.lists(
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 0.5, 5e-324])
        ),
        min_size=1,
        max_size=60,
    ),
    share=st.floats(0, 1),
)
def test_an_end_is_that_of_numbers_put_in_order(p, share):
    p = np.array(p)
    rows = max(round(share * len(p)), 1)
    high, low = end_of(p, rows, True), end_of(p, rows, False)
    assert high.edge == np.sort(p)[len(p) - rows] and low.edge == np.sort(p)[rows - 1]
    for end, beyond in ((high, p > high.edge), (low, p < low.edge)):
        same = np.count_nonzero(p == end.edge)
        assert np.count_nonzero(beyond) + end.share * same == pytest.approx(rows)


@pytest.mark.parametrize("rows", [1, 100, 2999, 30_000])
def test_an_end_of_many_numbers_that_hardly_differ_is_found(rows):
    draw = np.random.default_rng(rows)
    for p in (
        0.5 + 1e-15 * draw.integers(0, 40, 30_000),
        np.concatenate([[1e300, -1e300], draw.random(29_998)]),
    ):
        assert end_of(p, rows, True).edge == np.sort(p)[-rows]
        assert end_of(p, rows, False).edge == np.sort(p)[rows - 1]


@pytest.mark.parametrize("rows", [1, 4, 7, 1001])
def test_sums_and_parts_of_ends_are_those_of_weights(rows):
    draw = np.random.default_rng(rows)
    p, moves = draw.integers(0, 9, rows) / 8, draw.normal(0, 5, rows)
    high, low = End(0.75, 0.3), End(0.25, 0.6)
    bought, sold = (p > 0.75) + 0.3 * (p == 0.75), (p < 0.25) + 0.6 * (p == 0.25)
    assert sums_of_ends(p, moves, high, low) == pytest.approx((bought @ moves, sold @ moves))
    parts = np.empty(rows)
    parts_of_ends(p, moves, high, low, (0.5, -0.25), 3, parts)
    assert parts == pytest.approx((bought * (moves - 0.5) - sold * (moves + 0.25)) / 6)


@pytest.mark.parametrize(("rows", "window"), [(1, 2), (5, 2), (40, 7), (3, 9), (2000, 101)])
def test_window_squares_are_those_of_all_windows_one_by_one(rows, window):
    draw = np.random.default_rng(rows)
    p, y, added = draw.random(rows), draw.choice([0.0, 0.5, 1.0], rows), draw.normal(0, 1, rows)
    parts = (p - y) * added
    padded = np.concatenate([np.zeros(window - 1), parts, np.zeros(window - 1)])
    expected = sum(padded[k : k + window].sum() ** 2 for k in range(rows + window - 1))
    assert window_squares(parts, window) == pytest.approx(expected, rel=1e-12)
    gradient, curvature, squares = overconfidence(p, y, added, window)
    assert (gradient, curvature) == pytest.approx((parts.sum(), (p * (1 - p)) @ added**2), rel=1e-12)
    assert squares == pytest.approx(expected, rel=1e-12)


def test_outcomes_are_put_in_order_of_the_rows_with_the_moves_of_their_bars():
    close = np.array([10.0, 11.0, 12.0, 11.0, 10.0, 14.0])
    bar = np.array([0, 1, 2, 3])
    labelled = np.array([0, 3]), np.array([0.1, 0.4])
    ties = np.array([1]), np.array([0.2])
    said, moves = outcomes_of(close, bar, 2, labelled, ties)
    assert said.tolist() == [0.1, 0.2, 0.4]
    assert moves == pytest.approx(1e4 * np.log(close[[2, 3, 5]] / close[[0, 1, 3]]), rel=1e-14)
    assert moves.tolist() == moves_of(close, bar[[0, 1, 3]], 2).tolist()
    nobody = np.empty(0, dtype=np.int64), np.empty(0)
    assert [each.tolist() for each in outcomes_of(close, bar, 2, nobody, ties)] == [[0.2], [moves[1]]]


def test_rows_without_a_whole_horizon_and_arrays_of_other_lengths_are_refused():
    close, bar = np.arange(1.0, 7.0), np.arange(6)
    rows, p = np.array([4]), np.array([0.5])
    for refused in (
        lambda: moves_of(close, bar, 1),
        lambda: moves_of(close, -bar, 1),
        lambda: outcomes_of(close, bar, 2, (rows, p), (rows, p)),
        lambda: outcomes_of(close, bar, 1, (rows + 2, p), (rows, p)),
        lambda: outcomes_of(close, bar, 1, (rows, p[:0]), (rows, p)),
        lambda: moves_of(close, bar.astype(np.int32), 1),
        lambda: end_of(close, 0, True),
        lambda: end_of(close, 7, True),
        lambda: sums_of_ends(close, close[1:], End(0.0, 1.0), End(0.0, 1.0)),
        lambda: overconfidence(close, close, close[::2], 3),
    ):
        with pytest.raises(ValueError):
            refused()


@pytest.mark.parametrize("horizon", [0, -10])
def test_a_horizon_that_is_none_is_refused(horizon):
    close, bar, nothing = np.ones(30), np.array([20]), (np.arange(0), np.empty(0))
    with pytest.raises(ValueError, match="a horizon of"):
        moves_of(close, bar, horizon)
    with pytest.raises(ValueError, match="a horizon of"):
        outcomes_of(close, bar, horizon, nothing, nothing)
