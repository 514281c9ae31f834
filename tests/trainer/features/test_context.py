import numpy as np
import pytest

from common.timeframes import Timeframe
from trainer.candles.candles import Candles
from trainer.features.context import ContextFrame, context_frame
from trainer.features.indicators import FEATURE_VERSION

HOUR = 3_600_000


def frame_of(hours, timeframe="1h"):
    close_time = np.array(hours, dtype=np.int64) * HOUR
    return ContextFrame(
        Timeframe(timeframe), close_time, np.array(hours, dtype=np.float32)[:, None].repeat(3, axis=1)
    )


def test_a_bar_is_known_from_its_close_on_and_not_a_millisecond_earlier():
    frame = frame_of([10, 11, 12])
    moments = np.array([11 * HOUR - 1, 11 * HOUR, 12 * HOUR - 1, 12 * HOUR])
    assert frame.values[frame.positions(moments), 0].tolist() == [10, 11, 11, 12]


def test_before_the_first_bar_and_two_bars_after_the_last_nothing_is_known():
    frame = frame_of([10, 20])
    moments = np.array([10 * HOUR - 1, 10 * HOUR, 12 * HOUR, 12 * HOUR + 1, 20 * HOUR - 1, 20 * HOUR])
    assert frame.positions(moments).tolist() == [-1, 0, 0, -1, -1, 1]


def test_an_empty_frame_knows_nothing():
    assert frame_of([]).positions(np.array([5 * HOUR])).tolist() == [-1]


def test_no_moment_before_the_frame_or_after_it_is_needed():
    frame = frame_of([10, 11, 30])
    moments = np.array([11 * HOUR, 11 * HOUR, 13 * HOUR])
    assert frame.positions(moments).tolist() == [1, 1, 1]
    assert frame.positions(moments[:0]).tolist() == []


def test_context_comes_only_from_timeframes_that_are_not_finer():
    expected = {
        **dict.fromkeys(Timeframe, ("1d",)),
        **dict.fromkeys(("1m", "3m", "5m", "15m", "30m", "1h"), ("1h", "1d")),
    }
    assert {timeframe: timeframe.context for timeframe in Timeframe} == expected


def test_columns_are_named_by_their_timeframe():
    assert frame_of([1], "1d").names == (
        "context_1d_trend_5",
        "context_1d_trend_20",
        "context_1d_volatility_20",
    )


def test_a_steady_rise_has_the_values_that_the_formulas_say(simulate):
    candles = simulate(40, "1d")
    close = 100 * 1.02 ** np.arange(40)
    columns = {**candles.columns, "close": close}
    frame = context_frame(Candles.of("BTCUSDT", Timeframe.D1, columns))
    assert frame.close_time.tolist() == candles.close_time[20:].tolist()
    step = np.log(1.02)
    assert frame.values == pytest.approx(
        np.tile([np.sqrt(5), np.sqrt(20), np.log(step) + 3.5], (20, 1)), rel=1e-4
    )


def test_a_segment_gives_context_from_its_own_bars_only(simulate):
    candles = simulate(100, missing=[40, 55])
    frame = context_frame(candles)
    # Segments are 0-40, 40-54 (too short) and 54-98.
    rows = [*range(20, 40), *range(74, 98)]
    assert frame.close_time.tolist() == candles.close_time[rows].tolist()
    alone = {name: values[54:] for name, values in candles.columns.items()}
    assert np.array_equal(context_frame(Candles.of("BTCUSDT", Timeframe.H1, alone)).values, frame.values[20:])


def test_a_row_is_the_same_bit_for_bit_whatever_comes_after_it(simulate):
    candles = simulate(200)
    whole = context_frame(candles).values
    for cut in range(21, 200, 7):
        assert np.array_equal(context_frame(candles.until(cut)).values, whole[: cut - 20])


def test_too_few_bars_give_an_empty_frame(simulate):
    frame = context_frame(simulate(20))
    assert frame.values.shape == (0, 3)


LAST_ROW = {"2": (0.83668, -1.65057, -0.06167)}


def test_another_formula_is_another_version(simulate):
    # Where this fails, FEATURE_VERSION must change together with the values.
    last = context_frame(simulate(1000, seed=11)).values[-1]
    assert last.tolist() == pytest.approx(LAST_ROW[FEATURE_VERSION], abs=2e-4)
