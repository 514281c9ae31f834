"""A changed configuration reaches all who act by it, and is recorded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import time
from pathlib import Path
from random import Random

import pytest

from common.settings.given import Given, write_given
from common.settings.given import read_given as read
from common.settings.night import NightSettings
from common.settings.sections import Retry, Window
from coordinator.assembly import Parts, assemble
from coordinator.configuration import Configuration, Source
from coordinator.policy.admission import Refusal
from coordinator.store.database import Database
from tests.coordinator.specimens import Clock, Night, claim, settings
from tests.coordinator.wire import TOKEN, tokens


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    write_given(path, Given(settings()))
    return path


@pytest.fixture
def parts(database_url: str, clock: Clock, tmp_path: Path, path: Path) -> Iterator[Parts]:
    database = Database(database_url, clock)
    configuration = Configuration(read(path), Source(path, read))
    yield assemble(
        database,
        configuration.settings,
        tmp_path,
        tokens(TOKEN),
        True,
        Random(1),
        configuration=configuration,
    )
    database.close()


@pytest.fixture
def night(parts: Parts, tmp_path: Path) -> Night:
    """What trainers and operators do, over the same database."""
    return Night(parts.database, parts.settings, tmp_path)


def turn(parts: Parts, clock: Clock) -> None:
    """Two turns of the loop: a file must rest for one."""
    for _ in range(2):
        clock.advance(1.5)
        parts.housekeeping.tick()


def test_a_change_in_mid_night_is_in_force_at_the_next_claim_recorded_and_logged(
    parts: Parts, night: Night, clock: Clock, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    night.begin()
    boot = night.register()
    night.survey_all(boot)
    closed = Window(start=time(1), end=time(2))
    changed = settings().model_copy(update={"window": closed, "retry": Retry(error=7), "n_splits": 4})
    with caplog.at_level(logging.INFO):
        write_given(path, Given(changed))
        turn(parts, clock)
    # Claims are refused from now on, by the queue that the interface uses.
    boot = night.register("late")
    answer = parts.queue.claim(claim(boot))
    assert isinstance(answer, Refusal)
    assert not parts.status.document().night.open
    assert parts.settings.retry.error == 7 and parts.queue.settings.retry.error == 7
    # The results of this night are decided as they were when it began.
    assert parts.settings.n_splits == settings().n_splits
    assert parts.status.document().waiting_settings == (
        f"n_splits from {settings().n_splits} to 4 at the next night",
    )
    [entry] = parts.audit.page({}, 10, 0).entries
    assert (entry.action, entry.by, entry.run) == ("configure", "the configuration", None)
    assert "from the next job on: retry.error" in entry.words and "at the next night: n_splits" in entry.words
    assert any(entry.words in record.getMessage() for record in caplog.records)


def test_the_next_night_takes_up_what_waited(parts: Parts, night: Night, clock: Clock, path: Path) -> None:
    run = night.begin()
    write_given(path, Given(settings().model_copy(update={"n_splits": 4})))
    turn(parts, clock)
    assert parts.settings.n_splits != 4
    night.cancel(run)
    turn(parts, clock)
    assert parts.settings.n_splits == 4
    assert parts.status.document().waiting_settings == ()
    assert parts.audit.page({"action": "configure"}, 10, 0).total == 1


def test_a_window_that_is_given_later_begins_a_night_of_the_new_grid(
    parts: Parts, clock: Clock, path: Path
) -> None:
    window = Window(start=time(11), end=time(13))
    write_given(path, Given(settings().model_copy(update={"window": window, "symbols": ("DOGEUSDT",)})))
    turn(parts, clock)
    [run] = parts.run_listing.page(10, 0).runs
    assert run.config.symbols == ("DOGEUSDT",)


def test_a_broken_file_is_a_warning_on_the_status_and_once_in_the_log(
    parts: Parts, clock: Clock, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text("{")
    for _ in range(3):
        turn(parts, clock)
    [warning] = [one for one in parts.status.document().warnings if str(path) in one]
    assert "stays in force" in warning
    assert sum(warning in record.getMessage() for record in caplog.records) == 1
    write_given(path, Given(NightSettings(**settings().model_dump(mode="json"))))
    turn(parts, clock)
    assert not any(str(path) in one for one in parts.status.document().warnings)
