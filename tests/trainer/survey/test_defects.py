"""What markets did is kept; what they are not known to do, or what cannot be trusted, is dropped."""

import numpy as np
import pytest

from common.timeframes import Timeframe
from tests.candle_fixtures import candles
from trainer.candles.bars import CLOSE, FIELDS, HIGH, LOW, OPEN, VOLUME, Bars
from trainer.candles.candles import Candles
from trainer.features.indicators import block_features, blocks
from trainer.survey import defects
from trainer.survey.defects import BURST, LARGEST_BURST, SPIKE_BARS, impossible, spikes

ROWS = 100
PRICES = [OPEN, HIGH, LOW, CLOSE]


def minutes():
    columns = candles(ROWS)
    return Bars.of(columns["open_time"], {name: columns[name] for name in FIELDS[:5]})


def judged(bars):
    """Rows that are dropped, and the findings by defect."""
    alone, of_alone = impossible(bars, Timeframe.M1)
    assert not alone.any(), of_alone
    rows, found = spikes(bars, Timeframe.M1)
    return np.flatnonzero(rows).tolist(), {finding.defect: finding for finding in found}


@pytest.mark.parametrize("factor", [1e-5, 1e-4, 1e4, 1e5])
@pytest.mark.parametrize("rows", [[50], [1], [ROWS - 2], [20, 21, 22], [20, 22, 24], [20, 60]])
def test_bars_far_from_both_neighbours_are_dropped(factor, rows):
    bars = minutes()
    bars.values[np.ix_(PRICES, rows)] *= factor
    dropped, found = judged(bars)
    assert dropped == rows
    assert set(found) == {"spike"}
    assert found["spike"].count == len(rows)
    assert found["spike"].first == f"2023-01-01 {rows[0] // 60:02}:{rows[0] % 60:02} UTC"


def test_bad_bars_of_different_levels_side_by_side_are_one_spike():
    bars = minutes()
    bars.values[np.ix_(PRICES, [50])] *= 1e4
    bars.values[np.ix_(PRICES, [51])] *= 1e7
    bars.values[np.ix_(PRICES, [52])] *= 1e-5
    assert judged(bars)[0] == [50, 51, 52]


@pytest.mark.parametrize("factor", [1 / 900, 1 / 100, 100, 900])
def test_a_spike_that_some_market_might_make_is_kept_and_told(factor):
    bars = minutes()
    bars.values[np.ix_(PRICES, [50])] *= factor
    dropped, found = judged(bars)
    assert dropped == []
    assert (found["jump"].count, found["jump"].first) == (1, "2023-01-01 00:50 UTC")


def test_a_spike_is_measured_against_both_neighbours():
    """Here 2,000 times above the bar before, but only 400 times above the one after."""
    bars = minutes()
    bars.values[np.ix_(PRICES, [50])] *= 2000
    bars.values[: CLOSE + 1, 51:] *= 5
    dropped, found = judged(bars)
    assert (dropped, set(found)) == ([], {"jump"})


@pytest.mark.parametrize("rows", [slice(50, None), slice(-1, None), slice(0, 1), slice(50, 51 + SPIKE_BARS)])
@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_another_level_that_stays_is_kept_and_told(rows, factor):
    """A split, a redenomination, or another asset under an old name; the edges have one neighbour only."""
    bars = minutes()
    bars.values[: CLOSE + 1, rows] *= factor
    dropped, found = judged(bars)
    assert dropped == []
    assert set(found) == {"jump"}
    assert found["jump"].count == (2 if rows.stop == 51 + SPIKE_BARS else 1)


def test_a_jump_says_from_where_to_where():
    bars = minutes()
    bars.values[: CLOSE + 1, 50:] *= 100
    before, after = bars.values[CLOSE, [49, 50]]
    assert judged(bars)[1]["jump"].detail == (
        "The price jumps 10-fold or more from bar to bar at 1 place, first 2023-01-01 00:50 UTC "
        f"from {before:.6g} to {after:.6g}; kept as it is. It may be a split, another asset under the same "
        "name, or a wrong decimal point."
    )


def crash_to_the_smallest_price(bars):
    bars.values[LOW, 50] /= 1e7


def purchase_from_an_empty_book(bars):
    bars.values[HIGH, 50] *= 2.5e6


@pytest.mark.parametrize("event", [crash_to_the_smallest_price, purchase_from_an_empty_book])
def test_a_wick_however_long_is_kept_and_told(event):
    bars = minutes()
    event(bars)
    dropped, found = judged(bars)
    assert dropped == []
    assert set(found) == {"wide_range"}
    assert (found["wide_range"].count, found["wide_range"].first) == (1, "2023-01-01 00:50 UTC")


