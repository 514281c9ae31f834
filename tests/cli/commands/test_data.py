"""`nighttrain data sample`."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from cli.app import main
from tests.cli.conftest import ROOT, command, environment
from tests.cli.nights import until


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_sample_of_a_configuration_is_the_one_that_the_options_ask_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "night.yaml"
    config.write_text("symbols: [BTCUSDT, XRPUSDT]\ndata: {sample: {days: 2, seed: 5}}\n")
    configured, asked, other = tmp_path / "configured", tmp_path / "asked", tmp_path / "other"
    assert main(["data", "sample", "--config", str(config), "--out", str(configured)]) == 0
    told = capsys.readouterr()
    assert told.out == f"sample candles (synthetic): {configured}\n"
    assert told.err.splitlines()[-1] == "making sample candles (synthetic): 2 of 2 symbols"
    options = ["--symbols", "BTC/USDT,XRP_USDT", "--days", "2", "--seed", "5"]
    assert main(["data", "sample", "--out", str(asked), *options]) == 0
    assert files(asked) == files(configured)
    assert main(["data", "sample", "--config", str(config), "--out", str(other), "--seed", "6"]) == 0
    assert files(other).keys() == files(configured).keys()
    assert files(other) != files(configured)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "below"
    assert main(["data", "sample", "--out", str(out), "--symbols", "BTCUSDT", "--days", "2"]) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("nighttrain: ")
    assert str(out) in told


def test_an_interrupt_ends_it_with_130_and_keeps_what_is_made(tmp_path: Path) -> None:
    symbols = [f"COIN{number}USDT" for number in range(20)]
    process = subprocess.Popen(
        command("data", "sample", "--out", tmp_path, "--days", 700, "--symbols", *symbols),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has its children ignore the interrupt.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    made = tmp_path / "COIN0USDT-1m-sample.parquet"
    until(made.exists, "a first symbol", 60)
    process.send_signal(signal.SIGINT)
    said, told = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "")
    assert told.splitlines()[-1] == "nighttrain: interrupted"
    assert made.exists()
    assert not list(tmp_path.glob(".*"))
