import numpy as np
import pytest

from common.settings.sections import Data
from common.timeframes import Timeframe
from tests.candle_fixtures import POLICY, candles, defects, rows_of, surveyed, write_csv
from trainer.candles.bars import FIELDS, Bars
from trainer.candles.cache import open_candles
from trainer.survey.holes import filled_idle, idle_times
from trainer.survey.resample import resampled

MINUTE, DAY = 60_000, 1440
DEFAULT = Data().policy
NO_TRADE = DEFAULT.model_copy(update={"missing": "no_trade"})


def bars_of(columns):
    return Bars.of(columns["open_time"], {name: columns[name] for name in FIELDS[:5]})


def coarser(columns, milliseconds):
    coarse, _ = resampled(bars_of(columns), MINUTE, milliseconds, 0.0)
    return {"open_time": coarse.open_time, **dict(zip(FIELDS[:5], coarse.values, strict=False))}


def without(columns, rows):
    return rows_of(columns, np.delete(np.arange(len(columns["open_time"])), rows))


def at_random(rows, share, seed=1):
    return np.flatnonzero(np.random.default_rng(seed).random(rows) < share)


def series_of(folder, timeframes, policy=DEFAULT):
    report = surveyed(folder, folder / "cache", "BTCUSDT", timeframes, policy)
    return {one.timeframe: one for one in report.series}, report


@pytest.mark.parametrize("share", [0.05, 0.12, 0.5])
def test_many_short_holes_are_minutes_without_trade(share):
    columns = candles(20_000)
    absent = at_random(20_000, share)
    absent = absent[(absent > 0) & (absent < 19_999)]
    idle = idle_times(bars_of(without(columns, absent)), Timeframe.M1)
    assert np.isin(idle, columns["open_time"][absent]).all()
    assert len(idle) > 0.99 * len(absent)


def test_a_long_hole_among_short_ones_is_lost_data():
    columns = candles(20_000)
    outage = np.arange(9000, 9060)
    absent = np.union1d(at_random(20_000, 0.12), outage)
    idle = idle_times(bars_of(without(columns, absent)), Timeframe.M1)
    assert not np.isin(columns["open_time"][outage], idle).any()


def test_holes_of_a_page_amid_ordinary_trade_are_lost_data():
    columns = without(candles(20_000), np.arange(1000, 20_000, 1001))
    assert len(idle_times(bars_of(columns), Timeframe.M1)) == 0


def test_rare_holes_where_hardly_anything_is_traded_are_minutes_without_trade():
    columns = candles(20_000)
    rows = np.arange(1000, 20_000, 1001)
    for beside in (rows - 1, rows + 1):
        columns["volume"][beside] /= 50
    assert (idle_times(bars_of(without(columns, rows)), Timeframe.M1) == columns["open_time"][rows]).all()


def test_a_source_that_writes_bars_without_volume_leaves_none_out():
    columns = candles(20_000)
    columns["volume"][at_random(20_000, 0.05, seed=2)] = 0
    assert len(idle_times(bars_of(without(columns, at_random(20_000, 0.05))), Timeframe.M1)) == 0


def test_a_bar_is_filled_with_the_close_before_it():
    columns = candles(100)
    kept = bars_of(without(columns, [50, 51]))
    bars = filled_idle(kept, columns["open_time"][[50, 51]])
    assert bars.open_time.tolist() == columns["open_time"].tolist()
    assert bars.values[:4, 50:52].tolist() == [[columns["close"][49]] * 2] * 4
    assert bars.values[4:, 50:52].tolist() == [[0.0, 0.0]] * 2


def test_hours_of_minutes_without_trade_are_whole(tmp_path):
    columns = candles(20 * DAY)
    absent = at_random(20 * DAY - 1, 0.12)
    write_csv(tmp_path / "BTCUSDT-1m.csv", without(columns, absent[absent > 0]))
    series, report = series_of(tmp_path, ("1m", "1h", "1d"))
    assert [series[name].refusal for name in ("1m", "1h", "1d")] == ["", "", ""]
    assert (series["1h"].rows, series["1d"].rows, series["1m"].segments > 1000) == (480, 20, True)
    assert "which costs 99.9 % of the rows" in " ".join(f.detail for f in report.findings)
    series, report = series_of(tmp_path, ("1m", "1h"), NO_TRADE)
    assert (series["1m"].rows, series["1m"].segments, series["1h"].rows) == (20 * DAY, 1, 480)
    assert next(f.action for f in report.findings if f.defect == "no_trade") == "filled"


def test_a_market_too_thin_for_minutes_is_told_of_the_option(tmp_path):
    columns = candles(20 * DAY)
    write_csv(tmp_path / "BTCUSDT-1m.csv", without(columns, at_random(20 * DAY, 0.4)))
    series, _ = series_of(tmp_path, ("1m", "15m"))
    assert "nothing was traded, data.missing: no_trade would fill these" in series["1m"].refusal
    assert series["15m"].refusal == ""