def test_a_coin_that_loses_nearly_everything_is_left_as_it_is():
    """Nine tenths within each bar, and a hundred thousand times the volume at the end."""
    bars = minutes()
    level = np.concatenate([np.zeros(50), -np.arange(6), np.full(44, -6.0)])
    bars.values[: CLOSE + 1] *= 10.0**level
    bars.values[LOW, 50:56] /= 10
    bars.values[CLOSE, 50:56] = bars.values[LOW, 50:56]
    bars.values[VOLUME, 50:] *= 1e5
    assert judged(bars) == ([], {})


def test_a_day_of_ten_times_the_price_within_one_bar_is_left_as_it_is():
    bars = minutes()
    bars.values[[HIGH, CLOSE], 50] *= 20
    bars.values[: CLOSE + 1, 51:] *= 20
    assert judged(bars) == ([], {})


def test_a_bar_of_one_trade_far_off_is_dropped_though_it_may_be_true():
    """Nothing was traded but this, between bars that agree: it is counted, and neither label nor feature."""
    bars = minutes()
    bars.values[PRICES, 50] /= 2000
    bars.values[VOLUME, 50] = 1e-8
    dropped, found = judged(bars)
    assert dropped == [50]
    assert (found["spike"].count, found["spike"].action) == (1, "dropped")


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_burst_of_volume_is_told_from_its_bound_and_dropped_from_a_greater_one(factor):
    for bound, at_most, above in ((BURST, [], ["volume_burst"]), (LARGEST_BURST, ["volume_burst"], None)):
        bars = minutes()
        bars.values[VOLUME, 50] = bound * factor * np.median(bars.values[VOLUME])
        rows, found = impossible(bars, Timeframe.M1)
        expected = at_most if factor < 1 else above
        if expected is None:
            assert (np.flatnonzero(rows).tolist(), [one.defect for one in found]) == ([50], ["out_of_range"])
        else:
            assert (rows.any(), [one.defect for one in found]) == (False, expected)


def test_where_nothing_is_traded_no_volume_is_a_burst():
    bars = minutes()
    bars.values[VOLUME] = 0.0
    assert not impossible(bars, Timeframe.M1)[0].any()
    assert impossible(bars, Timeframe.M1)[1] == []


def test_the_greatest_volume_that_is_kept_leaves_the_features_of_later_bars_as_they_are(simulate):
    """Beyond it the bars after it would pay for it: running sums keep what rounding took from them."""
    calm = simulate(1000)

    def features(volume: float):
        volumes = calm.volume.copy()
        volumes[200] = volume * np.median(volumes)
        columns = {name: getattr(calm, name) for name in ("open_time", "open", "high", "low", "close")}
        burst = Candles.of(calm.symbol, calm.timeframe, columns | {"volume": volumes})
        return np.concatenate([block_features(burst, block) for block in blocks(burst)])[400:]

    expected = features(1.0)
    assert np.abs(features(LARGEST_BURST) - expected).max() < 1e-3
    assert np.abs(features(1e6 * LARGEST_BURST) - expected).max() > 1.0


DEFECTS = {
    "none": lambda values, row: None,
    "nan": lambda values, row: values.__setitem__((row % 5, row), np.nan),
    "infinite": lambda values, row: values.__setitem__((row % 5, row), np.inf),
    "zero": lambda values, row: values.__setitem__((row % 4, row), 0.0),
    "negative": lambda values, row: values.__setitem__((row % 5, row), -1.0),
    "tiny": lambda values, row: values.__setitem__((slice(0, 4), row), 1e-19),
    "huge": lambda values, row: values.__setitem__((slice(0, 4), row), 1e16),
    "open above": lambda values, row: values.__setitem__((OPEN, row), values[HIGH, row] * 1.1),
    "close below": lambda values, row: values.__setitem__((CLOSE, row), values[LOW, row] / 1.1),
    "crossed": lambda values, row: values.__setitem__(([HIGH, LOW], row), values[[LOW, HIGH], row] + [0, 1]),
    "wide": lambda values, row: values.__setitem__((LOW, row), values[LOW, row] / 2e9),
    "burst": lambda values, row: values.__setitem__((VOLUME, row), 1e13),
    "much": lambda values, row: values.__setitem__((VOLUME, row), 1e17),
}


@pytest.mark.parametrize("defect", DEFECTS)
@pytest.mark.parametrize("row", [0, 50, 51, 52, 53, 99])
def test_bars_that_are_all_possible_at_a_glance_are_so_one_by_one(defect, row, monkeypatch):
    bars = minutes()
    DEFECTS[defect](bars.values, row)
    at_a_glance = impossible(bars, Timeframe.M1)
    monkeypatch.setattr(defects, "_all_possible", lambda *_: False)
    monkeypatch.setattr(defects, "_median", lambda volume: float(np.median(volume[volume > 0])))
    one_by_one = impossible(bars, Timeframe.M1)
    assert np.array_equal(at_a_glance[0], one_by_one[0])
    assert at_a_glance[1] == one_by_one[1]
    assert bool(one_by_one[1]) == (defect != "none")
