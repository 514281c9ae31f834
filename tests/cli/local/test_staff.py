"""The commands of the processes that work on a night."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from cli.local.head_start import coordinator_to_be
from cli.local.staff import brief, trainers_of
from common.out_folder import OutFolder, held
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
        brief(coordinator_to_be(tmp_path, debug=False), given, out)
        told = read_given(out.settings)
        # The address of a database may hold a password.
        assert out.settings.stat().st_mode & 0o777 == 0o600
        brief(coordinator_to_be(tmp_path, debug=False), given, out, by_the_clock=True)
        assert read_given(out.settings) == given
    assert told.origins == {**given.origins, "training": "nighttrain run"}
    assert not is_due(told.settings, noon, None)
    assert told.settings == settings.model_copy(update={"training": False})


def test_trainers_inherit_no_password_of_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "OMP_NUM_THREADS": "1", "PYTHONPATH": "/somewhere"}
    secret = {
        "BT_NIGHT_DATABASE_URL": "postgresql+psycopg://user:password@host/nighttrain",
        "PGPASSWORD": "password",
        "AWS_SECRET_ACCESS_KEY": "key",
        "HTTPS_PROXY": "http://user:password@proxy:3128",
        "SSH_AUTH_SOCK": "/run/agent",
    }
    for name, value in (needed | secret).items():
        monkeypatch.setenv(name, value)
    [trainer] = trainers_of(NightSettings(), OutFolder(tmp_path), debug=False, count=1)
    assert needed.items() <= trainer.environment.items() and "PATH" in trainer.environment
    assert not secret.keys() & trainer.environment.keys()


def test_trainers_of_a_store_inherit_its_credentials_and_no_other_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"AWS_SECRET_ACCESS_KEY": "key", "AWS_PROFILE": "night", "HTTPS_PROXY": "http://proxy:3128"}
    others = {"GOOGLE_APPLICATION_CREDENTIALS": "/key.json", "PGPASSWORD": "password"}
    for name, value in (own | others).items():
        monkeypatch.setenv(name, value)
    settings = NightSettings(data={"dir": "s3://candles/spot"}, max_cache=2.5)
    [trainer] = trainers_of(settings, OutFolder(tmp_path), debug=False, count=1)
    assert own.items() <= trainer.environment.items() and not others.keys() & trainer.environment.keys()
    given = dict(zip(trainer.command, trainer.command[1:], strict=False))
    assert given["--data"] == "s3://candles/spot" and given["--cache-limit-gb"] == "2.5"
