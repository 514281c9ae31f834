import os
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from common.errors import DataError, StorageError
from common.protocol.jobs import SurveySpec
from common.protocol.reports import SurveyReport
from common.timeframes import Timeframe
from tests.candle_fixtures import (
    POLICY,
    START_MS,
    binance_text,
    candles,
    defects,
    real_candles,
    rows_of,
    surveyed,
    write_csv,
    write_feather,
    write_json,
    write_parquet,
    write_zip,
)
from trainer.candles.bars import FIELDS, Bars
from trainer.candles.cache import open_candles
from trainer.sources.files import SYNTHETIC_KEY
from trainer.survey.resample import resampled
from trainer.survey.survey import survey

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


def test_one_file_of_minutes_serves_every_timeframe(tmp_path):
    columns = candles(3 * DAY)
    write_csv(tmp_path / "data/BTCUSDT-1m.csv", columns)
    report = surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1d", "1m", "1h"))
    assert [series.timeframe for series in report.series] == ["1d", "1m", "1h"]
    assert [series.source for series in report.series] == ["resampled from 1m", "native", "resampled from 1m"]
    assert [series.rows for series in report.series] == [3, 3 * DAY, 72]
    assert all(
        series.refusal == "" and series.missing == 0 and series.segments == 1 for series in report.series
    )
    assert by_timeframe(report)["1d"].span.start == datetime(2023, 1, 1, tzinfo=UTC)
    assert by_timeframe(report)["1d"].span.end == datetime(2023, 1, 4, tzinfo=UTC)
    assert report.findings == ()
    assert report.files == ("BTCUSDT-1m.csv",)
    assert not report.synthetic
    turnover = (columns["volume"] * columns["close"]).sum() / 3
    assert report.quote_volume_per_day == pytest.approx(turnover)
    assert [series.quote_volume_per_day for series in report.series] == pytest.approx([turnover] * 3)
    for series in report.series:
        cached = open_candles(tmp_path / "cache", "BTCUSDT", series.timeframe, series.digest)
        assert len(cached) == series.rows
    assert (cached.close == columns["close"][59::60]).all()


def test_progress_goes_through_the_files_and_the_timeframes(tmp_path):
    columns = candles(DAY)
    for part in range(3):
        write_csv(tmp_path / f"BTCUSDT-1m-{part}.csv", rows_of(columns, slice(480 * part, 480 * part + 480)))
    steps = []
    spec = SurveySpec(symbol="BTCUSDT", timeframes=("1m", "1h"), policy=POLICY)
    survey(spec, tmp_path, tmp_path / "cache", lambda *step: steps.append(step))
    assert steps == [("read", n, 3) for n in range(4)] + [("assemble", n, 2) for n in range(3)]


def test_sources_of_all_formats_and_spellings_are_one_series(tmp_path):
    columns = candles(600)
    parts = [rows_of(columns, slice(100 * part, 100 * part + 100)) for part in range(6)]
    write_zip(tmp_path / "data/BTCUSDT-1m-2023-01.zip", {"BTCUSDT-1m-2023-01.csv": binance_text(parts[0])})
    write_zip(tmp_path / "data/BTCUSDT-1m-2023-02.zip", {"x.csv": binance_text(parts[1], 1000)})
    write_feather(tmp_path / "data/freqtrade/BTC_USDT-1m.feather", parts[2])
    write_json(tmp_path / "data/freqtrade/BTC_USDT-1m.json", parts[3])
    write_parquet(tmp_path / "data/BTC/USDT/1m.parquet", parts[4])
    write_csv(tmp_path / "data/btc-usdt.csv", parts[5])
    write_csv(tmp_path / "data/ETHUSDT-1m.csv", candles(50, seed=9))
    report = surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert defects(report) == {("1m", "mixed_time_units"): 1}
    series = report.series[0]
    cached = open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.M1, series.digest)
    for name, values in columns.items():
        assert (cached.columns[name] == values).all(), name
    write_csv(tmp_path / "alone/BTCUSDT-1m.csv", columns)
    alone = surveyed(tmp_path / "alone", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert alone.series[0].digest == series.digest


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
    for name, number in (("volume", 1e308), ("high", 1e308), ("low", 5e-324)):
        columns[name][100] = number
    columns["quote_volume"] = np.where(np.arange(300) == 200, 1e308, 5000.0)
    write_parquet(tmp_path / "BTCUSDT-1m.parquet", columns)
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    assert SurveyReport.model_validate_json(report.model_dump_json()) == report
    assert {series.timeframe: series.rows for series in report.series} == {"1m": 299, "5m": 59}
    assert report.quote_volume_per_day == pytest.approx(5000.0 * DAY, rel=0.01)


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
        "longest 2023-01-01 03:20 UTC (5 bars)."
    )
    assert by_timeframe(report)["5m"].missing == 2
    assert detail(report, "5m", "gap").endswith("as max_bar_missing_share is 0.")


