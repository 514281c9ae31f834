import numpy as np
import pytest

from common.timeframes import Timeframe
from tests.candle_fixtures import POLICY, START_MS, candles, rows_of
from trainer.candles.bars import FIELDS, Bars
from trainer.sources.files import Source
from trainer.survey.repair import repaired

MINUTE = 60_000
LONG_AGO = START_MS - 86_400_000


def source(columns, name="a.csv", units=("milliseconds",), mtime_ms=LONG_AGO):
    bars = Bars.of(columns["open_time"], {field: columns[field] for field in FIELDS if field in columns})
    return Source(name, bars, frozenset(units), synthetic=False, mtime_ms=mtime_ms)


def changed(columns, rows, **values):
    other = {name: column.copy() for name, column in columns.items()}
    for name, value in values.items():
        other[name][rows] = value
    return other


def joined(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def repair(*sources, policy=POLICY):
    series, findings = repaired(sources, Timeframe.M1, policy)
    assert all(finding.timeframe == "1m" for finding in findings)
    assert all(finding.detail.endswith(".") and "\n" not in finding.detail for finding in findings)
    return series, {finding.defect: finding for finding in findings}


def minutes(series):
    return ((series.bars.open_time - START_MS) // MINUTE).tolist()


def test_faultless_candles_are_left_as_they_are_without_a_word():
    columns = candles(500)
    series, findings = repair(source(columns))
    assert findings == {}
    assert series.refusal == ""
    assert series.bars.values[:5].tolist() == [columns[name].tolist() for name in FIELDS[:5]]


def test_rows_in_any_order_are_sorted_and_told():
    columns = candles(500)
    expected = repair(source(columns))[0].bars
    series, findings = repair(source(rows_of(columns, slice(None, None, -1))))
    assert (series.bars.values[:5] == expected.values[:5]).all()
    assert "run from new to old in a.csv" in findings["unsorted"].detail
    swapped = np.r_[0:100, 200:300, 100:200, 300:500]
    series, findings = repair(source(rows_of(columns, swapped)))
    assert (series.bars.values[:5] == expected.values[:5]).all()
    assert findings["unsorted"].count == 2 - 1
    assert findings["unsorted"].action == "sorted"


def test_equal_duplicates_are_dropped_and_counted():
    columns = candles(500)
    series, findings = repair(source(joined(columns, rows_of(columns, [7, 7, 9]))))
    assert minutes(series) == list(range(500))
    finding = findings["duplicate_equal"]
    assert (finding.count, finding.action, finding.first) == (3, "dropped", "2023-01-01 00:07 UTC")


def test_of_different_duplicates_the_later_is_used():
    columns = candles(500)
    twin = changed(rows_of(columns, [7, 9]), 1, close=columns["low"][9])
    for order, close in (
        (joined(columns, twin), columns["low"][9]),
        (joined(twin, columns), columns["close"][9]),
    ):
        series, findings = repair(source(order))
        finding = findings["duplicate_different"]
        assert (finding.count, finding.action, finding.first) == (1, "reported", "2023-01-01 00:09 UTC")
        assert finding.detail.endswith("in a.csv; the later of each is used.")
        assert (series.refusal, len(series.bars), series.bars.values[3, 9]) == ("", 500, close)
        assert findings["duplicate_equal"].count == 1


def test_in_a_file_from_new_to_old_the_upper_row_is_the_later():
    columns = candles(500)
    twin = changed(rows_of(columns, [9]), 0, close=columns["low"][9])
    backwards = rows_of(joined(columns, twin), np.r_[499:9:-1, 500, 9:-1:-1])
    assert repair(source(backwards))[0].bars.values[3, 9] == columns["low"][9]


def unfinished(columns, rows):
    """The same bars as they were after a part of their time: the same open, a smaller range and volume."""
    low, high = columns["low"][rows], columns["high"][rows]
    half = {"close": columns["open"][rows], "volume": columns["volume"][rows] / 9}
    half |= {name: np.clip(columns["open"][rows], low, high) for name in ("high", "low")}
    return changed(rows_of(columns, rows), slice(None), **half)


def test_of_a_bar_that_comes_unfinished_and_finished_the_finished_is_used_in_any_order():
    columns = candles(500)
    early = unfinished(columns, np.arange(20, 500, 20))
    for parts in ((early, columns), (columns, early)):
        series, findings = repair(source(joined(*parts)))
        assert (series.bars.values[:5] == [columns[name] for name in FIELDS[:5]]).all()
        assert series.refusal == ""
        finding = findings["duplicate_unfinished"]
        assert (finding.count, finding.action, finding.first) == (24, "dropped", "2023-01-01 00:20 UTC")
        series, _ = repair(source(parts[0], "a.csv"), source(parts[1], "b.csv"))
        assert series.refusal == ""
        assert (series.bars.values[:5] == [columns[name] for name in FIELDS[:5]]).all()


def test_many_different_duplicates_refuse_the_series():
    columns = candles(500)
    other = rows_of(candles(500, seed=3), slice(0, 6))
    series, findings = repair(source(joined(columns, other)))
    assert findings["duplicate_different"].action == "refused"
    assert series.refusal + "." == findings["duplicate_different"].detail
    assert "more than one market or clock: split it" in series.refusal
    assert repair(source(joined(columns, rows_of(other, slice(0, 5)))))[0].refusal == ""


def test_files_that_overlap_and_agree_are_merged():
    columns = candles(500)
    series, findings = repair(
        source(rows_of(columns, slice(0, 300)), "a.csv"), source(rows_of(columns, slice(200, 500)), "b.csv")
    )
    assert minutes(series) == list(range(500))
    assert set(findings) == {"overlap_equal"}
    assert findings["overlap_equal"].detail == (
        "100 bars of a.csv are also in b.csv, with equal values, first 2023-01-01 03:20 UTC."
    )


def test_files_that_overlap_and_differ_on_a_few_bars_are_told_and_the_finished_wins():
    columns = candles(500)
    other = changed(rows_of(columns, slice(200, 500)), [10, 20], volume=0.5)
    series, findings = repair(source(rows_of(columns, slice(0, 300)), "a.csv"), source(other, "b.csv"))
    assert (series.bars.values[4] == columns["volume"]).all()
    assert series.refusal == ""
    finding = findings["overlap_different"]
    assert (finding.count, finding.action, finding.first) == (2, "reported", "2023-01-01 03:30 UTC")
    largest = 1 - 0.5 / columns["volume"][[210, 220]].max()
    assert finding.detail == (
        f"2 of 100 common bars differ between a.csv and b.csv, by up to {100 * largest:.1f} %, "
        "first 2023-01-01 03:30 UTC; the finished one is used, or that of the file that reaches further."
    )


def test_of_two_files_the_one_that_reaches_further_is_believed():
    columns = candles(500)
    other = changed(rows_of(columns, slice(200, 500)), [10], close=columns["low"][210])
    first = source(rows_of(columns, slice(0, 300)), "b.csv")
    for files in ((first, source(other, "c.csv")), (source(other, "a.csv"), first)):
        assert repair(*files)[0].bars.values[3, 210] == columns["low"][210]


def test_three_files_of_one_bar_are_each_compared_with_the_one_that_is_kept():
    columns = candles(100)
    second = changed(columns, 50, close=columns["low"][50])
    _, findings = repair(source(columns, "a"), source(second, "b"), source(second, "c"))
    assert findings["overlap_different"].count == 2
    assert "(and 1 other pair of files)" in findings["overlap_different"].detail


IMPOSSIBLE = {
    "non_finite": {"close": np.nan},
    "non_positive": {"low": 0.0},
    "negative_volume": {"volume": -1.0},
    "high_low": {"high": 1.0},
    "out_of_range": {"high": 1e300},
    "impossible_range": {"low": 1e-9},
}


@pytest.mark.parametrize("defect", IMPOSSIBLE)
def test_impossible_bars_are_dropped_as_missing(defect):
    columns = changed(candles(500), [5, 9], **IMPOSSIBLE[defect])
    series, findings = repair(source(columns))
    assert minutes(series) == [row for row in range(500) if row not in (5, 9)]
    finding = findings[defect]
    assert set(findings) == {defect}
    assert (finding.count, finding.action, finding.first) == (2, "dropped", "2023-01-01 00:05 UTC")


def test_too_many_impossible_bars_refuse_the_series_with_figures():
    columns = changed(candles(500), range(6), close=-1.0)
    series, findings = repair(source(columns))
    assert (
        series.refusal == "6 of 500 bars (1.2 %) are impossible or off the grid (6 non_positive), "
        "first 2023-01-01 00:00 UTC; max_defect_share allows 1 %"
    )
    assert findings["defect_share"].action == "refused"
    assert repair(source(changed(candles(500), range(5), close=-1.0)))[0].refusal == ""


OUT_OF_RANGE = {
    "a high that float32 cannot hold": {"high": 1e300},
    "a low that float32 cannot hold": {"low": 1e-300},
    "all prices": dict.fromkeys(("open", "high", "low", "close"), 1e16),
    "a volume that float32 cannot hold": {"volume": 1e300},
    "a volume above all others": {"volume": 1e14},
}


@pytest.mark.parametrize("numbers", OUT_OF_RANGE)
def test_numbers_that_no_market_makes_are_impossible(numbers):
    series, findings = repair(source(changed(candles(500), [5, 9], **OUT_OF_RANGE[numbers])))
    assert minutes(series) == [row for row in range(500) if row not in (5, 9)]
    assert set(findings) == {"out_of_range"}
    assert findings["out_of_range"].detail == (
        "2 bars with a price that is not between 1e-18 and 1e+15, or a volume above 1e+24 or 1e+12 times the "
        "median were dropped, first 2023-01-01 00:05 UTC."
    )


def test_a_purchase_in_a_market_of_dust_is_kept_and_told():
    columns = changed(candles(500), slice(None), volume=1e-8)
    series, findings = repair(source(changed(columns, [5, 9], volume=20.0)))
    assert len(series.bars) == 500
    assert set(findings) == {"volume_burst"}
    assert (findings["volume_burst"].count, findings["volume_burst"].action) == (2, "kept")
    assert findings["volume_burst"].detail == (
        "2 bars with a volume of more than 1e+09 times the median were kept, first 2023-01-01 00:05 UTC. It "
        "may be a market in which hardly anything is traded, or a volume in another unit."
    )


def test_a_volume_that_is_kept_is_not_named_where_the_series_is_refused():
    columns = changed(candles(500), [20], volume=1e12)
    series, findings = repair(source(changed(columns, range(6), close=-1.0)))
    assert "(6 non_positive)" in series.refusal
    assert set(findings) == {"non_positive", "volume_burst", "defect_share"}


@pytest.mark.parametrize("quote", [np.inf, -1.0, 1e300])
def test_an_impossible_quote_volume_costs_no_bar_and_no_priority(quote):
    columns = candles(500)
    expected = repair(source(columns))[0].bars.turnover
    true = columns["volume"] * columns["close"]
    columns["quote_volume"] = np.where(np.arange(500) == 7, quote, true)
    series, findings = repair(source(columns))
    assert set(findings) == {"quote_volume"}
    assert (findings["quote_volume"].count, findings["quote_volume"].first) == (1, "2023-01-01 00:07 UTC")
    assert series.bars.turnover == pytest.approx(expected)
    assert len(series.bars) == 500


def test_spikes_count_for_the_share_of_impossible_bars():
    def spiked(rows):
        columns = candles(500)
        for name in ("open", "high", "low", "close"):
            columns[name][rows] *= 1e4
        return repair(source(changed(columns, [0, 1], volume=-1.0)))

    series, findings = spiked([20, 30, 40])
    assert (series.refusal, findings["spike"].count) == ("", 3)
    assert minutes(series) == [row for row in range(500) if row not in (0, 1, 20, 30, 40)]
    series, findings = spiked([20, 30, 40, 50])
    assert series.refusal == (
        "6 of 500 bars (1.2 %) are impossible or off the grid (2 negative_volume, 4 spike), "
        "first 2023-01-01 00:00 UTC; max_defect_share allows 1 %"
    )
    assert findings["defect_share"].first == "2023-01-01 00:00 UTC"


def test_bars_off_the_grid_are_dropped():
    columns = candles(500)
    columns["open_time"][3] += 1234
    series, findings = repair(source(columns))
    assert minutes(series) == [row for row in range(500) if row != 3]
    assert "1234 milliseconds after a whole 1m" in findings["off_grid"].detail.replace(",", "")


def test_closing_times_in_the_place_of_opening_times_are_recognised():
    columns = candles(500)
    columns["open_time"] += MINUTE - 1
    series, findings = repair(source(columns))
    assert "as closing times are" in findings["off_grid"].detail
    assert series.refusal.startswith("500 of 500 bars (100.0 %) are impossible or off the grid")


def test_a_newest_bar_that_closes_after_its_file_was_written_is_dropped():
    columns = candles(500)
    newest = int(columns["open_time"][-1])
    series, findings = repair(source(columns, mtime_ms=newest + 30_000))
    assert minutes(series) == list(range(499))
    assert "before the bar closed" in findings["unfinished"].detail
    for finished in (newest + MINUTE, newest - 1):
        assert repair(source(columns, mtime_ms=finished))[1] == {}


def test_a_newest_bar_with_hardly_any_volume_is_dropped():
    columns = changed(candles(500), -1, volume=0.05)
    series, findings = repair(source(columns))
    assert minutes(series) == list(range(499))
    assert "of the median of the 60 bars before, and below all of them" in findings["unfinished"].detail
    idle_before = changed(columns, -30, volume=0.05)
    assert "unfinished" not in repair(source(idle_before))[1]


def test_bars_without_volume_are_kept_and_counted():
    series, findings = repair(source(changed(candles(500), [3, 4], volume=0.0)))
    assert len(series.bars) == 500
    assert findings["zero_volume"].detail == (
        "2 of 500 bars have no volume, first 2023-01-01 00:03 UTC; kept as they are."
    )


def test_a_change_of_unit_between_files_is_told():
    columns = candles(500)
    first, second = rows_of(columns, slice(0, 300)), rows_of(columns, slice(300, 500))
    _, findings = repair(source(first, "a"), source(second, "b", units=["microseconds"]))
    assert findings["mixed_time_units"].detail == (
        "The times are written in microseconds and milliseconds, changing first in b; "
        "each was read by its magnitude."
    )
