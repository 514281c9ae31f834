"""The commands of the processes that work on a night."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

from cli.local.staff import coordinator_of
from common.out_folder import held
from common.settings.given import Given, read_given
from common.settings.night import NightSettings
from common.settings.sections import Window
from coordinator.runs.schedule import is_due


def test_the_schedule_begins_no_night_beside_the_one_that_was_asked_for(tmp_path: Path) -> None:
    settings = NightSettings(window=Window(start=time(0), end=time(23)))
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert is_due(settings, noon, None)
    with held(tmp_path) as out:
        given = Given(settings, {"window.start": "night.yaml"})
        coordinator_of(given, out, debug=False)
        told = read_given(out.settings)
        # The address of a database may hold a password.
        assert out.settings.stat().st_mode & 0o777 == 0o600
        coordinator_of(given, out, debug=False, by_the_clock=True)
        assert read_given(out.settings) == given
    assert told.origins == {**given.origins, "training": "nighttrain run"}
    assert not is_due(told.settings, noon, None)
    assert told.settings == settings.model_copy(update={"training": False})
