"""`nighttrain data check`, `data import` and `data download`."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cli.app import main
from tests.cli.archive.candle_archive import CandleArchive, serving
from tests.cli.conftest import ROOT, Outcome, command, environment
from tests.cli.nights import until
from tests.cli.terminal import in_terminal, plain

Say = Callable[..., Outcome]


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str]) -> Say:
    def call(*words: object) -> Outcome:
        code = main(["data", *map(str, words)])
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture
def archive() -> CandleArchive:
    """December in milliseconds and January in microseconds."""
    archive = CandleArchive()
    archive.add_month("BTCUSDT", 2024, 12)
    archive.add_month("BTCUSDT", 2025, 1)
    return archive


def hours(first: int, count: int) -> str:
    """Hourly candles without a header, from the hour `first` of 2024 on."""
    return "".join(
        f"{1704067200000 + hour * 3600000},{100 + hour % 3},{109 + hour % 3},{92},{100 + (hour + 1) % 3},5\n"
        for hour in range(first, first + count)
    )


class TestCheck:
    def test_says_what_could_be_trained(self, data: Say, candles: Path) -> None:
        done = data("check", "--data", candles, "--timeframes", "15m", "1h", "1d", "--json")
        assert done.code == 1
        told = json.loads(done.out)
        assert (told["cells"], told["trainable"]) == (18, 12)
        by_name = {(one["symbol"], one["timeframe"]): one for one in told["series"]}
        assert by_name["BTCUSDT", "1h"]["rows"] == 150 * 24
        assert by_name["BTCUSDT", "1h"]["why"] == ""
        assert "too few" in by_name["XRPUSDT", "1d"]["why"]
        assert {report["symbol"] for report in told["surveys"]} == {"BTCUSDT", "XRPUSDT"}
        assert data("check", "--data", candles, "--timeframes", "1h").code == 0

    def test_reports_findings_and_what_cannot_be_read(self, data: Say, tmp_path: Path) -> None:
        prices = [100 + hour % 3 for hour in range(901)]
        rows = [
            f"{1704067200000 + hour * 3600000},{opened},{opened + 8},{opened - 8},{closed},5"
            for hour, (opened, closed) in enumerate(pairwise(prices))
        ]
        del rows[100:110]
        (tmp_path / "BTCUSDT-1h.csv").write_text("\n".join(rows))
        (tmp_path / "ETHUSDT-1h.zip").write_bytes(b"PK\x03\x04 cut")
        done = data("check", "--data", tmp_path, "--timeframes", "1h")
        assert done.code == 1
        assert "ETHUSDT: nothing could be read of 1 file" in done.out
        assert "windows do not reach across them" in done.out.partition("BTCUSDT 1h: ")[2]
        assert "3 of 6 cells could be trained" in done.out

    def test_a_folder_that_is_not_there_is_one_line(self, data: Say, tmp_path: Path) -> None:
        done = data("check", "--data", tmp_path / "none")
        assert (done.code, done.err.count("\n")) == (2, 1)


class TestImport:
    def test_writes_the_same_candles_as_parquet(
        self, data: Say, tmp_path: Path, archive: CandleArchive
    ) -> None:
        source = tmp_path / "source"
        for path, content in archive.files.items():
            if path.endswith(".zip"):
                (source / path).parent.mkdir(parents=True, exist_ok=True)
                (source / path).write_bytes(content)
        (source / "BTCUSDT-1h-broken.csv").write_text("no candles here\n")
        out = tmp_path / "out"
        done = data("import", "--data", source, "--out", out, "--json")
        told = json.loads(done.out)
        assert (done.code, told["unreadable"], told["rows"]) == (1, 1, 62 * 24)
        assert len(told["notes"]) >= 1
        written = sorted(out.rglob("*.parquet"))
        assert [pq.read_metadata(path).num_rows for path in written] == [744, 744]
        (source / "BTCUSDT-1h-broken.csv").unlink()
        again = data("import", "--data", source, "--out", out)
        assert again.code == 0
        assert "0 files with 0 rows written" in again.out
        told = [
            data("check", "--data", folder, "--timeframes", "1h", "--json").out for folder in (source, out)
        ]
        first, second = (json.loads(text)["surveys"][0]["series"][0]["digest"] for text in told)
        assert first == second

    def test_two_files_that_differ_in_their_ending_are_both_kept(self, data: Say, tmp_path: Path) -> None:
        source, out = tmp_path / "source", tmp_path / "out"
        source.mkdir()
        for ending, first in ((".csv", 0), (".txt", 200)):
            (source / f"BTCUSDT-1h{ending}").write_text(hours(first, 200))
        told = json.loads(data("import", "--data", source, "--out", out, "--json").out)
        assert (told["unreadable"], told["rows"], len(told["written"])) == (0, 400, 2)
        assert sorted(pq.read_metadata(path).num_rows for path in out.rglob("*.parquet")) == [200, 200]
        again = json.loads(data("import", "--data", source, "--out", out, "--json").out)
        assert (again["rows"], len(again["unchanged"])) == (0, 2)

    def test_an_interrupt_finishes_the_file_and_the_next_goes_on(self, data: Say, tmp_path: Path) -> None:
        source, out = tmp_path / "source", tmp_path / "out"
        source.mkdir()
        for number in range(200):
            (source / f"BTCUSDT-1h-{number}.csv").write_text(hours(number * 50, 50))
        process = subprocess.Popen(
            command("data", "import", "--data", source, "--out", out),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        until(lambda: list(out.rglob("*.parquet")), "a first file")
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "stopping: the file that is being written is finished, and all written ones stay" in told
        kept = {path.name for path in out.rglob("*") if path.is_file()}
        assert kept and all(name.endswith(".parquet") for name in kept)
        done = json.loads(data("import", "--data", source, "--out", out, "--json").out)
        assert len(done["unchanged"]) == len(kept) and len(done["written"]) == 200 - len(kept)

    def test_a_file_that_names_no_symbol_is_not_written_as_one(self, data: Say, tmp_path: Path) -> None:
        source, out = tmp_path / "source", tmp_path / "out"
        source.mkdir()
        (source / "prices.csv").write_text(hours(0, 200))
        words = ("--data", source, "--out", out, "--symbols", "BTCUSDT", "ETHUSDT", "--json")
        told = json.loads(data("import", *words).out)
        assert told["rows"] == 0 and not list(out.rglob("*.parquet"))
        assert any("prices.csv" in note for note in told["notes"])

    def test_does_not_write_into_what_it_reads(self, data: Say, candles: Path) -> None:
        done = data("import", "--data", candles, "--out", candles / "parquet")
        assert done.code == 2
        assert "would be there twice" in done.err


class TestDownload:
    def test_candles_of_both_units_of_time_can_be_trained(
        self, data: Say, archive: CandleArchive, tmp_path: Path
    ) -> None:
        words = ["--symbols", "BTC/USDT", "--timeframes", "1h", "--from", "2024-12", "--out", tmp_path]
        with serving(archive):
            done = data("download", *words, "--archive", archive.url, "--json")
            told = json.loads(done.out)
            assert (done.code, len(told["loaded"]), told["failed"]) == (0, 2, {})
            again = data("download", *words, "--archive", archive.url)
            assert "0 files (0.0 MB) loaded" in again.out
            assert "2 were there already" in again.out
        told = json.loads(data("check", "--data", tmp_path, "--timeframes", "1h", "--json").out)
        [series] = told["series"]
        assert (series["rows"], series["start"], series["end"]) == (62 * 24, "2024-12-01", "2025-02-01")
        assert series["missing_share"] == 0

    def test_an_update_needs_something_to_update(
        self, data: Say, archive: CandleArchive, tmp_path: Path
    ) -> None:
        with serving(archive):
            where = ["--out", tmp_path, "--archive", archive.url]
            assert data("download", "--update", *where).code == 2
            data("download", "--symbols", "BTCUSDT", "--timeframes", "1h", "--from", "2025-01", *where)
            archive.add_day("BTCUSDT", date(2025, 2, 1))
            archive.asked.clear()
            done = data("download", "--update", *where)
            assert done.code == 0
            assert archive.loaded() == ["2025-02-01"]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--archive", "ftp://x"], "'ftp://x' is no address"),
            (["--market", "margin"], "no market 'margin' (spot, um or cm)"),
            (["--from", "last"], "'last' is no month or day"),
            (["--from", "2999-01"], "is in the future"),
        ],
    )
    def test_mistakes_are_one_line(self, data: Say, words: list[str], said: str, tmp_path: Path) -> None:
        done = data("download", "--symbols", "BTCUSDT", "--out", tmp_path, *words)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert said in done.err

    def test_what_fails_is_said_and_is_the_exit_code(
        self, data: Say, archive: CandleArchive, tmp_path: Path
    ) -> None:
        with serving(archive):
            where = ["--out", tmp_path, "--archive", archive.url, "--timeframes", "1h", "--from", "2024-12"]
            done = data("download", "--symbols", "NONEUSDT", *where)
        assert done.code == 1
        assert "nothing of NONEUSDT 1h in the archive" in done.out

    def test_a_terminal_shows_a_bar(self, archive: CandleArchive, tmp_path: Path) -> None:
        with serving(archive):
            shown = in_terminal(
                "data", "download", "--symbols", "BTCUSDT", "--timeframes", "1h", "--from", "2024-12",
                "--out", tmp_path, "--archive", archive.url,
            )  # fmt: skip
        assert shown.code == 0
        assert "\x1b[" in shown.out
        assert "━" in shown.out
        assert "2 files" in plain(shown.out)

    def test_an_interrupt_keeps_what_has_come_and_the_next_goes_on(
        self, data: Say, archive: CandleArchive, tmp_path: Path
    ) -> None:
        archive.faults = {"2025-01.zip": ("drip", 1)}
        words = ["--symbols", "BTCUSDT", "--timeframes", "1h", "--from", "2024-12", "--out", tmp_path]
        with serving(archive):
            process = subprocess.Popen(
                command("data", "download", *words, "--archive", archive.url),
                cwd=ROOT,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            folder = tmp_path / "spot/monthly/klines/BTCUSDT/1h"
            part, whole = folder / "BTCUSDT-1h-2025-01.zip.part", folder / "BTCUSDT-1h-2024-12.zip"
            until(
                lambda: whole.exists() and any(path.endswith("2025-01.zip") for _, path, _ in archive.asked),
                "both",
            )
            process.send_signal(signal.SIGINT)
            # The answer that drips is cut, as a server would end it.
            archive.release.set()
            _, told = process.communicate(timeout=60)
            assert process.returncode == 130
            assert "stopping: what has come of each file is kept (Ctrl-C again ends at once" in told
            assert told.splitlines()[-1].startswith("interrupted; what has come is kept")
            assert part.exists() or not (folder / "BTCUSDT-1h-2025-01.zip").exists()
            done = data("download", *words, "--archive", archive.url)
        assert done.code == 0
        assert (folder / "BTCUSDT-1h-2025-01.zip").read_bytes() == archive.files[
            "spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2025-01.zip"
        ]
