import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.settings.sections import Data
from common.timeframes import Timeframe
from tests.candle_fixtures import candles, rows_of, surveyed, write_csv
from trainer.candles.bars import FIELDS, Bars
from trainer.survey.resample import resampled

HOUR = 3_600_000
CASES = Path(__file__).parents[4] / "shared" / "cases"


def market(rows, timeframe="1m", seed=0):
    """Candles that move by some of their range an hour, so that another hour is another price."""
    return candles(rows, timeframe, seed=seed)


def later(columns, milliseconds):
    return columns | {"open_time": columns["open_time"] + milliseconds}


def hours_of(columns):
    bars = Bars.of(columns["open_time"], {name: columns[name] for name in FIELDS[:5]})
    coarse, _ = resampled(bars, 60_000, HOUR, 0.0)
    return {"open_time": coarse.open_time, **dict(zip(FIELDS[:5], coarse.values, strict=False))}


def series_of(folder, timeframes):
    report = surveyed(folder, folder / "cache", "BTCUSDT", timeframes)
    return {one.timeframe: one for one in report.series}, [
        f for f in report.findings if f.action == "refused"
    ]


@pytest.mark.parametrize(
    ("shift", "words"), [(3, "-3 hours"), (-5, "+5 hours"), (14, "-14 hours"), (1, "-1 hour")]
)
def test_hours_in_local_time_are_refused_with_the_shift(tmp_path, shift, words):
    columns = market(20_000)
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", later(hours_of(columns), shift * HOUR))
    series, refused = series_of(tmp_path, ("15m", "1h", "4h"))
    # Of the hours that all coarser ones need it cannot be told which clock is right.
    assert [series[name].refusal == "" for name in ("15m", "1h", "4h")] == [True, False, False]
    assert f"shifted by {words}, the native candles would agree" in series["1h"].refusal
    assert "local time instead of UTC" in series["1h"].refusal
    assert [finding.defect for finding in refused] == ["sources_disagree"] * 2


def test_two_files_of_one_timeframe_are_refused_with_the_shift(tmp_path):
    hours = market(2000, "1h")
    write_csv(tmp_path / "BTCUSDT-1h-a.csv", rows_of(hours, slice(0, 1500)))
    write_csv(tmp_path / "BTCUSDT-1h-b.csv", later(rows_of(hours, slice(1000, 2000)), 4 * HOUR))
    series, refused = series_of(tmp_path, ("1h",))
    assert "shifted by -4 hours, BTCUSDT-1h-b.csv would agree" in series["1h"].refusal
    assert [finding.defect for finding in refused] == ["sources_disagree"]


def test_a_clock_with_daylight_saving_is_told_with_both_shifts(tmp_path):
    columns = market(40_000)
    hours = hours_of(columns)
    local = later(hours, np.where(np.arange(len(hours["open_time"])) < 400, -5 * HOUR, -4 * HOUR))
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", local)
    series, _ = series_of(tmp_path, ("1h",))
    assert (
        "shifted by +5 hours in one part of the year and by +4 hours in the other, the native"
        in series["1h"].refusal
    )


def test_closing_times_instead_of_opening_times_are_found(tmp_path):
    columns = market(20_000)
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", later(hours_of(columns), HOUR))
    series, _ = series_of(tmp_path, ("1h",))
    assert (
        "shifted by -1 hour, the native candles would agree: local time instead of UTC, or closing"
        in series["1h"].refusal
    )


def test_another_market_is_refused_without_a_shift(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", market(20_000))
    write_csv(tmp_path / "BTCUSDT-1h.csv", hours_of(market(20_000, seed=8)))
    series, _ = series_of(tmp_path, ("1h",))
    assert "no shift in time makes them agree, so one is of another market" in series["1h"].refusal


def test_volume_in_another_unit_is_refused_by_that_name(tmp_path):
    columns = market(20_000)
    hours = hours_of(columns)
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(tmp_path / "BTCUSDT-1h.csv", hours | {"volume": hours["volume"] * 1000})
    series, _ = series_of(tmp_path, ("1h",))
    assert "only the volumes differ, so one is in another unit" in series["1h"].refusal


def test_fewer_digits_are_no_disagreement(tmp_path):
    columns = market(20_000)
    write_csv(tmp_path / "BTCUSDT-1m.csv", columns)
    write_csv(
        tmp_path / "BTCUSDT-1h.csv",
        {n: np.round(v) if n != "open_time" else v for n, v in hours_of(columns).items()},
    )
    series, refused = series_of(tmp_path, ("1h",))
    assert (series["1h"].refusal, refused) == ("", [])


def test_two_sources_without_common_bars_are_joined(tmp_path):
    hours = market(2000, "1h")
    write_csv(tmp_path / "BTCUSDT-1h-a.csv", rows_of(hours, slice(0, 1000)))
    write_csv(tmp_path / "BTCUSDT-1h-b.csv", rows_of(hours, slice(1000, 2000)))
    series, refused = series_of(tmp_path, ("1h",))
    assert (series["1h"].rows, refused) == (2000, [])


def case(name, folder, *arguments):
    """The input of a known situation; skips the test on a machine that has none."""
    make = CASES / name / "make.py"
    if not make.is_file():
        pytest.skip(f"no {make}")
    place = folder / name
    place.mkdir()
    (folder / "_bars.py").write_bytes((CASES / "_bars.py").read_bytes())
    (place / "make.py").write_bytes(make.read_bytes())
    subprocess.run([sys.executable, str(place / "make.py"), *arguments], check=True)
    return place / "data"


def test_the_case_of_a_local_and_a_utc_file(tmp_path):
    report = surveyed(case("local-and-utc", tmp_path), tmp_path / "cache", "BTCUSDT", ("1h",))
    assert "shifted by -3 hours" in report.series[0].refusal


def test_the_case_of_repeated_unfinished_bars(tmp_path):
    report = surveyed(
        case("repeated-unfinished", tmp_path), tmp_path / "cache", "BTCUSDT", ("1h", Timeframe.H4)
    )
    assert [(one.rows, one.refusal) for one in report.series] == [(4000, ""), (1000, "")]


@pytest.mark.parametrize("share", ["0.12", "0.5"])
def test_the_case_of_minutes_without_trade(tmp_path, share):
    folder = case("sparse-minutes", tmp_path, share)
    report = surveyed(folder, tmp_path / "cache", "ADAEUR", ("1h",), Data().policy)
    assert (report.series[0].refusal, report.series[0].rows >= 3999) == ("", True)
