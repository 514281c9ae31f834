from decimal import Decimal

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.features.formulas import (
    EQUAL,
    changes,
    directional_movement,
    money_flow,
    relative_strength,
)
from trainer.features.indicators import NAMES, block_features, blocks

COLUMNS = ("adx_14", "directional_14", "mfi_14", "rsi_7", "rsi_14")


def ticks(rows, seed=0, idle=0.5):
    """Whole ticks of highs, lows and closes of a coin of some hundred, many of them equal."""
    draw = np.random.default_rng(seed)
    step = np.where(draw.random(rows) < idle, 0, draw.choice([-2, -1, 1, 2], rows))
    close = 700 + np.cumsum(step)
    before = np.concatenate([[700], close[:-1]])
    high = np.maximum(close, before) + draw.integers(0, 2, rows)
    low = np.minimum(close, before) - draw.integers(0, 2, rows)
    return high, low, close, draw.integers(1, 9, rows)


def wilder(values, window):
    """The exact mean of the first 2 * `window` - 1 values, and Wilder's recursion from there."""
    first = 2 * window - 1
    means = [None] * (first - 1) + [sum(values[:first]) / first]
    for value in values[first:]:
        means.append(means[-1] + (value - means[-1]) / window)
    return means


def in_decimals(tick, high, low, close, volume):
    """Directional movement, strength and flow, one bar after the other in decimal numbers of 28 digits."""
    high, low, close = (
        [Decimal(int(value)) * Decimal(tick) for value in each] for each in (high, low, close)
    )
    up, down, reach, gain, loss = [], [], [], [], []
    for k in range(1, len(close)):
        rise, fall = high[k] - high[k - 1], low[k - 1] - low[k]
        up.append(rise if rise > fall and rise > 0 else Decimal(0))
        down.append(fall if fall > rise and fall > 0 else Decimal(0))
        reach.append(max(high[k], close[k - 1]) - min(low[k], close[k - 1]))
        gain.append(max(close[k] - close[k - 1], Decimal(0)))
        loss.append(max(close[k - 1] - close[k], Decimal(0)))
    up, down, reach, gain, loss = (wilder(each, 14)[26:] for each in (up, down, reach, gain, loss))
    moved = [abs(a - b) / (a + b) if a + b else Decimal(0) for a, b in zip(up, down, strict=True)]
    typical = [sum(prices) / 3 for prices in zip(high, low, close, strict=True)]
    flow = []
    for k in range(14, len(close)):
        parts = {True: Decimal(0), False: Decimal(0)}
        for j in range(k - 13, k + 1):
            if typical[j] != typical[j - 1]:
                parts[typical[j] > typical[j - 1]] += typical[j] * int(volume[j])
        total = parts[True] + parts[False]
        flow.append((parts[True] - parts[False]) / total if total else Decimal(0))
    return {
        "strength": wilder(moved, 14)[26:],
        "direction": [(a - b) / c for a, b, c in zip(up, down, reach, strict=True)],
        "relative": [(a - b) / (a + b) if a + b else Decimal(0) for a, b in zip(gain, loss, strict=True)],
        "flow": flow,
    }


def last(found, wanted):
    return pytest.approx([float(value) for value in wanted], abs=1e-10) == found[-len(wanted) :].tolist()


@pytest.mark.parametrize("tick", ["0.00000001", "0.01", "0.1", "0.0003"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_moves_of_equal_ticks_are_what_decimal_numbers_say(tick, seed):
    high, low, close, volume = ticks(400, seed)
    as_read = [
        np.array([float(Decimal(int(v)) * Decimal(tick)) for v in each]) for each in (high, low, close)
    ]
    wanted = in_decimals(tick, high, low, close, volume)
    strength, direction = directional_movement(*as_read, 14)
    assert last(strength, wanted["strength"])
    assert last(direction, wanted["direction"])
    assert last(relative_strength(as_read[2], 14), wanted["relative"])
    assert last(money_flow(sum(as_read), volume.astype(float), 14), wanted["flow"])


def test_prices_relative_to_the_first_are_decided_by_rounding():
    # What the product did before: on bars that reach out by a tick on both sides its movements are arbitrary.
    high, low, close, volume = ticks(400, 3)
    scaled = [each * 1e-8 / (close[0] * 1e-8) for each in (high, low, close)]
    wanted = in_decimals("0.00000001", high, low, close, volume)["direction"]
    found = (talib.PLUS_DI(*scaled, 14) - talib.MINUS_DI(*scaled, 14)) / 100
    assert np.abs(found[-200:] - np.array(wanted[-200:], dtype=float)).max() > 0.05


def of_one_block(simulate, high, low, close, volume, scale=1.0):
    candles = simulate(len(close))
    before = np.concatenate([close[:1], close[:-1]])
    prices = {"open": before, "high": high, "low": low, "close": close}
    columns = {**candles.columns, **{name: values * scale for name, values in prices.items()}}
    columns["volume"] = volume.astype(float)
    of_ticks = type(candles).of("BTCUSDT", candles.timeframe, columns)
    (block,) = blocks(of_ticks)
    return block_features(of_ticks, block)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), power=st.integers(-30, 30), idle=st.sampled_from([0.2, 0.6, 0.95]))
