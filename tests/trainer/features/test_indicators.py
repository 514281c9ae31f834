import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.timeframes import Timeframe
from trainer.candles.candles import Candles
from trainer.features import indicators as features
from trainer.features.indicators import BOUND, NAMES, WARM_UP, Block, block_features, blocks


def matrix(candles):
    parts = [block_features(candles, block) for block in blocks(candles)]
    return np.concatenate(parts) if parts else np.empty((0, len(NAMES)), np.float32)


def column(candles, name):
    return matrix(candles)[:, NAMES.index(name)]


def changed(candles, **columns):
    return Candles.of(candles.symbol, candles.timeframe, {**candles.columns, **columns})


def test_every_row_with_a_full_window_is_finite_and_within_the_bound(simulate):
    rows = matrix(simulate(2000))
    assert rows.shape == (2000 - WARM_UP, len(NAMES))
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() <= BOUND


def test_values_are_of_order_one(simulate):
    for timeframe, volatility in (("1m", 0.0008), ("1h", 0.006), ("1d", 0.04)):
        rows = matrix(simulate(3000, timeframe, volatility=volatility))
        assert np.sqrt((rows.astype(float) ** 2).mean(axis=0)).max() < 2.5


def test_names_are_distinct_and_about_forty():
    assert len(set(NAMES)) == len(NAMES)
    assert 36 <= len(NAMES) <= 46


def test_a_steady_rise_has_the_values_that_the_formulas_say(simulate):
    candles = simulate(100)
    close = 100 * 1.01 ** np.arange(100)
    steady = changed(
        candles, open=close / 1.01, high=close, low=close / 1.01, close=close, volume=np.full(100, 7.0)
    )
    for lag in features.RETURN_LAGS:
        assert column(steady, f"return_{lag}") == pytest.approx(np.sqrt(lag), rel=1e-3)
    assert column(steady, "rsi_14") == pytest.approx(2.5)  # 100 less 50, in twenties
    assert column(steady, "mfi_14") == pytest.approx(2.5)
    assert column(steady, "volatility_15") == pytest.approx(0, abs=1e-4)
    # A ramp of ten steps: its last value is 4.5 steps above the mean, their deviation is sqrt(99 / 12) steps.
    assert column(steady, "z_score_10") == pytest.approx(4.5 / np.sqrt(99 / 12), rel=1e-3)
    assert column(steady, "mean_distance_10") == pytest.approx(4.5 / np.sqrt(10), rel=1e-3)
    assert column(steady, "volume_z_20") == pytest.approx(0)
    assert column(steady, "volume_ratio") == pytest.approx(np.log(1.01))
    assert column(steady, "signed_volume_20") == pytest.approx(1)
    assert column(steady, "body") == pytest.approx(1)
    assert column(steady, "close_location") == pytest.approx(1)
    assert column(steady, "volatility_level") == pytest.approx(
        np.log(np.log(1.01) * np.sqrt(24)) + 3.5, rel=1e-3
    )


def test_windows_equal_their_definition(simulate):
    candles = simulate(200, seed=3)
    row = 150
    log_close = np.log(candles.close)
    returns = np.diff(log_close)[:row]
    volatility = np.sqrt(np.mean(returns[-60:] ** 2))
    expected = {
        "return_5": (log_close[row] - log_close[row - 5]) / (volatility * np.sqrt(5)),
        "volatility_5": np.log(np.sqrt(np.mean(returns[-5:] ** 2)) / volatility),
        "z_score_60": (log_close[row] - log_close[row - 59 : row + 1].mean())
        / log_close[row - 59 : row + 1].std(),
        "range_volatility_20": np.log(
            np.sqrt(np.mean(np.log(candles.high / candles.low)[row - 19 : row + 1] ** 2) / (4 * np.log(2)))
            / volatility
        ),
        "volume_z_20": (candles.volume[row] - candles.volume[row - 19 : row + 1].mean())
        / candles.volume[row - 19 : row + 1].std(),
        "bollinger_position": (log_close[row] - log_close[row - 19 : row + 1].mean())
        / (2 * log_close[row - 19 : row + 1].std()),
    }
    for name, value in expected.items():
        assert column(candles, name)[row - WARM_UP] == pytest.approx(value, rel=1e-3), name


def test_time_of_day_and_week_are_those_of_the_close(simulate):
    candles = simulate(200)
    row = 100 - WARM_UP
    hours = 101  # bar 100 closes 101 hours after midnight on Saturday; weeks are counted from a Thursday
    assert column(candles, "day_sin")[row] == pytest.approx(np.sin(2 * np.pi * (hours % 24) / 24), abs=1e-6)
    assert column(candles, "week_cos")[row] == pytest.approx(np.cos(2 * np.pi * (hours + 48) / 168), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(WARM_UP + 1, 400), seed=st.integers(0, 5))
def test_a_row_is_the_same_bit_for_bit_whatever_comes_after_it(simulate, cut, seed):
    candles = simulate(400, seed=seed)
    whole = matrix(candles)[: cut - WARM_UP]
    assert np.array_equal(matrix(candles.until(cut)).view(np.uint32), whole.view(np.uint32))


def test_a_segment_knows_nothing_of_the_segments_before_it(simulate):
    candles = simulate(400, missing=[150])
    (_, _), (second, end) = candles.segments()
    alone = Candles.of(
        "BTCUSDT", Timeframe.H1, {name: values[second:end] for name, values in candles.columns.items()}
    )
    assert np.array_equal(matrix(candles)[150 - WARM_UP :], matrix(alone))


