"""Whole small nights: the real command, coordinator, trainers, HTTP and SQLite."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.cli.conftest import GRID, ROOT, Disk, Outcome, command, environment

Night = tuple[dict[str, Any], Path]


def essence(results: dict[str, Any]) -> list[Any]:
    """What must not differ between two nights on the same candles: scores, folds, p-values, decisions."""
    keys = ("symbol", "timeframe", "horizon", "state", "rows", "span", "scores", "folds", "p_value")
    return [{key: job[key] for key in (*keys, "promoted", "reasons")} for job in results["jobs"]]


def only_results_of(out: Path) -> dict[str, Any]:
    (path,) = (out / "logs").glob("batch_train_results_*.json")
    return json.loads(path.read_text())


@contextmanager
def going(out: Path, candles: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A night in progress; whatever is left of it is killed at the end."""
    process = subprocess.Popen(
        command("run", "--data", candles, "--out", out, "--trainers", 1, *GRID, *arguments),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        family = [process.pid, *(child.pid for child in _descendants(process.pid))]
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.communicate()


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def status(out: Path) -> dict[str, Any] | None:
    try:
        address = json.loads((out / "coordinator.json").read_text())
        answer = httpx.get(f"{address['url']}/api/status", timeout=5)
        return answer.json() if answer.status_code == 200 else None
    except (OSError, ValueError, httpx.TransportError):
        return None


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def cells_done(out: Path, count: int) -> Callable[[], bool]:
    def reached() -> bool:
        document = status(out)
        return bool(document and document["run"] and document["run"]["training"]["succeeded"] >= count)

    return reached


def process_of(parent: int, module: str) -> psutil.Process | None:
    for child in _descendants(parent):
        try:
            line = child.cmdline()
        except psutil.NoSuchProcess:
            continue
        if line[1:3] == ["-m", module]:
            return child
    return None


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
    from trainer.artifact import load

    folder = undisturbed[1] / "artifacts" / "direction"
    path = sorted(folder.glob("*.pkl"))[0]
    manifest = json.loads(path.with_suffix(".json").read_text())
    pipeline = load(path)
    means = [manifest["means"]]
    (falls, rises) = pipeline.predict_proba(means)[0]
    assert falls + rises == pytest.approx(1)
    assert rises == pytest.approx(1 / (1 + math.exp(-manifest["intercept"])))


def test_make_run_trains_with_the_arguments_that_it_is_given(candles: Path, tmp_path: Path) -> None:
    arguments = f"--data {candles} --out {tmp_path} --symbols BTCUSDT --timeframes 1h --horizons 1"
    done = subprocess.run(
        ["make", "run", f"ARGS={arguments}"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 cells trained" in done.stdout


def test_a_night_whose_processes_are_killed_ends_like_an_undisturbed_one(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        until(cells_done(tmp_path, 1), "a first cell")
        for module in ("trainer", "coordinator", "trainer"):
            victim = until(lambda module=module: process_of(night.pid, module), f"a {module} process")
            victim.kill()
            victim.wait(10)
        assert night.wait(120) == 0
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_an_interrupted_night_says_so_and_the_same_command_goes_on(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        until(cells_done(tmp_path, 1), "a first cell")
        night.send_signal(signal.SIGINT)
        said, _ = night.communicate(timeout=30)
    assert night.returncode == 130
    assert "progress is saved" in said
    assert not list((tmp_path / "logs").glob("batch_train_results_*.json"))
    with going(tmp_path, candles) as night:
        said, _ = night.communicate(timeout=120)
    assert night.returncode == 0
    assert re.search(r"resumes with [1-8] of 8 cells done", said)
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_a_launcher_that_was_killed_leaves_no_process_behind_and_the_night_goes_on(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        until(cells_done(tmp_path, 1), "a first cell")
        children = _descendants(night.pid)
        assert children
        night.kill()
        until(
            lambda: not [child for child in children if child.is_running() and child.status() != "zombie"],
            "its processes ending",
            20,
        )
    with going(tmp_path, candles) as night:
        assert night.wait(120) == 0
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


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


def test_a_second_night_on_the_same_folder_reads_the_cache_and_keeps_the_champions(
    undisturbed: Night, nighttrain: Callable[..., Outcome], candles: Path
) -> None:
    first, out = undisturbed
    outcome = nighttrain("run", "--data", candles, "--out", out, "--trainers", 1, "--json", *GRID)
    assert outcome.code == 0, outcome.err
    second = outcome.results()
    assert second["run"] != first["run"]
    assert [survey["report"]["cache_hit"] for survey in second["surveys"]] == [True, True]
    assert [job["scores"] for job in second["jobs"]] == [job["scores"] for job in first["jobs"]]


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
    assert outcome.code == 1
    by_timeframe = {job["timeframe"]: job for job in outcome.results()["jobs"]}
    assert by_timeframe["1h"]["state"] == "succeeded"
    assert by_timeframe["15m"]["state"] == "failed"
    assert by_timeframe["15m"]["cause"] == "data"
    assert "1h" in by_timeframe["15m"]["message"]


def _write_hourly(source: Path, target: Path) -> None:
    import pandas as pd

    (path,) = source.rglob("*BTCUSDT*.parquet")
    minutes = pd.read_parquet(path)
    opening = pd.to_datetime(minutes["open_time"], unit="ms", utc=True)
    rules = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    hours = minutes.set_index(opening).resample("1h").agg(rules).reset_index()
    hours.to_csv(target / "BTCUSDT-1h.csv", index=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "/no/such/folder"], "/no/such/folder: no such folder"),
        (["--config", "/no/such/file.yaml"], "/no/such/file.yaml: no such file"),
        (["--timeframes", "7m"], "'7m' is no timeframe"),
        (["--symbols", "BTCUSDT", "BTC/USDT"], "named twice"),
        (["--horizons", "one"], "horizons"),
        (["--trainers", "0"], "num_workers: must be auto or a whole number"),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_nothing_is_started(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    out = tmp_path / "night"
    outcome = nighttrain(
        "run", "--out", out, *(["--data", candles] if "--data" not in arguments else []), *arguments
    )
    assert outcome.code == 2
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (out / "nighttrain.db").exists()


def test_an_empty_data_folder_is_refused(nighttrain: Callable[..., Outcome], tmp_path: Path) -> None:
    outcome = nighttrain("run", "--data", tmp_path, "--out", tmp_path.with_name("out"))
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "holds no files" in outcome.err


def test_a_taken_port_is_named_with_its_holder_and_the_way_out(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path, taken_port: int
) -> None:
    outcome = nighttrain(
        "run",
        "--data",
        candles,
        "--out",
        tmp_path,
        "--port",
        taken_port,
        *GRID,
        BT_NIGHT_DASHBOARD__ENABLED="true",
    )
    assert outcome.code == 2
    assert str(taken_port) in outcome.err
    assert str(os.getpid()) in outcome.err
    assert "dashboard.port" in outcome.err or "--port" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_stranger_on_the_port_of_the_last_night_is_not_taken_for_the_coordinator(
    nighttrain: Callable[..., Outcome], candles: Path, undisturbed: Night, tmp_path: Path
) -> None:
    out = tmp_path / "used"
    shutil.copytree(undisturbed[1], out)
    heard: list[str] = []

    class Stranger(BaseHTTPRequestHandler):
        def handle(self) -> None:
            heard.append("a connection")

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        # What a coordinator that was killed leaves behind.
        left = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid()}
        (out / "coordinator.json").write_text(json.dumps(left))
        outcome = nighttrain(
            "run", "--data", candles, "--out", out, "--port", port, *GRID, BT_NIGHT_DASHBOARD__ENABLED="true"
        )
        server.shutdown()
    assert outcome.code == 2
    assert f"port {port}" in outcome.err and outcome.err.count("\n") == 1
    assert heard == []


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
    assert "status at http://[::1]:" in outcome.out
    assert f"models  {out}/artifacts/direction" in outcome.out


def test_a_second_run_on_a_folder_in_use_is_refused(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles):
        until(lambda: status(tmp_path), "the first night")
        outcome = nighttrain("run", "--data", candles, "--out", tmp_path, *GRID)
    assert outcome.code == 2
    assert "another run is going there" in outcome.err


def test_an_unfinished_night_of_another_grid_is_not_mixed_up_and_fresh_starts_over(
    nighttrain: Callable[..., Outcome], candles: Path, tmp_path: Path
) -> None:
    with going(tmp_path, candles) as night:
        until(lambda: status(tmp_path), "the night")
        night.send_signal(signal.SIGINT)
        night.communicate(timeout=30)
    other = ["--symbols", "BTCUSDT", "--timeframes", "1h", "--horizons", "1"]
    refused = nighttrain("run", "--data", candles, "--out", tmp_path, *other)
    assert refused.code == 2
    assert "--fresh" in refused.err
    fresh = nighttrain("run", "--data", candles, "--out", tmp_path, "--fresh", "--json", *other)
    assert fresh.code == 0, fresh.err
    assert len(fresh.results()["jobs"]) == 1


@pytest.mark.parametrize(
    ("text", "env", "hint"),
    [
        ("training: false\n", {}, "set training: true in {config}"),
        ("", {"BT_NIGHT_TRAINING": "false"}, "unset BT_NIGHT_TRAINING"),
    ],
)
def test_switched_off_training_starts_nothing_and_says_how_to_switch_it_on(
    nighttrain: Callable[..., Outcome], tmp_path: Path, text: str, env: dict[str, str], hint: str
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text(text)
    outcome = nighttrain("run", "--config", config, "--out", tmp_path / "out", **env)
    assert outcome.code == 2
    assert hint.format(config=config) in outcome.err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_while_the_sample_is_made_is_heard_and_what_is_made_is_kept(tmp_path: Path) -> None:
    # Twenty symbols of ten years each would take minutes.
    symbols = [f"COIN{number}USDT" for number in range(20)]
    arguments = ["run", "--out", tmp_path, "--symbols", *symbols]
    process = subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": str(ROOT), "BT_NIGHT_DATA__SAMPLE__DAYS": "3650"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    made = tmp_path / "sample" / "COIN0USDT-1m-sample.parquet"
    until(made.exists, "a first symbol", 60)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert time.monotonic() - began < 30
    assert said.splitlines()[-1] == "interrupted; progress is saved, the same command goes on from here"
    assert "19 of 20" not in said
    assert made.exists()
    assert not list((tmp_path / "sample").glob(".*"))


def test_help_explains_with_examples_and_exit_codes(nighttrain: Callable[..., Outcome]) -> None:
    outcome = nighttrain("run", "--help")
    assert outcome.code == 0
    assert "examples:" in outcome.out
    assert "130" in outcome.out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_ends_the_command_in_time_and_loses_nothing(
    nighttrain: Callable[..., Outcome], candles: Path, small_disk: Disk, undisturbed: Night
) -> None:
    arguments = ["run", "--data", candles, "--out", small_disk.folder, "--trainers", 2, "--json", *GRID]
    full = nighttrain(*arguments, BT_NIGHT_RETRY__STORAGE_SECONDS="3")
    assert full.code == 1, full.err
    assert "Traceback" not in full.err
    assert full.err.splitlines()[-1].startswith("nighttrain: ")
    assert "nothing is lost: mend that, and the same command goes on from here" in full.err
    small_disk.resize("300m")
    outcome = nighttrain(*arguments)
    assert outcome.code == 0, outcome.err
    assert essence(outcome.results()) == essence(undisturbed[0])
