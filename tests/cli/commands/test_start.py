"""`nighttrain start` and `nighttrain report`, against a coordinator over real HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import time
from pathlib import Path
from random import Random

import pytest

from cli.app import main
from common.protocol.address import Address
from common.protocol.steering import PauseOrder
from common.settings.sections import Window
from coordinator.app import make_app
from coordinator.assembly import Parts, assemble
from coordinator.runs.steering import Steering
from coordinator.store.database import Database
from tests.coordinator.conftest import served
from tests.coordinator.specimens import HERE, Clock, Night, settings
from tests.coordinator.wire import tokens

TOKEN = "the-token-of-these-tests-is-long-enough"
GRID = "symbols: [BTCUSDT, ETHUSDT]\ntimeframes: [15m, 1h]\nhorizons: [1, 3]\n"
Said = tuple[int, str, str]
Call = Callable[..., Said]


@pytest.fixture
def parts(database_url: str, clock: Clock, tmp_path: Path) -> Iterator[Parts]:
    # The window is closed at noon, when the clock stands.
    window = Window(start=time(22), end=time(6))
    database = Database(database_url, clock)
    yield assemble(database, settings(window=window), tmp_path, tokens(TOKEN), True, Random(1))
    database.close()


@pytest.fixture
def url(parts: Parts) -> Iterator[str]:
    with served(make_app(parts)) as address:
        yield address


@pytest.fixture
def night(parts: Parts, tmp_path: Path) -> Night:
    """The same night as its trainers see it, without a window."""
    return Night(parts.database, settings(), tmp_path)


@pytest.fixture
def start_night(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    token, config = tmp_path / "given", tmp_path / "night.yaml"
    token.write_text(TOKEN)
    token.chmod(0o600)

    def call(*options: str, grid: str = GRID, where: str = url) -> Said:
        config.write_text(grid)
        base = ["start", "--url", where, "--token-file", str(token), "--config", str(config)]
        return (main([*base, *options]), *capsys.readouterr())

    return call


@pytest.fixture
def show_night(url: str, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*options: str, where: str = url) -> Said:
        return (main(["report", "--url", where, *options]), *capsys.readouterr())

    return call


class TestStart:
    def test_begins_a_night_and_says_so_in_one_line(self, start_night: Call, night: Night) -> None:
        code, out, err = start_night("--no-dashboard")
        assert (code, err) == (0, "")
        assert out == ("night 1 started: 8 cells of 2 symbols; the window opens at 2026-03-02 22:00 UTC\n")
        [run] = night.run_listing.page(10, 0).runs
        assert run.config.timeframes == ("15m", "1h")

    def test_says_where_it_can_be_watched_and_finds_the_coordinator_by_its_port(
        self, start_night: Call, url: str
    ) -> None:
        port = url.rsplit(":", 1)[1]
        code, out, _ = start_night("--port", port, where="http://127.0.0.1:9")
        assert code == 0
        assert out.splitlines()[1:] == [f"dashboard http://127.0.0.1:{port}/"]
        told = json.loads(start_night("--json")[1])
        assert (told["started"], told["run"]["id"], told["url"]) == (False, 1, url)

    def test_only_checks_what_a_night_needs_if_that_is_asked(
        self, start_night: Call, night: Night, tmp_path: Path
    ) -> None:
        code, out, _ = start_night("--check-requirements", "--json", "--out", str(tmp_path))
        states = {one["name"]: one for one in json.loads(out)["requirements"]}
        assert states["coordinator"]["state"] == "ok"
        assert states["token"]["found"].endswith("accepted")
        # The coordinator's clock stands still in March.
        assert (code, states["clock"]["state"]) == (1, "failed")
        assert night.run_listing.page(10, 0).total == 0
        code, out, _ = start_night("--check-requirements", where="http://127.0.0.1:9")
        assert code == 1
        assert "failed   coordinator" in out

    def test_finds_a_night_on_this_machine_by_itself_as_all_commands_do(
        self, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, config = tmp_path / "here" / "night", tmp_path / "night.yaml"
        folder.mkdir(parents=True)
        config.write_text(GRID)
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o600)
        (folder / "coordinator.json").write_text(Address(url=url, pid=os.getpid()).model_dump_json())
        monkeypatch.chdir(folder.parent)
        assert main(["start", "--config", str(config)]) == 0
        told = capsys.readouterr().out
        assert told.startswith("night 1 started") and f"dashboard {url}/" in told

    def test_without_a_coordinator_it_says_how_to_get_one(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "night.yaml").write_text(GRID)
        assert main(["start", "--config", "night.yaml"]) == 1
        told = capsys.readouterr().err
        assert told.startswith("nighttrain: no coordinator is found: none runs over the folder night, and ")
        assert told.count("\n") == 1 and "nighttrain run, or make up" in told
        assert main(["start", "--config", "night.yaml", "--check-requirements", "--json"]) == 1
        found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["requirements"]}
        assert (found["coordinator"]["state"], found["coordinator"]["todo"][:9]) == ("failed", "start one")

    def test_a_token_that_is_missing_or_wrong_is_told_in_words_of_the_command_line(
        self, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "night.yaml").write_text(GRID)
        words = ["start", "--url", url, "--config", str(tmp_path / "night.yaml")]
        assert main([*words, "--out", str(tmp_path / "none")]) == 1
        told = capsys.readouterr().err
        assert "the bearer token is missing (--token-file names its file" in told
        assert main([*words, "--token-file", str(tmp_path / "none")]) == 2
        told = capsys.readouterr().err
        assert "cannot be read: No such file or directory (name it with --token-file" in told

    def test_goes_on_with_an_unfinished_one(self, start_night: Call, night: Night) -> None:
        start_night()
        boot = night.register()
        night.survey_all(boot)
        night.succeed(night.grant(boot))
        code, out, _ = start_night()
        assert code == 0
        assert out.startswith("night 1 resumed: 1 of 8 cells of 2 symbols are done")
        assert night.run_listing.page(10, 0).total == 1

    def test_a_paused_one_says_how_it_goes_on(self, start_night: Call, night: Night) -> None:
        start_night()
        Steering(night.database).pause(1, PauseOrder(by="anna", reason="lunch"), HERE)
        out = start_night()[1]
        assert "it is paused since 2026-03-02 12:00 UTC by anna: lunch: nighttrain resume lets" in out

    def test_begins_another_once_one_has_ended(self, start_night: Call, night: Night) -> None:
        start_night()
        night.cancel(1)
        assert start_night()[1].startswith("night 2 started")

    def test_another_grid_is_a_conflict_unless_it_shall_start_over(self, start_night: Call) -> None:
        start_night()
        other = GRID.replace("1h", "4h")
        code, out, err = start_night(grid=other)
        assert (code, out) == (2, "")
        assert "timeframes (there 15m, 1h, here 15m, 4h)" in err
        assert start_night("--fresh", grid=other)[1].startswith("night 2 started")

    def test_training_switched_off_begins_nothing(
        self, start_night: Call, night: Night, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BT_NIGHT_TRAINING", "false")
        code, _, err = start_night()
        assert code == 2
        assert "training is false" in err
        assert night.run_listing.page(10, 0).total == 0

    def test_no_coordinator_and_no_configuration_are_one_line(
        self, start_night: Call, tmp_path: Path
    ) -> None:
        code, _, err = start_night(where="http://127.0.0.1:9")
        assert (code, err.count("\n")) == (1, 1)
        code, _, err = start_night("--config", str(tmp_path / "nowhere.yaml"))
        assert (code, err.count("\n")) == (2, 1)
        assert "nowhere.yaml" in err


class TestAll:
    """Only where the candles are can be told what `all` is."""

    ALL = "symbols: all\ntimeframes: all\nhorizons: [1]\n"

    @pytest.fixture
    def candles(self, tmp_path: Path) -> Path:
        folder = tmp_path / "candles"
        folder.mkdir()
        for name in ("BTCUSD-1h.csv", "ETH_USD-1h.csv", "SOLUSD60.csv", "notes.txt"):
            (folder / name).write_text("x")
        return folder

    def test_is_named_by_the_folder_that_is_given(
        self, start_night: Call, night: Night, candles: Path
    ) -> None:
        code, out, err = start_night("--data", str(candles), grid=self.ALL)
        assert (code, err) == (0, "")
        first, second, _ = out.splitlines()
        assert first == f"all in {candles}: BTCUSD, ETHUSD, SOLUSD; 1h, 4h, 1d"
        assert second.startswith("night 1 started: 9 cells of 3 symbols")
        [run] = night.run_listing.page(10, 0).runs
        assert run.config.symbols == ("BTCUSD", "ETHUSD", "SOLUSD")
        assert run.config.timeframes == ("1h", "4h", "1d")

    def test_is_the_same_night_as_long_as_the_folder_holds_the_same(
        self, start_night: Call, candles: Path
    ) -> None:
        start_night("--data", str(candles), grid=self.ALL)
        assert "night 1 resumed" in start_night("--data", str(candles), grid=self.ALL)[1]
        (candles / "XRPUSD-1h.csv").write_text("x")
        code, _, err = start_night("--data", str(candles), grid=self.ALL)
        assert code == 2
        assert "XRPUSD" in err

    def test_may_be_the_symbols_or_the_timeframes_alone(
        self, start_night: Call, night: Night, candles: Path
    ) -> None:
        start_night("--data", str(candles), grid=self.ALL.replace("timeframes: all", "timeframes: [4h]"))
        named = self.ALL.replace("symbols: all", "symbols: [BTCUSD]")
        assert start_night("--fresh", "--data", str(candles), grid=named)[0] == 0
        newest, first = night.run_listing.page(10, 0).runs
        assert (first.config.symbols, first.config.timeframes) == (("BTCUSD", "ETHUSD", "SOLUSD"), ("4h",))
        assert (newest.config.symbols, newest.config.timeframes) == (("BTCUSD",), ("1h", "4h", "1d"))

    @pytest.mark.parametrize("options", [(), ("--data", "/nowhere")])
    def test_without_the_folder_nothing_is_begun(
        self, start_night: Call, night: Night, options: tuple[str, ...]
    ) -> None:
        code, out, err = start_night(*options, grid=self.ALL)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "start from where the candles are" in err
        assert night.run_listing.page(10, 0).total == 0

    def test_of_an_empty_folder_is_one_line(self, start_night: Call, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        code, _, err = start_night("--data", str(tmp_path / "empty"), grid=self.ALL)
        assert (code, err.count("\n")) == (2, 1)
        assert "no file's name tells a symbol, so all is none" in err


class TestShow:
    def test_before_the_first_night_there_is_nothing(self, show_night: Call) -> None:
        code, out, err = show_night()
        assert (code, out) == (1, "") and err.startswith("nighttrain: there is no night yet (begin one with")

    def test_an_ended_night_is_a_plain_table(self, show_night: Call, start_night: Call, night: Night) -> None:
        start_night()
        boot = night.register()
        night.survey_all(boot, refused={"15m": "too few rows"})
        night.finish_all(boot, auc=0.56)
        night.housekeeping.tick()
        code, out, err = show_night()
        assert (code, err) == (0, "")
        lines = out.splitlines()
        table = lines.index("symbol    15m               1h")
        assert lines[table + 1 : table + 3] == [
            "BTCUSDT   candles refused   0.560 H1 *",
            "ETHUSDT   candles refused   0.560 H1 *",
        ]
        assert "candles refused, 4 cells: too few rows" in lines
        results = next(line for line in lines if line.startswith("results "))
        assert Path(results.removeprefix("results ")).is_file()
        assert Path(next(line for line in lines if line.startswith("report ")).split()[1]).is_file()
        assert Path(next(line for line in lines if line.startswith("models ")).split()[1]).is_dir()

    def test_the_ended_night_is_shown_while_the_next_is_under_way(
        self, show_night: Call, start_night: Call, night: Night
    ) -> None:
        start_night()
        boot = night.register()
        night.survey_all(boot)
        night.finish_all(boot)
        night.housekeeping.tick()
        start_night()
        out = show_night()[1]
        assert out.startswith("night 2 is running: 0 of 8 cells are done\nNight 1:")
        document = json.loads(show_night("--json")[1])
        assert (document["schema"], document["run"]) == ("nighttrain.results/1", 1)
        code, out, _ = show_night("2")
        assert code == 0 and out.startswith("Night 2 so far: 0 promoted, 0 failed, ")
        assert show_night("3")[0] == 1

    def test_a_night_that_runs_is_told_so_far(self, show_night: Call, start_night: Call) -> None:
        start_night()
        code, out, err = show_night()
        assert (code, err) == (0, "")
        assert out.startswith("Night 1 so far: 0 promoted") and "0 of 8 cells trained, 8 not done yet" in out
        assert json.loads(show_night("--json")[1])["state"] == "running"

    def test_the_whole_report_is_one_file(
        self, show_night: Call, start_night: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start_night()
        path = tmp_path / "there" / "night.html"
        assert show_night("--html", str(path)) == (0, f"report {path}\n", "")
        written = path.read_text()
        assert written.startswith("<!DOCTYPE html>") and "Night 1 so far" in written
        assert show_night("1", "--html", "-")[1].startswith("<!DOCTYPE html>")
        opened: list[str] = []
        monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
        assert show_night("--open", "--html", str(path))[0] == 0
        assert opened == [path.as_uri()]
        monkeypatch.setattr("webbrowser.open", lambda _: False)
        code, out, err = show_night("--open")
        assert code == 0 and Path(out.split()[1]).is_file() and err.startswith("no browser was found here")

    def test_a_report_that_cannot_be_written_says_where(
        self, show_night: Call, start_night: Call, tmp_path: Path
    ) -> None:
        start_night()
        (tmp_path / "file").write_text("")
        code, _, err = show_night("--html", str(tmp_path / "file" / "night.html"))
        assert code != 0 and "night.html: cannot be written" in err and err.count("\n") == 1


class TestReportWithoutACoordinator:
    @pytest.fixture
    def ended(self, night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The out folder of a night that has ended; nothing in the present folder names a coordinator."""
        night.finish_all(night.start(), auc=0.56)
        night.housekeeping.tick()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        return tmp_path

    @pytest.fixture
    def show(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
        return lambda *options: (main(["report", "--out", str(tmp_path), *options]), *capsys.readouterr())

    def test_the_last_night_is_shown_as_it_was_written(self, ended: Path, show: Callable[..., Said]) -> None:
        code, out, err = show()
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert lines[0].startswith("Night 1: ") and "ETHUSDT   0.560 H1 *   0.560 H1 *" in lines
        [results] = (ended / "logs").glob("batch_train_results_*.json")
        [report] = (ended / "logs").glob("batch_train_report_*.html")
        assert lines[-4:-2] == [f"results {results}", f"report  {report}"]
        assert json.loads(show("1", "--json")[1]) == json.loads(results.read_text())
        assert show("--html", "-")[1] == report.read_text()
        copied = ended / "copied.html"
        assert show("1", "--html", str(copied)) == (0, f"report {copied}\n", "")

    def test_a_later_night_that_was_cut_off_is_said_first(
        self, ended: Path, show: Callable[..., Said]
    ) -> None:
        seen = ended / "logs" / "night_training_checkpoint.json"
        document = json.loads(seen.read_text())
        training = {"queued": 3, "leased": 1, "succeeded": 2}
        document["run"] |= {"id": 2, "state": "running", "training": training}
        seen.write_text(json.dumps(document))
        lines = show()[1].splitlines()
        assert lines[0] == "night 2 unfinished: 2 of 6 cells are done" and lines[1].startswith("Night 1: ")
        # A night whose results are there has ended, whatever was last seen of it.
        document["run"]["id"] = 1
        seen.write_text(json.dumps(document))
        assert show()[1].startswith("Night 1: ")

    def test_what_is_not_there_is_said(self, ended: Path, show: Callable[..., Said]) -> None:
        code, _, err = show("7")
        assert code == 1 and f"no night 7 has ended in {ended}: the last one is night 1" in err
        [report] = (ended / "logs").glob("batch_train_report_*.html")
        report.unlink()
        code, _, err = show("--html", "-")
        assert code == 1 and f"the report {report} cannot be read: No such file" in err
        assert not any(line.startswith("report") for line in show()[1].splitlines())

    def test_containers_that_have_been_stopped_are_not_waited_for(
        self, ended: Path, show: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secret = Path("secrets") / "nighttrain_token"
        secret.parent.mkdir()
        secret.write_text(TOKEN)
        secret.chmod(0o600)
        monkeypatch.setenv("DASHBOARD_PORT", "9")
        code, out, err = show()
        assert code == 0 and out.startswith("Night 1: ")
        assert "http://127.0.0.1:9 does not answer" in err and f"what is kept in {ended}" in err
        assert err.count("\n") == 1
        code, out, err = show("--url", "http://127.0.0.1:9")
        assert (code, out) == (1, "") and "does not answer" in err

    def test_a_damaged_report_is_handed_out_as_it_is(self, ended: Path, show: Callable[..., Said]) -> None:
        [report] = (ended / "logs").glob("batch_train_report_*.html")
        report.write_bytes(b"<p>\xff</p>")
        assert show("--html", str(ended / "copied.html"))[0] == 0
        assert (ended / "copied.html").read_bytes() == b"<p>\xff</p>"
        assert show("--html", "-")[1].startswith("<p>")

    def test_a_damaged_file_is_passed_over_and_without_any_a_coordinator_is_asked_for(
        self, ended: Path, show: Callable[..., Said]
    ) -> None:
        [results] = (ended / "logs").glob("batch_train_results_*.json")
        (ended / "logs" / "batch_train_results_99991231_000000.json").write_text("{")
        assert show()[1].startswith("Night 1: ")
        results.unlink()
        code, _, err = show()
        assert code == 1 and "no coordinator is found" in err
