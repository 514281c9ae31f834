"""Whole small nights that nobody disturbs: the real command, coordinator, trainers, HTTP and SQLite."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import GRID, Outcome
from tests.cli.nights import Night, essence, only_results_of


def test_a_night_ends_by_itself_with_every_cell_scored(undisturbed: Night) -> None:
    results, out = undisturbed
    assert results["schema"] == "nighttrain.results/1"
    assert results["synthetic"] is True
    assert [job["state"] for job in results["jobs"]] == ["succeeded"] * 8
    for job in results["jobs"]:
        assert len(job["folds"]) == 5
        assert job["scores"]["n"] == sum(fold["scores"]["n"] for fold in job["folds"])
        assert 0 < job["p_value"] <= 1
        assert job["promoted"] or job["reasons"]
        assert job["attempts"][0]["outcome"] == "succeeded"
    assert only_results_of(out) == results


def test_the_planted_signal_is_found_and_noise_is_not_promoted(undisturbed: Night) -> None:
    results, out = undisturbed
    promoted = {(job["symbol"], job["timeframe"]) for job in results["jobs"] if job["promoted"]}
    assert ("BTCUSDT", "15m") in promoted
    assert "XRPUSDT" not in {symbol for symbol, _ in promoted}
    models = {path.name for path in (out / "artifacts" / "direction").glob("*.pkl")}
    cells = [job for job in results["jobs"] if job["promoted"]]
    assert models == {
        f"{job['symbol']}_{job['timeframe']}_H{job['horizon']}_logreg_optimized.pkl" for job in cells
    }


def test_a_promoted_model_can_be_loaded_as_the_readme_says(undisturbed: Night) -> None:
    from trainer.artifact import SyntheticModelWarning, load

    folder = undisturbed[1] / "artifacts" / "direction"
    path = sorted(folder.glob("*.pkl"))[0]
    manifest = json.loads(path.with_suffix(".json").read_text())
    with pytest.warns(SyntheticModelWarning, match="synthetic candles"):
        pipeline = load(path)
    means = [manifest["means"]]
    (falls, rises) = pipeline.predict_proba(means)[0]
    assert falls + rises == pytest.approx(1)
    assert rises == pytest.approx(1 / (1 + math.exp(-manifest["intercept"])))


def test_two_trainers_train_what_one_would(
    undisturbed: Night, nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    outcome = nighttrain("run", "--data", candles, "--out", tmp_path, "--trainers", 2, "--json", *GRID)
    assert outcome.code == 0, outcome.err
    assert essence(outcome.results()) == essence(undisturbed[0])
    assert {a["trainer"] for job in outcome.results()["jobs"] for a in job["attempts"]} <= {
        "trainer-1",
        "trainer-2",
    }


def test_a_second_night_in_which_nothing_changed_takes_over_what_training_again_would_give(
    undisturbed: Night, nighttrain: Callable[..., Outcome], candles: Path
) -> None:
    first, out = undisturbed
    models = models_in(out)
    night = ("run", "--data", candles, "--out", out, "--trainers", 1, "--json", *GRID)
    reused, retrained = nighttrain(*night), nighttrain(*night, "--retrain")
    for outcome, tries in ((reused, 0), (retrained, 1)):
        assert outcome.code == 0, outcome.err
        again = outcome.results()
        assert again["run"] != first["run"]
        assert [survey["report"]["cache_hit"] for survey in again["surveys"]] == [True, True]
        assert [len(job["attempts"]) for job in again["jobs"]] == [tries] * 8
        assert [job["scores"] for job in again["jobs"]] == [job["scores"] for job in first["jobs"]]
        assert [job["promoted"] for job in again["jobs"]] == [job["promoted"] for job in first["jobs"]]
        assert models == models_in(out)
    told = f"reused from night {first['run']}: candles, settings and program are the same"
    assert {job["message"] for job in reused.results()["jobs"]} == {told}
    assert "8 of 8 cells trained (8 reused)" in reused.err and "reused" not in retrained.err


def test_cells_without_candles_fine_enough_fail_with_the_reason_and_the_rest_is_trained(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    coarse = tmp_path / "candles"
    coarse.mkdir()
    _write_hourly(candles, coarse)
    outcome = nighttrain(
        "run", "--data", coarse, "--out", tmp_path / "out", "--json",
        "--symbols", "BTCUSDT", "--timeframes", "15m", "1h", "--horizons", "1",
    )  # fmt: skip
    assert outcome.code == 0
    by_timeframe = {job["timeframe"]: job for job in outcome.results()["jobs"]}
    assert by_timeframe["1h"]["state"] == "succeeded"
    assert by_timeframe["15m"]["state"] == "failed"
    assert by_timeframe["15m"]["cause"] == "data"
    assert "1h" in by_timeframe["15m"]["message"]


def test_all_is_what_the_folder_holds(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    coarse, out = tmp_path / "candles", tmp_path / "out"
    coarse.mkdir()
    _write_hourly(candles, coarse)
    arguments = ("run", "--data", coarse, "--out", out, "--horizons", "1", "--json")
    outcome = nighttrain(*arguments, "--symbols", "all", "--timeframes", "all")
    results = outcome.results()
    assert f"all in {coarse}: BTCUSDT; 1h, 4h, 1d" in outcome.err
    assert [(job["symbol"], job["timeframe"]) for job in results["jobs"]] == [
        ("BTCUSDT", "1h"),
        ("BTCUSDT", "4h"),
        ("BTCUSDT", "1d"),
    ]
    assert results["jobs"][0]["state"] == "succeeded"
    assert results["config"]["symbols"] == ["BTCUSDT"]


def models_in(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "artifacts" / "direction").glob("[!.]*")}


def _write_hourly(source: Path, target: Path) -> None:
    import pandas as pd

    (path,) = source.rglob("*BTCUSDT*.parquet")
    minutes = pd.read_parquet(path)
    opening = pd.to_datetime(minutes["open_time"], unit="ms", utc=True)
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    hours = minutes.set_index(opening).resample("1h").agg(rules).reset_index()
    hours.to_csv(target / "BTCUSDT-1h.csv", index=False)


def test_the_night_runs_on_the_loopback_of_ipv6_and_in_a_folder_of_any_name(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    out = tmp_path / "[/night] :moon: é"
    outcome = nighttrain(
        "run", "--data", candles, "--out", out, "--trainers", 1,
        "--symbols", "BTCUSDT", "--timeframes", "1h", "--horizons", 1,
        BT_NIGHT_DASHBOARD__HOST="::1",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "watch it at http://[::1]:" in outcome.out
    assert f"models  {out}/artifacts/direction" in outcome.out
