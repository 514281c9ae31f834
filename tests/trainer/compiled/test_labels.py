import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.compiled.labels import (
    ACROSS_A_GAP,
    OTHER_LABELS,
    OTHER_ROWS,
    Closes,
    label_faults,
    labels,
)

INTERVAL = 60_000


def drawn(seed):
    """Closes with gaps and ties, of which some bars have no row."""
    draw = np.random.default_rng(seed)
    open_time = np.flatnonzero(draw.random(60) < 0.9) * INTERVAL
    bar = np.flatnonzero(draw.random(len(open_time)) < 0.9)
    return Closes(open_time, draw.integers(1, 4, len(open_time)).astype(float), bar, INTERVAL)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**16), horizon=st.integers(1, 6))
def test_what_is_labelled_is_found_to_be_so_walking_the_other_way(seed, horizon):
    closes = drawn(seed)
    row, y, _, end, tie = labels(closes, horizon)
    assert label_faults(closes, horizon, row, y, end, tie) == 0
    both = np.sort(np.concatenate([row, tie]))
    ends = closes.open_time[closes.bar[both] + horizon] + INTERVAL
    assert label_faults(closes, horizon, both, None, ends, tie[:0], with_ties=False) == 0


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**16), horizon=st.integers(1, 4), place=st.integers(0, 10**6))
def test_any_row_that_is_left_out_or_put_among_the_others_is_found(seed, horizon, place):
    closes = drawn(seed)
    row, y, _, end, tie = labels(closes, horizon)
    if not len(row):
        return
    one = place % len(row)
    kept = np.arange(len(row)) != one
    hidden = row[kept], y[kept], end[kept]
    assert label_faults(closes, horizon, *hidden, tie) == OTHER_ROWS
    assert label_faults(closes, horizon, *hidden, np.sort(np.append(tie, row[one]))) == OTHER_ROWS
    turned = np.where(kept, y, 1.0 - y)
    assert label_faults(closes, horizon, row, turned, end, tie) == OTHER_LABELS
    assert label_faults(closes, horizon, row, y, np.where(kept, end, end - 1), tie) == OTHER_LABELS
    if len(tie):
        assert label_faults(closes, horizon, row, y, end, tie[1:]) == OTHER_ROWS
        among = np.sort(np.append(row, tie[0]))
        at = int(np.searchsorted(among, tie[0]))
        ended = closes.open_time[closes.bar[tie[0]] + horizon] + INTERVAL
        as_a_fall = among, np.insert(y, at, 0.0), np.insert(end, at, ended)
        assert label_faults(closes, horizon, *as_a_fall, tie[1:]) == OTHER_ROWS


def test_a_label_across_a_gap_and_rows_that_are_not_there_are_found():
    closes = Closes(np.array([0, 1, 3, 4, 5]) * INTERVAL, np.arange(1.0, 6.0), np.arange(5), INTERVAL)
    row, y, _, end, tie = labels(closes, 1)
    assert row.tolist() == [0, 2, 3]
    gapped = np.array([0, 1, 2, 3])
    ends = closes.open_time[gapped + 1] + INTERVAL
    assert label_faults(closes, 1, gapped, np.ones(4), ends, tie) & ACROSS_A_GAP
    for beyond in (-1, 4, 5, 10**9):
        assert label_faults(closes, 1, np.array([0, 2, beyond]), y, end, tie) & OTHER_ROWS
    assert label_faults(closes, 1, row, y, end, np.array([7])) & OTHER_ROWS
    assert label_faults(closes, 1, row, y[1:], end, tie) == OTHER_LABELS
    none = np.empty(0, dtype=np.int64)
    assert label_faults(closes, 9, none, none.astype(float), none, none) == 0


def test_rows_that_are_given_twice_or_out_of_order_are_found():
    closes = Closes(np.arange(6) * INTERVAL, np.arange(1.0, 7.0), np.arange(6), INTERVAL)
    row, y, _, end, tie = labels(closes, 1)
    for order in ([0, 0, 1, 2, 3, 4], [1, 0, 2, 3, 4]):
        assert label_faults(closes, 1, row[order], y[order], end[order], tie) == OTHER_ROWS
    twice = Closes(closes.open_time, closes.close, np.array([0, 1, 1, 2]), INTERVAL)
    row, y, _, end, tie = labels(twice, 1)
    assert label_faults(twice, 1, row, y, end, tie) & OTHER_ROWS


def test_what_the_library_would_misread_is_refused():
    times, closes, bar = np.arange(6) * INTERVAL, np.ones(6), np.arange(6)
    with pytest.raises(ValueError, match="not among the candles"):
        labels(Closes(times, closes, bar + 1, INTERVAL), 1)
    for wrong in (
        lambda: Closes(times[1:], closes, bar, INTERVAL),
        lambda: Closes(times, closes, bar.astype(np.int32), INTERVAL),
        lambda: Closes(times, closes[::2], bar, INTERVAL),
        lambda: labels(Closes(times, closes, bar, INTERVAL), 0),
    ):
        with pytest.raises(ValueError):
            wrong()
