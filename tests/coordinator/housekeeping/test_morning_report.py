"""The report of each night that has ended, beside its results."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import delete

from common.errors import StorageError
from coordinator.report.reports import Reports
from coordinator.store.tables import digests
from tests.coordinator.specimens import MakeNight, Night


def ended(night: Night) -> Path:
    night.finish_all(night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,)))
    night.housekeeping.tick()
    return Path(night.run_listing.view(1).report_path)


def test_a_night_that_ends_has_its_report_beside_its_results_in_the_same_turn(night: Night) -> None:
    path = ended(night)
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert path.name == "batch_train_report_20260302_120000.html"
    assert path.with_name("batch_train_results_20260302_120000.json").exists()


def test_a_cancelled_night_has_one_too(night: Night) -> None:
    night.start()
    night.cancel(1)
    night.housekeeping.tick()
    assert "was cancelled" in Path(night.run_listing.view(1).report_path).read_text()


def test_a_report_that_cannot_be_written_does_not_keep_the_night_open_and_is_tried_again(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StorageError("no room")

    with monkeypatch.context() as patched:
        patched.setattr("coordinator.report.reports.write_whole", full)
        night.finish_all(night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,)))
        night.housekeeping.tick()
        run = night.run_listing.view(1)
        assert run.state == "done" and run.results_path and not run.report_path
        assert night.housekeeping.troubles() == ("the morning report: no room",)
    night.clock.advance(10)
    night.housekeeping.tick()
    assert Path(night.run_listing.view(1).report_path).exists()
    assert night.housekeeping.troubles() == ()


def test_what_a_killed_coordinator_has_left_out_the_next_one_writes(
    make_night: MakeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_night()
    with monkeypatch.context() as patched:
        patched.setattr(Reports, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ended(first)
    assert first.run_listing.view(1).state == "done" and not first.run_listing.view(1).report_path
    second = make_night()
    second.housekeeping.tick()
    assert Path(second.run_listing.view(1).report_path).exists()


def test_a_night_of_an_earlier_version_gets_none_by_itself_and_is_reported_when_asked(night: Night) -> None:
    path = ended(night)
    with night.database.write() as tx:
        tx.connection.execute(delete(digests))
        tx.connection.exec_driver_sql("UPDATE runs SET report_path = ''")
    path.unlink()
    night.housekeeping.tick()
    assert not night.run_listing.view(1).report_path
    assert night.reports.html(1).startswith("<!DOCTYPE html>")


def test_a_file_that_is_gone_is_made_again_when_it_is_asked_for(night: Night) -> None:
    path = ended(night)
    written = path.read_text()
    assert night.reports.html(1) == written
    path.unlink()
    assert night.reports.html(1).startswith("<!DOCTYPE html>")
