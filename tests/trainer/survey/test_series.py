import numpy as np
import pytest

from common.protocol.reports import SurveyReport
from common.timeframes import Timeframe
from tests.candle_fixtures import (
    POLICY,
    candles,
    defects,
    rows_of,
    surveyed,
    write_csv,
    write_parquet,
)
from trainer.candles.bars import FIELDS, Bars
from trainer.candles.cache import open_candles
from trainer.survey.resample import resampled

DAY = 1440


def by_timeframe(report):
    return {series.timeframe: series for series in report.series}


def coarser(columns, timeframe_ms):
    bars = Bars.of(columns["open_time"], {name: columns[name] for name in FIELDS[:5]})
    coarse, _ = resampled(bars, 60_000, timeframe_ms, 0.0)
    return {"open_time": coarse.open_time, **dict(zip(FIELDS[:5], coarse.values, strict=False))}


def detail(report, timeframe, defect):
    found = [f.detail for f in report.findings if (f.timeframe, f.defect) == (timeframe, defect)]
    assert len(found) == 1, report.findings
    return found[0]


def test_native_candles_go_before_resampled_ones_and_agree(tmp_path):
    columns = candles(2 * DAY)
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", coarser(columns, 3_600_000))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h", "4h"))
    assert [series.source for series in report.series] == ["native", "resampled from 1m"]
    assert report.findings == ()


def test_native_candles_that_differ_from_their_minutes_are_told(tmp_path):
    columns = candles(2 * DAY)
    hours = coarser(columns, 3_600_000)
    hours["high"][[5, 9]] *= [1.01, 1.02]
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", hours)
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",))
    assert detail(report, "1h", "overlap_different") == (
        "2 of 48 common bars differ between the native candles and those resampled from 1m, by up to 2 %, "
        "first 2023-01-01 05:00 UTC; the first-named is used."
    )
    cached = open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.H1, report.series[0].digest)
    assert (cached.high == hours["high"]).all()


def test_bars_that_native_candles_lack_are_resampled(tmp_path):
    columns = candles(2 * DAY)
    hours = coarser(columns, 3_600_000)
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", rows_of(hours, np.r_[10:20, 22:30]))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",))
    assert report.series[0].source == "native and resampled from 1m"
    assert report.series[0].rows == 48
    assert detail(report, "1h", "filled") == (
        "30 bars not among the native candles were resampled from 1m, first 2023-01-01 00:00 UTC."
    )
    cached = open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.H1, report.series[0].digest)
    assert cached.close.tolist() == hours["close"].tolist()


def test_a_spike_in_native_candles_is_replaced_by_what_the_minutes_say(tmp_path):
    columns = candles(2 * DAY)
    hours = coarser(columns, 3_600_000)
    spiked = {name: values.copy() for name, values in hours.items()}
    for name in FIELDS[:4]:
        spiked[name][20] *= 1e4
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", spiked)
    lenient = POLICY.model_copy(update={"max_defect_share": 0.03})
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",), lenient)
    assert defects(report) == {("1h", "spike"): 1, ("1h", "filled"): 1}
    cached = open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.H1, report.series[0].digest)
    assert cached.close.tolist() == hours["close"].tolist()


def test_numbers_that_overflow_leave_a_report_that_can_be_read_back(tmp_path):
    columns = candles(300)
    turnover = columns["volume"] * 1000.0
    for name, number in (("volume", 1e308), ("high", 1e308), ("low", 5e-324)):
        columns[name][100] = number
    columns["quote_volume"] = np.where(np.arange(300) == 200, 1e308, turnover)
    write_parquet(tmp_path / "BTCUSDT-1m.parquet", columns)
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    assert SurveyReport.model_validate_json(report.model_dump_json()) == report
    assert {series.timeframe: series.rows for series in report.series} == {"1m": 299, "5m": 59}
    assert report.quote_volume_per_day == pytest.approx(turnover.mean() * DAY, rel=0.02)