def test_too_many_missing_bars_are_refused_with_figures(tmp_path):
    kept = np.r_[0:60, 120:300]
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), kept))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))
    assert report.series[0].refusal == ""
    write_csv(tmp_path / "BTCUSDT-1m.csv", rows_of(candles(300), np.r_[0:59, 120:300]))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))
    assert report.series[0].refusal == (
        "BTCUSDT 1m: 61 of 300 bars (20.3 %) are missing, 61 of them in a row from "
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


def test_a_name_that_disagrees_with_the_spacing_is_told_and_the_spacing_believed(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", candles(300, "5m"))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    assert report.series[0].refusal == "BTCUSDT: no candles fine enough for 1m; the finest found are 5m"
    assert report.series[1].source == "native"
    assert detail(report, "5m", "name_disagrees") == (
        "The name of BTCUSDT-1m.csv says 1m, but its rows are 5m apart; they were taken as 5m."
    )


def test_files_of_a_row_each_are_what_their_names_say(tmp_path):
    days = candles(30, "1d")
    for row in range(30):
        write_csv(tmp_path / f"BTCUSDT-1d-2023-01-{row + 1:02}.csv", rows_of(days, [row]))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1d",))
    assert (report.series[0].rows, report.findings) == (30, ())
    write_csv(tmp_path / "nameless/BTCUSDT.csv", rows_of(days, [0]))
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1d",))
    assert "one row alone has no spacing" in detail(report, "", "no_timeframe")


def test_candles_of_an_untrainable_length_are_left_out(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1h.csv", candles(50, "1h"))
    weeks = candles(50, "1d")
    weeks["open_time"] = START_MS + np.arange(50) * 7 * 86_400_000
    write_csv(tmp_path / "BTCUSDT-1w.csv", weeks)
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",))
    assert detail(report, "", "no_timeframe") == (
        "BTCUSDT-1w.csv was left out: its rows are 7 days apart, which is no timeframe that can be trained."
    )


def test_damaged_files_are_told_and_the_others_used(tmp_path):
    columns = candles(300)
    write_csv(tmp_path / "BTCUSDT-1m-1.csv", rows_of(columns, slice(0, 150)))
    write_csv(tmp_path / "BTCUSDT-1m-2.csv", rows_of(columns, slice(150, 300)))
    for name in ("3", "4", "5", "6"):
        (tmp_path / f"BTCUSDT-1m-{name}.csv").write_bytes(b"")
    whole = write_parquet(tmp_path / "BTCUSDT-1m-7.parquet", columns).read_bytes()
    (tmp_path / "BTCUSDT-1m-7.parquet").write_bytes(whole[:-20])
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))
    assert report.series[0].rows == 300
    assert defects(report) == {("", "empty_file"): 4, ("", "cut_file"): 1}
    assert detail(report, "", "empty_file") == (
        "BTCUSDT-1m-3.csv was left out: it is empty. Likewise BTCUSDT-1m-4.csv, BTCUSDT-1m-5.csv and 1 more."
    )


def test_a_symbol_of_which_nothing_can_be_read_is_a_data_error(tmp_path):
    (tmp_path / "BTCUSDT-1m.csv").write_bytes(b"")
    with pytest.raises(DataError) as error:
        surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))
    assert error.value.detail == (
        f"BTCUSDT: nothing could be read of 1 file in {tmp_path}. BTCUSDT-1m.csv was left out: it is empty"
    )
    assert error.value.hint == "repair or replace what is named, or take BTCUSDT out of the symbols"


def test_one_synthetic_source_makes_the_symbol_synthetic(tmp_path):
    columns = candles(600)
    write_csv(tmp_path / "BTCUSDT-1m-1.csv", rows_of(columns, slice(0, 300)))
    second = rows_of(columns, slice(300, 600))
    write_parquet(tmp_path / "BTCUSDT-1m-2.parquet", second, {SYNTHETIC_KEY: b"true"})
    report = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("5m",))
    assert report.synthetic
    assert open_candles(tmp_path / "cache", "BTCUSDT", Timeframe.M5, report.series[0].digest).synthetic


def test_unchanged_files_are_not_opened_again(tmp_path):
    """The second survey answers as before although the source's bytes are gone: it cannot have read them."""
    path = write_csv(tmp_path / "data/BTCUSDT-1m.csv", candles(300))
    first = surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    assert not first.cache_hit
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    assert second == first.model_copy(update={"cache_hit": True})


def test_the_cache_serves_the_same_files_in_another_place(tmp_path):
    path = write_csv(tmp_path / "here/BTCUSDT-1m.csv", candles(300))
    surveyed(tmp_path / "here", tmp_path / "cache", "BTCUSDT", ("1m",))
    path.parent.rename(tmp_path / "there")
    assert surveyed(tmp_path / "there", tmp_path / "cache", "BTCUSDT", ("1m",)).cache_hit


