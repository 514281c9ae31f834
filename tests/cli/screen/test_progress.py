"""What a night looks like where there is no terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.monitor.night import headline
from cli.screen import progress
from cli.screen.jobs import job_page, reasons, what_of
from cli.screen.nights import night_page, night_table
from cli.screen.progress import LiveDisplay, PlainDisplay, progress_line
from cli.screen.summary import totals
from common.protocol.jobs import Cause
from common.protocol.status import StatusDocument
from common.protocol.steering import AuditPage, PauseOrder
from coordinator.runs.steering import Steering
from coordinator.store.database import Database, sqlite_url
from coordinator.views.results import read_results
from tests.coordinator.specimens import HERE, Clock, Night, digest, failure, settings


@pytest.fixture
def night(tmp_path: Path) -> Night:
    database = Database(sqlite_url(tmp_path / "nighttrain.db"), Clock())
    database.upgrade()
    return Night(database, settings(), tmp_path)


def look(night: Night) -> StatusDocument:
    return night.status().document()


def test_a_log_gets_a_line_for_news_and_a_sign_of_life_a_minute(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    out = io.StringIO()
    display = PlainDisplay(Console(file=out, width=120))
    night.begin()
    boot = night.register()
    night.survey_all(boot)
    for _ in range(200):
        display.show(look(night))
        now += 1.0
    assert out.getvalue().count("\n") == 4
    for _ in range(8):
        night.succeed(night.grant(boot))
        display.show(look(night))
        now += 1.0
    display.show(look(night))
    lines = out.getvalue().splitlines()
    assert [line.split()[2] for line in lines[4:]] == ["1/8", "6/8", "8/8"]
    night.database.close()


def test_a_paused_night_says_by_whom_instead_of_an_end(night: Night) -> None:
    out = io.StringIO()
    display = PlainDisplay(Console(file=out, width=160))
    night.begin()
    Steering(night.database).pause(1, PauseOrder(by="anna"), HERE)
    display.show(look(night))
    assert "paused by anna" in out.getvalue() and "ETA once it is resumed" in out.getvalue()
    night.database.close()


def test_refused_candles_are_told_apart_from_what_broke(night: Night) -> None:
    def said() -> str:
        status = look(night)
        assert status.run is not None
        return progress_line(status, status.run)

    night.begin()
    boot = night.register()
    night.survey_all(boot)
    assert "failed 0" in said() and "not trainable" not in said()
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.DATA, "too few rows"))
    assert "failed 0, not trainable 1" in said()
    night.database.close()


def test_the_bar_says_nothing_of_cells_before_it_knows_of_any(night: Night) -> None:
    out = io.StringIO()
    display = LiveDisplay(Console(file=out, width=160, force_terminal=True))
    display._live.refresh()
    assert "starting" in out.getvalue() and "None" not in out.getvalue()
    night.begin()
    display.show(look(night))
    display.close()
    assert "0/8" in out.getvalue()
    night.database.close()


def test_each_view_of_a_night_says_how_many_cells_were_reused(night: Night) -> None:
    program = digest("this program")
    night.begin()
    night.survey_all(night.register(), program=program)
    night.finish_all("t1-boot", program=program)
    night.housekeeping.tick()
    night.begin()
    night.survey_all("t1-boot", program=program)
    status = look(night)
    assert status.run is not None
    assert "8/8 cells, trained 8 (8 reused), running 0" in progress_line(status, status.run)
    night.housekeeping.tick()
    view, nights = night.run_listing.view(2), night.run_listing.page(2, 0)
    nobody = AuditPage(total=0, limit=1, offset=0, entries=())
    assert view.reused == 8 and "8 trained (8 reused), 0 failed" in night_page(view, nobody)
    newer, older = night_table(nights).splitlines()[1:]
    assert newer.endswith("8 reused") and "reused" not in older
    assert headline(look(night)) == "Night 2 is over: 8 of 8 cells trained (8 reused)"
    assert "8 of 8 cells trained (8 reused), 8 promoted (none new), 0 failed" in totals(
        read_results(night.database, 2)
    )
    [job, *_] = (night.detail(one.id) for one in night.jobs(run_id=2, symbol="BTCUSDT", horizon=1))
    told = "BTCUSDT_15m_H1 was reused from night 1: candles, settings and program are the same"
    assert reasons(job) == [told, "BTCUSDT_15m_H1 was promoted: it met every condition"]
    facts = job_page(job)
    assert f"reused from  night 1 (job {job.reused_from})" in facts and "trained again" not in facts
    assert what_of(job) == "reused from night 1; promoted"
    night.begin(retrain=True)
    night.survey_all("t1-boot", program=program)
    [job, *_] = night.jobs(run_id=3, symbol="BTCUSDT", horizon=1)
    assert "trained again  as --retrain asks for" in job_page(night.detail(job.id))
    told = "BTCUSDT_15m_H1 had been trained before, and had to be again: as --retrain asks for"
    assert reasons(night.detail(job.id))[0] == told
    night.database.close()