def test_a_unit_that_is_a_power_of_two_changes_no_bit(simulate, seed, power, idle):
    bars = ticks(200, seed, idle)
    plain = of_one_block(simulate, *bars, scale=1e-8)
    scaled = of_one_block(simulate, *bars, scale=1e-8 * 2.0**power)
    assert np.array_equal(plain.view(np.uint32), scaled.view(np.uint32))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), factor=st.floats(1e-7, 1e5), idle=st.sampled_from([0.2, 0.6, 0.95]))
def test_another_unit_turns_no_tie(simulate, seed, factor, idle):
    bars = ticks(200, seed, idle)
    plain, scaled = of_one_block(simulate, *bars), of_one_block(simulate, *bars, scale=factor)
    for name in COLUMNS:
        column = NAMES.index(name)
        assert np.abs(plain - scaled)[:, column].max() < 1e-5, name


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**16), start=st.integers(1, 400), idle=st.sampled_from([0.2, 0.6, 0.95]))
def test_where_the_block_begins_does_not_matter_once_the_start_is_forgotten(simulate, seed, start, idle):
    high, low, close, volume = (each[:1400] for each in ticks(1400, seed, idle))
    whole = of_one_block(simulate, high, low, close, volume, scale=1e-8)
    later = of_one_block(simulate, high[start:], low[start:], close[start:], volume[start:], scale=1e-8)
    for name in COLUMNS:
        column = NAMES.index(name)
        # 600 bars on, Wilder's averages of averages remember 1e-18 of how they began.
        assert np.abs(whole[start + 600 :, column] - later[600:, column]).max() < 1e-5, name


def test_a_market_that_stops_is_neutral_instead_of_what_rounding_leaves():
    high, low, close, volume = (each * 1.0 for each in ticks(2000, 3))
    for values in (high, low, close):
        values[200:] = close[199]
    assert not money_flow(high + low + close, volume, 14)[220:].any()
    strength, direction = directional_movement(high, low, close, 14)
    assert not direction[800:].any()
    assert np.abs(strength[1500:]).max() < 1e-12
    assert not relative_strength(close, 14)[800:].any()


def test_a_tick_of_a_dear_coin_is_a_change_and_rounding_is_none():
    dear = np.array([100_000.0, 100_000.00000001, 100_000.0 * (1 + 2e-16)])
    assert changes(dear, dear)[1] > 0
    sums = np.array([0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1])
    assert sums[0] != sums[1]
    assert changes(sums, sums)[1] == 0
    assert EQUAL < 1e-8 / 100_000


def test_a_burst_of_volume_is_forgotten_with_its_window():
    high, low, close, volume = (each * 1.0 for each in ticks(300, 4))
    burst = volume.copy()
    burst[100] = 1e15
    price = high + low + close
    assert np.array_equal(money_flow(price, burst, 14)[115:], money_flow(price, volume, 14)[115:])


def test_lasting_moves_agree_with_ta_lib(simulate):
    candles = simulate(3000, seed=5)
    high, low, close = candles.high, candles.low, candles.close
    strength, direction = directional_movement(high, low, close, 14)
    assert 100 * strength[900:] == pytest.approx(talib.ADX(high, low, close, 14)[900:], abs=1e-9)
    difference = talib.PLUS_DI(high, low, close, 14) - talib.MINUS_DI(high, low, close, 14)
    assert 100 * direction[900:] == pytest.approx(difference[900:], abs=1e-9)
    assert 50 + 50 * relative_strength(close, 7)[900:] == pytest.approx(talib.RSI(close, 7)[900:], abs=1e-9)
    flow = money_flow(high + low + close, candles.volume, 14)
    assert 50 + 50 * flow[20:] == pytest.approx(
        talib.MFI(high, low, close, candles.volume, 14)[20:], abs=1e-6
    )
