"""`nighttrain estimate` and `nighttrain start --estimate`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.app import main
from cli.local.measured_costs import comparable, costs_of, grid_of, peaks_of
from common.protocol.results import Results
from common.settings.night import NightSettings
from tests.cli.conftest import GRID, ROOT, Outcome, command, environment
from tests.cli.nights import descendants, until
from tests.cli.terminal import in_terminal, plain

Night = tuple[dict[str, Any], Path]


@pytest.fixture(autouse=True)
def no_settings_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("BT_NIGHT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def estimated(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    def call(*words: object) -> dict[str, Any]:
        code = main(["estimate", "--json", *map(str, words)])
        told = capsys.readouterr()
        assert (code, told.err) == (0, "")
        return json.loads(told.out)

    return call


def test_goes_by_measured_nights(estimated: Callable[..., Any], undisturbed: Night, candles: Path) -> None:
    results, out = undisturbed
    told = estimated("--data", candles, "--out", out, "--trainers", 1, *GRID)
    assert told["basis"].startswith(f"measured nights: night {results['run']} of ")
    assert told["cells"] == 8 and told["guessed"] is False
    surveyed = {
        (survey["symbol"], one["rows"])
        for survey in results["surveys"]
        for one in survey["report"]["series"]
        if one["timeframe"] in ("15m", "1h")
    }
    assert {(one["symbol"], one["rows"]) for one in told["series"]} == surveyed
    found = told["here"]["length"]
    # The night that it goes by must be within what it says of the same night.
    assert found["p10"] <= results["totals"]["wall_seconds"] <= found["p90"]
    assert told["here"]["memory_bytes"] > results["totals"]["peak_memory_bytes"]
    cache = sum(path.stat().st_size for path in (out / "cache").rglob("*") if path.is_file())
    assert cache / 2 < told["disk_bytes"] < cache * 3
    assert [one["cores"] for one in told["others"]] == [4, 8, 16]
    assert [one["trainers"] for one in told["others"]] == [4, 8, 16]
    longer = estimated("--data", candles, "--out", out, "--trainers", 1, *GRID[:-1], "3", "5", "7", "9")
    assert longer["here"]["length"]["p50"] > found["p50"]


def test_calibrates_on_real_rows_where_nothing_was_measured(
    estimated: Callable[..., Any], candles: Path, tmp_path: Path
) -> None:
    before = set(Path("/tmp").glob("nighttrain-calibration-*"))
    told = estimated("--data", candles, "--out", tmp_path, "--symbols", "XRPUSDT", "--timeframes", "1h", "4h")
    assert told["basis"].startswith("a calibration of ")
    assert "cells of XRPUSDT on 1h" in told["basis"]
    assert [one["rows"] for one in told["series"]] == [3600, 900]
    assert 0 < told["here"]["length"]["p10"] < told["here"]["length"]["p90"]
    assert set(Path("/tmp").glob("nighttrain-calibration-*")) <= before
    assert list(tmp_path.iterdir()) == []


def test_nights_of_other_folds_are_not_gone_by(undisturbed: Night) -> None:
    night = Results.model_validate(undisturbed[0])
    assert comparable(night, NightSettings())
    assert not comparable(night, NightSettings(n_splits=7))


def test_costs_are_those_of_the_jobs(undisturbed: Night) -> None:
    night = Results.model_validate(undisturbed[0])
    costs = costs_of([night], spread=0.2)
    assert costs is not None
    assert costs.most_rows == 150 * 96
    assert len(costs.ratios) == 8
    assert 0.5 < sum(costs.ratios) / 8 < 2
    assert sum(one.cells for one in grid_of(night)) == 8
    surveys, trainings = peaks_of([night])
    peaks = [job.peak_memory_bytes or 0 for job in night.jobs]
    assert len(surveys) == 2
    assert max(peaks) <= trainings.at(costs.most_rows) * 1.2
    assert costs_of([], spread=0.2) is None


def test_candles_that_are_not_there_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--data", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "notes.txt").write_text("x")
    assert main(["estimate", "--symbols", "all", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "no file's name tells a symbol" in capsys.readouterr().err


def test_what_cannot_be_trained_gets_no_figures(
    undisturbed: Night, candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured, empty, garbage = undisturbed[1], tmp_path / "empty", tmp_path / "garbage"
    empty.mkdir()
    garbage.mkdir()
    (garbage / "BTCUSDT-1h.csv").write_text("no candles at all\n" * 2000)
    for data, words, code in (
        (empty, "has no files in it", 2),
        (garbage, "the calibration could train nothing", 1),
        (candles, "has no candles of DOGEUSDT", 1),
    ):
        symbol = "DOGEUSDT" if data is candles else "BTCUSDT"
        asked = ["estimate", "--data", str(data), "--out", str(measured), "--symbols", symbol]
        assert main([*asked, "--timeframes", "1h"]) == code
        told = capsys.readouterr()
        assert words in told.err and told.out == ""


def test_cells_without_candles_are_told_apart(
    estimated: Callable[..., Any], undisturbed: Night, candles: Path
) -> None:
    symbols = ["--symbols", "BTCUSDT", "XRPUSDT", "DOGEUSDT"]
    told = estimated("--data", candles, "--out", undisturbed[1], "--trainers", 1, *symbols, *GRID[3:])
    assert (told["cells"], told["untrainable"]) == (12, 4)
    assert {one["symbol"] for one in told["series"]} == {"BTCUSDT", "XRPUSDT"}
    # A symbol without files has no rows that could be guessed.
    assert told["guessed"] is False


def test_rows_that_no_survey_has_counted_are_called_a_guess(
    candles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--data", str(candles), "--out", str(tmp_path), "--symbols", "XRPUSDT", "BTCUSDT"]
    assert main(["estimate", *asked, "--timeframes", "1h"]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    by = r"by the size of their files \(nighttrain data check counts them\)"
    assert re.fullmatch(rf"6 cells, about [\d,]+ rows in about 2 series, {by}", first)
    assert lines[1].startswith("disk about ")


def test_the_disk_is_the_one_that_the_check_names(
    estimated: Callable[..., Any],
    undisturbed: Night,
    candles: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text("symbols: [BTCUSDT, XRPUSDT]\ntimeframes: [15m, 1h]\nhorizons: [1, 3]\n")
    where = ["--config", str(config), "--data", str(candles), "--out", str(undisturbed[1])]
    told = estimated(*where)
    main(["check", "--json", "--no-stack", *where])
    disk = next(one for one in json.loads(capsys.readouterr().out)["requirements"] if one["name"] == "disk")
    assert f"at most {told['disk_bytes'] / 1024**3:.1f} GiB needed (by the surveys of" in disk["found"]


def test_is_a_table_in_a_terminal(undisturbed: Night, candles: Path) -> None:
    shown = in_terminal("estimate", "--data", candles, "--out", undisturbed[1], *GRID)
    assert shown.code == 0
    lines = plain(shown.out).splitlines()
    assert any(line.endswith("this machine") for line in lines)
    assert any(line.split()[:2] == ["16", "16"] for line in lines)


def test_start_only_estimates_if_that_is_asked(
    undisturbed: Night, candles: Path, nighttrain: Callable[..., Outcome], tmp_path: Path
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text("symbols: [BTCUSDT, XRPUSDT]\ntimeframes: [15m, 1h]\nhorizons: [1, 3]\n")
    where = ["--data", candles, "--out", undisturbed[1], "--config", config, "--url", "http://127.0.0.1:9"]
    done = nighttrain("start", "--estimate", "--json", *where)
    assert done.code == 0
    assert json.loads(done.out)["cells"] == 8


def test_an_interrupt_ends_the_calibration_and_leaves_nothing(candles: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("estimate", "--data", candles, "--out", tmp_path, "--symbols", "XRPUSDT"),
        cwd=ROOT,
        env={**environment(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    until(lambda: len(descendants(process.pid)) >= 2, "the small night")
    family = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "nighttrain: interrupted"
    until(lambda: not any(child.is_running() for child in family), "the end of its processes")
    assert list(tmp_path.glob("nighttrain-calibration-*")) == []
