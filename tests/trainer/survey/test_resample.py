import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.timeframes import Timeframe
from tests.candle_fixtures import START_MS, candles, real_candles, rows_of
from trainer.candles.bars import FIELDS, Bars
from trainer.sources.files import read_source
from trainer.sources.folder import source_files
from trainer.survey.resample import resampled

MINUTE, FIVE = 60_000, 300_000


def bars(columns, **more):
    return Bars.of(columns["open_time"], {**{n: columns[n] for n in FIELDS if n in columns}, **more})


def one_by_one(fine, source_ms, target_ms, share):
    """The same by a loop over the bars, from the definition."""
    groups = {}
    for row, time in enumerate(fine.open_time.tolist()):
        groups.setdefault(time // target_ms * target_ms, []).append(row)
    due = target_ms // source_ms
    end = fine.open_time[-1] + source_ms
    rows = []
    for opening, members in groups.items():
        missing = due - len(members)
        if missing / due > share + 1e-12 or opening + target_ms > end:
            continue
        o, h, low, c, v, _ = (fine.values[place, members] for place in range(6))
        rows.append((opening, o[0], h.max(), low.min(), c[-1], math.fsum(v), math.fsum(v * c), missing == 0))
    return rows


@settings(deadline=None)
@given(st.sets(st.integers(0, 64), max_size=30), st.sampled_from([0.0, 0.2, 0.4, 0.8]), st.integers(0, 4))
def test_bars_are_made_as_defined(missing, share, offset):
    columns = candles(65, start_ms=START_MS + offset * MINUTE)
    fine = bars(rows_of(columns, np.setdiff1d(np.arange(65), sorted(missing))))
    coarse, complete = resampled(fine, MINUTE, FIVE, share)
    expected = one_by_one(fine, MINUTE, FIVE, share)
    assert coarse.open_time.tolist() == [row[0] for row in expected]
    assert complete.tolist() == [row[-1] for row in expected]
    for place in range(6):
        assert coarse.values[place] == pytest.approx([row[1 + place] for row in expected], rel=1e-12)


def test_a_last_bar_that_is_still_open_is_left_out_whatever_the_share():
    fine = bars(candles(9))
    assert len(resampled(fine, MINUTE, FIVE, 0.9)[0]) == 1
    assert len(resampled(bars(candles(10)), MINUTE, FIVE, 0.9)[0]) == 2


def test_a_share_is_met_exactly_at_its_edge():
    fine = bars(rows_of(candles(120), np.r_[6:120]))
    assert len(resampled(fine, MINUTE, 3_600_000, 0.1)[0]) == 2
    fine = bars(rows_of(candles(120), np.r_[7:120]))
    assert len(resampled(fine, MINUTE, 3_600_000, 0.1)[0]) == 1


def test_a_share_that_binary_numbers_miss_is_met_all_the_same():
    # 0.175 of 1440 is 252, but 0.175 * 1440 is a little less in floating point.
    day = bars(rows_of(candles(1440), np.r_[252:1440]))
    assert len(resampled(day, MINUTE, 86_400_000, 0.175)[0]) == 1


def test_quote_volume_is_summed_and_estimated_where_a_bar_lacks_it():
    columns = candles(5)
    quote = np.array([100.0, np.nan, 100.0, 100.0, 100.0])
    coarse, _ = resampled(bars(columns, quote_volume=quote), MINUTE, FIVE, 0.0)
    assert coarse.turnover == pytest.approx(400 + columns["volume"][1] * columns["close"][1])


def test_no_bars_give_no_bars():
    coarse, complete = resampled(bars(candles(0)), MINUTE, FIVE, 0.0)
    assert len(coarse) == len(complete) == 0


@pytest.mark.parametrize(("source", "target"), [(MINUTE, MINUTE), (FIVE, MINUTE), (7 * MINUTE, 60 * MINUTE)])
def test_lengths_that_do_not_divide_are_refused(source, target):
    with pytest.raises(ValueError, match="cannot be put together"):
        resampled(bars(candles(5)), source, target, 0.0)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
@pytest.mark.parametrize("timeframe", ["1h", "4h", "1d"])
def test_real_minutes_add_up_to_the_native_candles_exactly(symbol, timeframe):
    folder = real_candles("night")
    minutes, native = [], []
    for file in source_files(folder, symbol):
        if "-1m-2023" in file.relative:
            minutes += read_source(file, symbol)[0]
        elif f"-{timeframe}." in file.relative:
            native += read_source(file, symbol)[0]
    fine = Bars.joined([source.bars for source in minutes])
    coarse, complete = resampled(fine, MINUTE, Timeframe(timeframe).milliseconds, 0.0)
    assert complete.all()
    theirs = native[0].bars
    _, ours, same = np.intersect1d(coarse.open_time, theirs.open_time, return_indices=True)
    year = 365 * 86_400_000 // Timeframe(timeframe).milliseconds
    assert year - 3 <= len(ours) <= year
    for place, name in enumerate(FIELDS[:4]):
        assert (coarse.values[place, ours] == theirs.values[place, same]).all(), name
    assert coarse.values[4, ours] == pytest.approx(theirs.values[4, same], rel=1e-12)
