import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import StorageError
from tests.candle_fixtures import (
    POLICY,
    candles,
    surveyed,
    write_csv,
)
from trainer.candles import checked
from trainer.candles.bars import FIELDS, Bars
from trainer.candles.cache import candle_folder, open_candles
from trainer.candles.candles import Candles
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


def test_candles_are_on_the_disk_before_the_report_that_names_them(tmp_path, monkeypatch):
    done, sync = [], os.fsync

    def fsync(descriptor):
        sync(descriptor)
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    write_csv(tmp_path / "data/BTCUSDT-1m.csv", candles(300))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    folder = candle_folder(tmp_path / "cache", "BTCUSDT")
    series = list(folder.glob("*.columns"))
    (report,) = folder.glob("survey-*.json")
    (written,) = [place for place, path in enumerate(done) if path.name.startswith(f".{report.name}.")]
    assert len(series) == 2
    assert all(path in done[:written] for path in series)
    assert done[written + 1] == folder, "their names and that of the report"


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
    kept = {one.name for one in (tmp_path / "cache/candles/BTCUSDT").iterdir()}
    notes = {name for name in kept if name.endswith(".checked")}
    assert len(kept - notes) == 3 and {name[1:].removesuffix(".checked") for name in notes} <= kept


def test_a_cache_that_cannot_be_written_is_a_storage_error(tmp_path):
    write_csv(tmp_path / "BTCUSDT-1m.csv", candles(300))
    (tmp_path / "cache").write_bytes(b"in the way")
    with pytest.raises(StorageError, match=r"cache/candles/CACHEDIR.TAG: cannot be written"):
        surveyed(tmp_path, tmp_path / "cache", "BTCUSDT", ("1m",))


def test_what_a_survey_has_written_is_not_digested_again(tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "WORTH_WAITING_BYTES", 0)
    write_csv(tmp_path / "data/BTCUSDT-1m.csv", candles(300))
    report = surveyed(tmp_path / "data", tmp_path / "cache", "BTCUSDT", ("1m", "5m"))
    monkeypatch.setattr(Candles, "of", None)
    for series in report.series:
        found = open_candles(tmp_path / "cache", "BTCUSDT", series.timeframe, series.digest)
        assert len(found) == series.rows