CHANGES = {
    "content": lambda path: write_csv(path, candles(301)),
    "time of change": lambda path: os.utime(path, ns=(1, path.stat().st_mtime_ns + 1)),
    "name": lambda path: path.rename(path.with_name("BTCUSDT_1m.csv")),
    "one more file": lambda path: write_csv(path.with_name("BTCUSDT-1h.csv"), candles(50, "1h")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_folder_is_surveyed_anew(tmp_path, change):
    path = write_csv(tmp_path / "data/BTCUSDT-1m.csv", candles(300))
    surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1m",))
    CHANGES[change](path)
    assert not surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1m",)).cache_hit


def test_another_policy_and_other_timeframes_are_surveyed_anew(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", candles(300))
    surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))
    assert not surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m")).cache_hit
    policy = POLICY.model_copy(update={"max_missing_share": 0.3})
    assert not surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",), policy).cache_hit


@pytest.mark.parametrize("victim", ["1m-*.columns", "5m-*.columns", "survey-*.json"])
@pytest.mark.parametrize("damage", ["lost", "cut", "changed"])
def test_a_damaged_cache_is_rebuilt(tmp_path, victim, damage):
    write_csv(tmp_path / "BTCUSDT-1m.csv", candles(300))
    first = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    (path,) = (tmp_path / "cache/candles/BTCUSDT").glob(victim)
    content = path.read_bytes()
    if damage == "lost":
        path.unlink()
    else:
        path.write_bytes(content[:-20] if damage == "cut" else content[:-20] + b"?" * 20)
    second = surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    assert second == first
    assert path.read_bytes() == content


def test_two_surveys_at_once_give_one_result(tmp_path):
    write_csv(tmp_path / "data/BTCUSDT-1m.csv", candles(5000))
    script = (
        "import sys; from pathlib import Path; from tests.candle_fixtures import surveyed\n"
        "print(surveyed(Path(sys.argv[1]), Path(sys.argv[2]), 'BTCUSDT', ('1m', '5m')).model_dump_json())"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "data"), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=60)[0].replace("true", "false") for process in processes]
    assert answers[0] == answers[1] != ""
    assert len(list((tmp_path / "cache/candles/BTCUSDT").iterdir())) == 3


def test_a_cache_that_cannot_be_written_is_a_storage_error(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", candles(300))
    (tmp_path / "cache").write_bytes(b"in the way")
    with pytest.raises(StorageError, match=r"cache/candles/CACHEDIR.TAG: cannot be written"):
        surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))


GRID = ("1m", "5m", "15m", "1h", "4h", "1d")


def test_the_real_night_trains_what_it_can_and_refuses_the_rest(tmp_path):
    report = surveyed(real_candles("night"), tmp_path, "BTCUSDT", GRID)
    assert [series.rows for series in report.series] == [1_051_120, 210_224, 70_074, 17_519, 13_951, 2328]
    assert all(series.refusal == "" for series in report.series)
    found = defects(report)
    assert found["1m", "gap"] == 80
    assert found["1m", "zero_volume"] == 72
    assert found["4h", "gap"] == 16
    assert not any(defect == "overlap_different" for _, defect in found)
    gap = next(
        finding for finding in report.findings if finding.defect == "gap" and finding.timeframe == "1m"
    )
    assert gap.first == "2023-03-24 12:40 UTC"
    report = surveyed(real_candles("night"), tmp_path, "ADAUSDT", GRID)
    assert [bool(series.refusal) for series in report.series] == [True] * 3 + [False] * 3


def test_real_freqtrade_candles(tmp_path):
    folder = real_candles("freqtrade")
    report = surveyed(folder, tmp_path, "DOGEUSDT", GRID)
    assert report.findings == ()
    assert [series.source for series in report.series] == ["none"] + ["native"] * 5
    report = surveyed(folder, tmp_path, "UNITTESTBTC", ("1m",))
    assert defects(report)["1m", "overlap_equal"] == 13_681
    assert "538 gaps" in detail(report, "1m", "gap")
    report = surveyed(folder, tmp_path, "XRPETH", ("1m",))
    assert defects(report)["1m", "gap"] == 1091


def test_real_defects(tmp_path):
    folder = real_candles("defects")
    for name in ("newest-first", "paging-hole", "zero-volume"):
        (tmp_path / name).mkdir()
        (path,) = folder.glob(f"{name}*")
        (tmp_path / name / path.name).symlink_to(path)
    report = surveyed(tmp_path / "newest-first", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert defects(report) == {("1m", "unsorted"): 9999, ("1m", "unfinished"): 1}
    assert (report.series[0].rows, report.series[0].span.start) == (9999, datetime(2025, 5, 28, tzinfo=UTC))
    report = surveyed(tmp_path / "paging-hole", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert defects(report) == {("1m", "gap"): 42}
    report = surveyed(tmp_path / "zero-volume", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert defects(report) == {("1m", "zero_volume"): 658}
    report = surveyed(folder, tmp_path / "cache", "BTCUSDC", ("1m",))
    assert defects(report)["1m", "gap"] == 72_883
    assert "72,883 of 129,600 bars (56.2 %) are missing" in report.series[0].refusal
