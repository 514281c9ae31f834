"""When a changed setting is taken up."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from common.settings.changes import TAKEN_UP, TakenUp, differences, in_force, sentence, taken_up
from common.settings.night import NightSettings

BEFORE = NightSettings()

CASES: list[tuple[str, Any, TakenUp]] = [
    ("retry", {"error": 5}, TakenUp.BETWEEN_JOBS),
    ("breaker", {"failures": 2}, TakenUp.BETWEEN_JOBS),
    ("deadline", {"factor": 3.0}, TakenUp.BETWEEN_JOBS),
    ("window", {"start": "22:00", "end": "07:00"}, TakenUp.BETWEEN_JOBS),
    ("training", False, TakenUp.BETWEEN_JOBS),
    ("memory_threshold", 0.7, TakenUp.BETWEEN_JOBS),
    ("max_memory_alone", 4.0, TakenUp.BETWEEN_JOBS),
    ("max_wait_seconds", 60.0, TakenUp.BETWEEN_JOBS),
    ("dashboard", {"external_url": "https://night.example.org"}, TakenUp.BETWEEN_JOBS),
    ("num_workers", 3, TakenUp.TRAINERS),
    ("max_memory_per_process", 1.0, TakenUp.TRAINERS),
    ("max_cache", 5.0, TakenUp.TRAINERS),
    ("symbols", ["BTCUSDT"], TakenUp.NEXT_NIGHT),
    ("timeframes", ["1h"], TakenUp.NEXT_NIGHT),
    ("horizons", [1], TakenUp.NEXT_NIGHT),
    ("label", {"kind": "beyond_costs"}, TakenUp.NEXT_NIGHT),
    ("model", {"min_train_rows": 200}, TakenUp.NEXT_NIGHT),
    ("n_splits", 4, TakenUp.NEXT_NIGHT),
    ("embargo_minutes", 60, TakenUp.NEXT_NIGHT),
    ("promote_if", {"min_auc": 0.6}, TakenUp.NEXT_NIGHT),
    ("false_discovery_rate", 0.05, TakenUp.NEXT_NIGHT),
    ("champion", {"max_age_days": 90.0}, TakenUp.NEXT_NIGHT),
    ("data", {"dir": "elsewhere"}, TakenUp.NEXT_NIGHT),
    ("data", {"columns": {"*.csv": {"time": 1}}}, TakenUp.NEXT_NIGHT),
    ("lease", {"seconds": 5.0}, TakenUp.RESTART),
    ("parallelism", {"adaptive": False}, TakenUp.BETWEEN_JOBS),
    ("dashboard", {"port": 5001}, TakenUp.RESTART),
    ("artifacts", "s3://nights/prod", TakenUp.RESTART),
    ("database_url", "postgresql+psycopg://user:sesame@db/night", TakenUp.RESTART),
]


@pytest.mark.parametrize(("key", "value", "moment"), CASES)
def test_each_setting_is_taken_up_when_that_is_safe(key: str, value: Any, moment: TakenUp) -> None:
    after = NightSettings(**{key: value})
    [change] = differences(BEFORE, after)
    assert change.taken_up is moment
    during, between = in_force(BEFORE, after, True), in_force(BEFORE, after, False)
    assert (during == after) is (moment in (TakenUp.BETWEEN_JOBS, TakenUp.TRAINERS))
    assert (between == after) is (moment is not TakenUp.RESTART)
    assert during in (BEFORE, after) and between in (BEFORE, after)


def test_the_table_has_every_setting_and_nothing_else() -> None:
    assert {key.split(".")[0] for key in TAKEN_UP} == set(NightSettings.model_fields)
    assert {key.split(".")[0] for key, _, _ in CASES} == set(NightSettings.model_fields)
    with pytest.raises(KeyError):
        taken_up("nonsense.error")


def test_a_part_of_a_change_waits_and_the_rest_is_in_force() -> None:
    after = NightSettings(
        symbols=("BTCUSDT",),
        retry={"error": 5},  # type: ignore[arg-type]
        dashboard={"port": 5001, "external_url": "https://night.example.org"},  # type: ignore[arg-type]
    )
    now = in_force(BEFORE, after, True)
    assert [change.key for change in differences(BEFORE, now)] == ["dashboard.external_url", "retry.error"]
    assert [change.key for change in differences(now, after)] == ["symbols", "dashboard.port"]


def test_the_differences_are_a_sentence_that_tells_no_password() -> None:
    after = NightSettings(
        horizons=(1, 3),
        retry={"error": 5},  # type: ignore[arg-type]
        database_url="postgresql+psycopg://user:sesame@db/night",
    )
    assert sentence(differences(BEFORE, after)) == (
        "from the next job on: retry.error from 3 to 5; at the next night: "
        "horizons from [1, 3, 5] to [1, 3]; after a restart: database_url to another address"
    )
    assert differences(after, after) == ()


def test_a_window_that_comes_or_goes_is_one_change_and_its_end_another() -> None:
    night = NightSettings(window={"start": "22:00", "end": "07:00"})  # type: ignore[arg-type]
    assert night.window is not None
    longer = night.model_copy(update={"window": night.window.model_copy(update={"end": time(8)})})
    assert [change.key for change in differences(BEFORE, night)] == ["window"]
    [change] = differences(night, longer)
    assert change.words == "window.end from 07:00:00 to 08:00:00"
