from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.timeframes import Timeframe
from tests.candle_fixtures import START_MS, candles, rows_of
from trainer.candles.candles import COLUMNS, Candles, lost_rows


def of(columns, symbol="BTCUSDT", timeframe="1m", synthetic=False):
    return Candles.of(symbol, Timeframe(timeframe), columns, synthetic)


def test_a_bar_is_known_when_it_closes():
    hours = of(candles(2, "1h"), timeframe="1h")
    assert hours.interval_ms == 3_600_000
    assert hours.close_time.tolist() == [START_MS + 3_600_000, START_MS + 7_200_000]


@pytest.mark.parametrize("column", COLUMNS)
def test_the_digest_tells_any_change_of_a_value(column):
    columns = candles(50)
    other = {**columns, column: columns[column].copy()}
    other[column][-1] = columns[column][-1] + (60_000 if column == "open_time" else 0.01)
    assert of(columns).digest != of(other).digest


def test_the_digest_depends_on_content_and_not_on_the_symbol_or_the_memory():
    columns = candles(50)
    strided = {name: np.repeat(values, 2)[::2] for name, values in columns.items()}
    assert of(columns).digest == of(strided, symbol="ETHUSDT").digest
    assert of(columns).digest != of(columns, synthetic=True).digest
    five = candles(50, "5m")
    assert of(five, timeframe="5m").digest != of(five, timeframe="1m").digest


def test_a_cut_holds_the_bars_before_the_row_and_is_no_other_candles_by_its_digest():
    whole = of(candles(10))
    cut = whole.until(4)
    assert len(cut) == 4
    assert all((cut.columns[name] == whole.columns[name][:4]).all() for name in COLUMNS)
    digests = {whole.until(row).digest for row in range(11)} | {whole.digest}
    assert len(digests) == 12
    for row in (-1, 11):
        with pytest.raises(IndexError, match="of 10 candles"):
            whole.until(row)


@given(st.sets(st.integers(0, 60), max_size=40))
def test_segments_are_the_longest_runs_without_a_missing_bar(missing):
    kept = np.setdiff1d(np.arange(61), sorted(missing))
    series = of(rows_of(candles(61), kept))
    segments = series.segments()
    rows = [row for first, end in segments for row in range(first, end)]
    assert rows == list(range(len(kept)))
    for first, end in segments:
        assert kept[end - 1] - kept[first] == end - 1 - first
    for (_, end), (start, _) in pairwise(segments):
        assert end == start
        assert kept[start] - kept[end - 1] > 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"open_time": [START_MS, START_MS]}, "not strictly ascending"),
        ({"open_time": [START_MS + 60_000, START_MS]}, "not strictly ascending"),
        ({"open_time": [START_MS, START_MS + 90_000]}, "no multiples of 1m"),
        ({"close": [1.0]}, "close has shape"),
    ],
)
def test_columns_that_are_no_series_are_refused(change, message):
    columns = {**candles(2), **{name: np.array(values) for name, values in change.items()}}
    with pytest.raises(ValueError, match=message):
        of(columns)


def test_rows_are_lost_by_the_window_after_each_gap():
    times = np.arange(1000) * 60_000
    assert lost_rows(times, 60_000, 60) == (0, 940)
    assert lost_rows(np.delete(times, 500), 60_000, 60) == (60, 939)
    assert lost_rows(np.delete(times, np.arange(0, 1000, 50)), 60_000, 60) == (920, 920)
    assert lost_rows(times[:10], 60_000, 60) == (0, 0)