def test_one_lost_minute_costs_no_day(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", without(candles(20 * DAY), [10 * DAY + 77]))
    series, _ = series_of(tmp_path, ("15m", "1h", "1d"))
    assert [series[name].rows for name in ("15m", "1h", "1d")] == [20 * 96, 480, 20]


def test_a_lost_minute_every_thousand_costs_no_quarter_of_an_hour(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", without(candles(20 * DAY), np.arange(1000, 20 * DAY, 1001)))
    series, _ = series_of(tmp_path, ("15m", "1h", "4h", "1d"))
    assert [series[name].segments for name in ("15m", "1h", "4h", "1d")] == [1] * 4


def test_a_long_hole_splits_a_series(tmp_path):
    columns = without(candles(20 * DAY), np.arange(2 * DAY, 18 * DAY))
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    series, _ = series_of(tmp_path, ("1m", "15m", "1h"))
    assert [(series[name].refusal, series[name].segments) for name in ("1m", "15m", "1h")] == [("", 2)] * 3


def test_a_span_that_lacks_too_much_is_left_out_and_the_others_are_used(tmp_path):
    rows = np.concatenate([np.arange(0, 2 * DAY, 2), np.arange(5 * DAY, 10 * DAY)])
    columns = candles(10 * DAY)
    columns["volume"][::37] = 0
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(columns, rows))
    series, report = series_of(tmp_path, ("1m",), DEFAULT)
    assert (series["1m"].refusal, series["1m"].rows) == ("", 5 * DAY)
    assert defects(report)["1m", "span_left_out"] == DAY


@pytest.mark.parametrize("gap_days", [0, 3])
def test_older_finer_candles_never_make_coarser_ones_worse(tmp_path, gap_days):
    columns = candles(20 * DAY)
    columns["volume"][::37] = 0.0
    quarters = rows_of(coarser(columns, 15 * MINUTE), slice(96 * 10, None))
    write_csv(tmp_path / "BTCUSDT-15m.csv", quarters)
    alone, _ = series_of(tmp_path, ("15m", "1h"))
    older = rows_of(columns, slice(0, (10 - gap_days) * DAY))
    write_csv(tmp_path / "BTCUSDT-1m.csv", without(older, at_random((10 - gap_days) * DAY, 0.3)))
    both, _ = series_of(tmp_path, ("15m", "1h"))
    for name in ("15m", "1h"):
        assert both[name].refusal == ""
        assert both[name].rows >= alone[name].rows
    candles_of = open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.M15, both["15m"].digest)
    assert np.isin(quarters["open_time"], candles_of.open_time).all()


def test_a_complete_bar_goes_before_one_that_lacks_minutes(tmp_path):
    columns = candles(2 * DAY)
    fives = coarser(columns, 5 * MINUTE)
    write_csv(tmp_path / "BTCUSDT-5m.csv", fives)
    hours = coarser(columns, 60 * MINUTE)
    highest = int(np.argmax(columns["high"][:60]))
    write_csv(tmp_path / "BTCUSDT-1m.csv", without(columns, [highest]))
    series, _ = series_of(tmp_path, ("1h",))
    cached = open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.H1, series["1h"].digest)
    assert cached.high.tolist() == hours["high"].tolist()


def test_a_policy_of_an_earlier_version_can_be_read():
    old = POLICY.model_dump(exclude={"missing"})
    assert type(POLICY).model_validate(old).missing == "skip"


@pytest.mark.parametrize("policy", [DEFAULT, NO_TRADE])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_minutes_whose_volume_coarser_candles_have_were_lost(tmp_path, share, policy):
    columns = candles(20 * DAY)
    quarters = coarser(columns, 15 * MINUTE)
    write_csv(tmp_path / "BTCUSDT-15m.csv", quarters)
    absent = at_random(10 * DAY, share)
    write_csv(tmp_path / "BTCUSDT-1m.csv", without(rows_of(columns, slice(0, 10 * DAY)), absent))
    series, report = series_of(tmp_path, ("15m", "1h"), policy)
    assert [(series[name].refusal, series[name].rows) for name in ("15m", "1h")] == [("", 20 * 96), ("", 480)]
    assert ("1m", "no_trade") not in defects(report)
    cached = open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.M15, series["15m"].digest)
    assert cached.volume.tolist() == quarters["volume"].tolist()


def test_minutes_whose_volume_coarser_candles_do_not_have_were_without_trade(tmp_path):
    columns = candles(20 * DAY)
    absent = at_random(20 * DAY - 1, 0.12)
    there = without(columns, absent[absent > 0])
    bars = bars_of(there)
    hours, _ = resampled(bars, MINUTE, 60 * MINUTE, 0.5)
    write_csv(tmp_path / "BTCUSDT-1m.csv", there)
    write_csv(
        tmp_path / "BTCUSDT-1h.csv",
        {"open_time": hours.open_time, **dict(zip(FIELDS[:5], hours.values, strict=False))},
    )
    series, report = series_of(tmp_path, ("15m", "1h"))
    assert [(series[name].refusal, series[name].rows) for name in ("15m", "1h")] == [("", 20 * 96), ("", 480)]
    assert defects(report)["1m", "no_trade"] == len(absent[absent > 0])