def test_rows_without_a_full_window_since_the_gap_are_left_out(simulate):
    candles = simulate(400, missing=[150, 211, 300])
    covered = [(block.first, block.stop) for block in blocks(candles)]
    # Segments are 0-150, 150-210 (too short by one bar), 210-298 and 298-397.
    assert covered == [(60, 150), (270, 298), (358, 397)]


def test_tens_of_thousands_of_short_segments_give_no_work(simulate):
    candles = simulate(60_000, "1m", missing=range(30, 60_000, 31))
    assert list(blocks(candles)) == []


def test_blocks_change_nothing_but_the_last_digits(simulate, monkeypatch):
    candles = simulate(3000)
    whole = matrix(candles)
    monkeypatch.setattr(features, "BLOCK_ROWS", 256)
    plan = list(blocks(candles))
    assert plan[3] == Block(start=60 + 768 - features.RUN_IN, first=60 + 768, stop=60 + 1024)
    assert np.abs(matrix(candles) - whole).max() < 1e-4


def test_the_unit_of_price_and_volume_does_not_matter(simulate):
    candles = simulate(300)
    prices = {name: candles.columns[name] * 1024.0 for name in ("open", "high", "low", "close")}
    assert np.array_equal(matrix(changed(candles, **prices)), matrix(candles))
    tiny = changed(candles, volume=candles.volume * 1e-7)
    assert np.abs(matrix(tiny) - matrix(candles)).max() < 1e-4


def test_no_volume_at_all_is_neutral(simulate):
    candles = simulate(300)
    rows = matrix(changed(candles, volume=np.zeros(300)))
    for name in ("mfi_14", "volume_z_20", "volume_z_60", "volume_ratio", "signed_volume_20"):
        assert not rows[:, NAMES.index(name)].any(), name


def test_volume_that_stops_is_neutral_after_the_window(simulate):
    candles = simulate(300)
    volume = candles.volume * 1e9
    volume[150:] = 0.0
    rows = matrix(changed(candles, volume=volume))[150 + 61 - WARM_UP :]
    for name in ("mfi_14", "volume_z_20", "volume_z_60", "volume_ratio", "signed_volume_20"):
        assert not rows[:, NAMES.index(name)].any(), name


def test_closes_that_do_not_move_give_finite_rows(simulate):
    candles = simulate(300)
    flat = np.full(300, 5.0)
    rows = matrix(changed(candles, open=flat, high=flat, low=flat, close=flat))
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() <= 4
    assert not rows[:, NAMES.index("return_1")].any()


def test_a_market_that_stops_moving_gives_no_outliers(simulate):
    candles = simulate(400)
    columns = {name: candles.columns[name].copy() for name in ("open", "high", "low", "close")}
    for values in columns.values():
        values[200:330] = candles.close[199]
    columns["open"][330] = candles.close[199]
    columns["high"][330] = max(columns["high"][330], columns["open"][330])
    columns["low"][330] = min(columns["low"][330], columns["open"][330])
    still = matrix(changed(candles, **columns))[200 - WARM_UP : 330 - WARM_UP]
    assert np.abs(still).max() < 8
    # After a full window the market is neutral: no trend, no distance, the least volatility.
    settled = dict(zip(NAMES, still[-1].tolist(), strict=True))
    for name in ("return_55", "mean_distance_40", "z_score_60", "macd", "bollinger_position", "stochastic_d"):
        assert settled[name] == pytest.approx(0, abs=1e-6), name
    assert settled["volatility_level"] == -4


def test_a_price_that_jumps_is_clipped(simulate):
    candles = simulate(300)
    close = candles.close.copy()
    close[200:] *= 1000
    rows = matrix(changed(candles, close=close, high=np.maximum(close, candles.high)))
    assert np.isfinite(rows).all()
    assert np.abs(rows).max() <= BOUND


LAST_ROW = {
    "2": (
        *(-0.2532, 1.3923, 1.0974, 0.9487, -0.0178, -1.061, -1.7858, -0.5543),
        *(0.0033, 0.1174, -0.0087, -0.1873, -0.0991, 0.2349, 0.2955, -0.3264),
        *(-0.7847, 0.9884, -1.3178, -0.9907, -0.0108, -0.2479, 1.0799, -0.098),
        *(-0.5379, 0.9581, -0.6145, -0.9069, 0.7785, -1.3365, -0.3533, -0.1753),
        *(-0.0945, -0.5167, -0.3106, -0.2872, -0.866, -0.5, 0.9972, 0.0747),
    )
}


def test_another_formula_is_another_version(simulate):
    # Where this fails, FEATURE_VERSION must change together with the values.
    last = matrix(simulate(1000, seed=11))[-1]
    assert last.tolist() == pytest.approx(LAST_ROW[features.FEATURE_VERSION], abs=2e-4)


def test_a_block_reads_no_bar_outside_itself(simulate):
    candles = simulate(300)
    block = Block(100, 160, 220)
    outside = np.ones(300, dtype=bool)
    outside[100:220] = False
    spoilt = {
        name: np.where(outside, np.nan, candles.columns[name])
        for name in ("open", "high", "low", "close", "volume")
    }
    assert np.array_equal(
        block_features(dataclasses.replace(candles, **spoilt), block), block_features(candles, block)
    )
