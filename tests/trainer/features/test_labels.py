import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import DataError
from common.settings.sections import Label
from common.timeframes import Timeframe
from trainer.candles.candles import Candles
from trainer.features.labels import (
    beyond_costs_labels,
    future_moves,
    labels_of,
    require_moves,
    rise_labels,
)

MINUTE = 60_000


def candles_of(minutes, closes):
    closes = np.array(closes, dtype=float)
    columns = {"open_time": np.array(minutes, dtype=np.int64) * MINUTE}
    columns |= dict.fromkeys(("open", "high", "low", "close"), closes)
    return Candles.of("BTCUSDT", Timeframe.M1, {**columns, "volume": np.ones(len(closes))})


def test_a_rise_is_one_a_fall_is_none_and_an_equal_close_has_no_label():
    labels = rise_labels(candles_of(range(5), [10, 11, 11, 9, 12]), np.arange(5), 1)
    assert labels.y.tolist() == [1, 0, 1]
    assert labels.row.tolist() == [0, 2, 3]
    assert labels.tie.tolist() == [1]
    assert labels.tie_share == 0.25
    assert labels.close_time.tolist() == [1 * MINUTE, 3 * MINUTE, 4 * MINUTE]
    assert labels.end.tolist() == [2 * MINUTE, 4 * MINUTE, 5 * MINUTE]


def test_no_label_reaches_across_a_gap():
    candles = candles_of([0, 1, 2, 3, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8])
    labels = rise_labels(candles, np.arange(8), 2)
    assert labels.row.tolist() == [0, 1, 4, 5]
    assert labels.end.tolist() == [3 * MINUTE, 4 * MINUTE, 8 * MINUTE, 9 * MINUTE]


def test_only_bars_that_have_features_are_labelled_and_rows_are_theirs():
    labels = rise_labels(candles_of(range(6), [1, 2, 3, 2, 1, 5]), np.array([2, 3, 5]), 1)
    assert labels.row.tolist() == [0, 1]
    assert labels.y.tolist() == [0, 0]


def test_a_horizon_beyond_the_candles_gives_no_label():
    assert len(rise_labels(candles_of(range(4), [1, 2, 3, 4]), np.arange(4), 4)) == 0


def test_a_market_that_mostly_stands_still_is_refused_with_its_figures():
    closes = [1, *[2] * 9, 3]  # 8 of 10 stand still
    require_moves(rise_labels(candles_of(range(11), closes), np.arange(11), 1), "BTCUSDT_1m_H1")
    still = rise_labels(candles_of(range(11), [*closes[:-1], 2]), np.arange(11), 1)
    with pytest.raises(DataError, match=r"BTCUSDT_1m_H1: the close does not move in 9 of 10 rows \(90%\)"):
        require_moves(still, "BTCUSDT_1m_H1")


@settings(max_examples=100, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 40), min_size=1),
    horizon=st.integers(1, 6),
    seed=st.integers(0, 2**16),
)
def test_labels_are_those_of_a_walk_minute_by_minute(minutes, horizon, seed):
    times = sorted(minutes)
    closes = dict(zip(times, np.random.default_rng(seed).integers(1, 4, len(times)).tolist(), strict=True))
    expected = [
        (time, closes[time + horizon] > closes[time])
        for time in times
        if all(time + step in closes for step in range(1, horizon + 1))
        and closes[time + horizon] != closes[time]
    ]
    labels = rise_labels(candles_of(times, list(closes.values())), np.arange(len(times)), horizon)
    found = [(times[row], y > 0.5) for row, y in zip(labels.row, labels.y, strict=True)]
    assert found == expected
    assert (labels.end - labels.close_time == horizon * MINUTE).all()


def test_with_costs_a_row_is_up_down_or_neither_and_none_is_left_out():
    closes = [10_000, 10_011, 10_011, 10_020, 10_000, 9_991, 9_950]
    labels = beyond_costs_labels(candles_of(range(7), closes), np.arange(7), 1, 10)
    assert labels.row.tolist() == [0, 1, 2, 3, 4, 5]
    assert labels.y.tolist() == [1, 0.5, 0.5, 0, 0.5, 0]
    assert len(labels.tie) == 0
    require_moves(labels, "BTCUSDT_1m_H1")


def test_with_costs_of_nothing_the_ties_are_what_is_neither():
    candles = candles_of(range(6), [3, 3, 4, 2, 2, 5])
    free, rises = beyond_costs_labels(candles, np.arange(6), 1, 0), rise_labels(candles, np.arange(6), 1)
    assert free.row[free.y != 0.5].tolist() == rises.row.tolist()
    assert free.y[free.y != 0.5].tolist() == rises.y.tolist()
    assert free.row[free.y == 0.5].tolist() == rises.tie.tolist()


def test_the_kind_of_label_is_that_of_the_configuration_and_knows_no_gap_either():
    candles = candles_of([0, 1, 2, 5, 6], [100, 102, 102, 90, 91])
    direction = labels_of(candles, np.arange(5), 1, Label())
    costly = labels_of(candles, np.arange(5), 1, Label(kind="beyond_costs", costs_bp=150))
    assert (direction.row.tolist(), direction.y.tolist()) == ([0, 3], [1, 1])
    assert (costly.row.tolist(), costly.y.tolist()) == ([0, 1, 3], [1, 0.5, 0.5])


def test_moves_are_log_returns_in_basis_points():
    moves = future_moves(candles_of(range(4), [100, 101, 102, 99]), np.array([0, 1]), 2)
    assert moves == pytest.approx([198.03, -200.0], abs=0.05)
