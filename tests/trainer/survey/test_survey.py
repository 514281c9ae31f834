import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from common.errors import DataError
from common.protocol.jobs import SurveySpec
from common.timeframes import Timeframe
from tests.candle_fixtures import (
    NAMES,
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
from trainer.sources.arrow_table import SYNTHETIC_KEY
from trainer.survey.resample import resampled
from trainer.survey.survey import survey

DAY = 1440
GRID = ("1m", "5m", "15m", "1h", "4h", "1d")


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
        "BTCUSDT-1w.csv was left out: its rows are 7 days apart, no timeframe that can be trained."
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
        shutil.copy2(path, tmp_path / name)
    report = surveyed(tmp_path / "newest-first", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert defects(report) == {("1m", "unsorted"): 9999, ("1m", "unfinished"): 1}
    assert (report.series[0].rows, report.series[0].span.start) == (9999, datetime(2025, 5, 28, tzinfo=UTC))
    report = surveyed(tmp_path / "paging-hole", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert defects(report) == {("1m", "gap"): 42}
    report = surveyed(tmp_path / "zero-volume", tmp_path / "cache", "BTCUSDT", ("1m",))
    assert defects(report) == {("1m", "zero_volume"): 658}
    report = surveyed(folder, tmp_path / "cache", "BTCUSDC", ("1m",))
    assert defects(report)["1m", "gap"] == 72_883
    assert "72,796 of 129,513 bars (56.2 %) are missing, 47 of them in a row" in report.series[0].refusal


def long_table(*symbols):
    """Hours of several symbols below each other, told apart by a column alone."""
    rows = ["Date,open,high,low,close,volume,SYMBOL"]
    for seed, symbol in enumerate(symbols):
        columns = candles(500, "1h", seed=seed)
        times = (columns["open_time"] // 1000).tolist()
        values = zip(times, *(columns[name].tolist() for name in NAMES[1:]), strict=True)
        rows += [",".join([*map(str, row), symbol]) for row in values]
    return "\n".join(rows) + "\n"


def test_a_column_tells_the_symbol_where_no_name_does(tmp_path):
    (tmp_path / "all_1h.csv").write_text(long_table("BTC/USDT", "ETHUSDT"))
    (tmp_path / "readme.txt").write_text("candles of two symbols\n")
    for seed, symbol in enumerate(("BTCUSDT", "ETHUSDT")):
        report = surveyed(tmp_path, tmp_path / "cache", symbol, ("1h",))
        assert (report.series[0].rows, report.findings, report.files[0]) == (500, (), "all_1h.csv")
        cached = open_candles(tmp_path / "cache", symbol, Timeframe.H1, report.series[0].digest)
        assert cached.close.tolist() == candles(500, "1h", seed=seed)["close"].tolist()


def test_a_symbol_that_neither_name_nor_column_tells_is_refused_with_what_the_column_tells(tmp_path):
    (tmp_path / "all_1h.csv").write_text(long_table("BTCUSDT", "ETHUSDT"))
    (tmp_path / "readme.txt").write_text("candles of two symbols\n")
    with pytest.raises(DataError) as error:
        surveyed(tmp_path, tmp_path / "cache", "SOLUSDT", ("1h",))
    assert "no file of SOLUSDT" in error.value.detail
    assert "all_1h.csv was left out: its column of symbols names BTCUSDT, ETHUSDT and not SOLUSDT" in str(
        error.value
    )


def test_candles_whose_symbol_nothing_tells_are_nobodys(tmp_path):
    write_csv(tmp_path / "mine.csv", candles(500, "1h"))
    with pytest.raises(DataError) as error:
        surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",))
    assert "no file of BTCUSDT" in error.value.detail
    assert "mine.csv was left out: neither its name nor a column of symbols tells" in error.value.detail


def test_a_file_that_names_the_symbol_goes_before_columns(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1h.csv", candles(400, "1h", seed=9))
    (tmp_path / "all_1h.csv").write_text(long_table("BTCUSDT"))
    assert surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1h",)).series[0].rows == 400
