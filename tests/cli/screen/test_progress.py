"""What a night looks like where there is no terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli.screen import progress
from cli.screen.progress import LiveDisplay, PlainDisplay, progress_line
from common.protocol.jobs import Cause
from common.protocol.status import StatusDocument
from common.protocol.steering import PauseOrder
from coordinator.runs.steering import Steering
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.specimens import HERE, Clock, Night, failure, settings


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