def test_a_timeframe_finer_than_all_candles_is_refused_with_the_finest_found(tmp_path):
    write_csv(tmp_path / "ADAUSDT-1h.csv", candles(500, "1h"))
    report = surveyed(tmp_path, tmp_path / "cache", "ADAUSDT", ("1m", "15m", "1h", "4h"))
    series = by_timeframe(report)
    assert series["1m"].refusal == "ADAUSDT: no candles fine enough for 1m; the finest found are 1h"
    assert series["15m"].refusal == "ADAUSDT: no candles fine enough for 15m; the finest found are 1h"
    assert (series["1m"].rows, series["1m"].span, series["1m"].digest) == (0, None, "")
    assert series["1h"].refusal == series["4h"].refusal == ""


def test_candles_that_do_not_divide_a_timeframe_are_no_source_of_it(tmp_path):
    write_csv(tmp_path / "ADAUSDT-4h.csv", candles(500, "4h"))
    report = surveyed(tmp_path, tmp_path / "cache", "ADAUSDT", ("6h", "12h"))
    assert report.series[0].refusal == "ADAUSDT: no candles that add up to 6h; found are 4h"
    assert report.series[1].refusal == ""


def test_gaps_are_counted_with_the_first_and_the_longest(tmp_path):
    kept = np.r_[0:100, 101:200, 205:300]
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), kept))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    assert by_timeframe(report)["1m"].missing == 6
    assert by_timeframe(report)["1m"].segments == 3
    assert detail(report, "1m", "gap") == (
        "6 of 300 bars (2 %) are missing in 2 gaps, first 2023-01-01 01:40 UTC (1 bar), "
        "longest 2023-01-01 03:20 UTC (5 bars); windows do not reach across them, which costs 51.3 % of "
        "the rows."
    )
    assert by_timeframe(report)["5m"].missing == 2
    assert detail(report, "5m", "gap").endswith("as max_bar_missing_share is 0.")


def test_too_many_missing_bars_are_refused_with_figures(tmp_path):
    kept = np.r_[0:60, 120:300]
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), kept))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))
    assert report.series[0].refusal == ""
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), np.r_[0:60, 61, 120:300]))
    assert surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",)).series[0].refusal == ""
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), np.r_[0:59, 100, 121:300]))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))
    assert report.series[0].refusal == (
        "BTCUSDT 1m: 61 of 300 bars (20.3 %) are missing, 41 of them in a row from "
        "2023-01-01 00:59 UTC; max_missing_share allows 20.0 %"
    )
    assert (report.series[0].digest, report.series[0].rows, report.series[0].missing) == ("", 239, 61)
    assert defects(report)["1m", "missing_share"] == 61


def test_bars_that_lack_minutes_are_refused_with_the_reason(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), np.delete(np.arange(300), [61, 121, 181])))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "1h", "1d"))
    assert [series.refusal for series in report.series] == [
        "",
        "BTCUSDT 1h: 3 of 5 bars (60.0 %) are missing, 3 of them in a row from 2023-01-01 01:00 UTC; "
        "max_missing_share allows 20.0 % (a bar needs all its 1m candles, as max_bar_missing_share is 0)",
        "BTCUSDT 1d: no bar is left; a bar needs all its 1m candles, as max_bar_missing_share is 0",
    ]


def test_the_policy_decides_over_incomplete_bars(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), np.r_[0:59, 60:300]))
    strict = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",))
    lenient = POLICY.model_copy(update={"max_bar_missing_share": 0.05})
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",), lenient)
    assert (strict.series[0].rows, report.series[0].rows) == (4, 5)


def test_a_refused_source_is_told_where_nothing_else_serves(tmp_path):
    columns = candles(300)
    columns["close"][:10] = -1
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    for series in report.series:
        assert series.refusal == (
            f"BTCUSDT {series.timeframe}: the 1m candles were refused: 10 of 300 bars (3.3 %) are impossible "
            "or off the grid (10 non_positive), first 2023-01-01 00:00 UTC; max_defect_share allows 1 %"
        )
