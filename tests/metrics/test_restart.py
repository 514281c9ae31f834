"""The metrics of a night whose coordinator is killed: the facts are as before, the counts begin anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.metrics.declarations import (
    CHECKPOINT_TIMESTAMP,
    COORDINATOR_CRASHES,
    METRICS,
    QUEUE_OLDEST_WAIT,
    TRAINER_LAST_SEEN,
)
from common.metrics.exposition import Exporter, Source
from tests.metrics.scrape import Series, scrape
from tests.trainer.real_night import Coordinator, RealNight, eventually
from tests.trainer.targets import FOLDS

MOVING = {metric.name for metric in (CHECKPOINT_TIMESTAMP, QUEUE_OLDEST_WAIT, TRAINER_LAST_SEEN)}
"""Facts that change while nothing happens but time passing, renewals, and the progress file being written."""

FACTS = {
    name
    for metric in METRICS.values()
    if metric.source is Source.DATABASE and Exporter.COORDINATOR in metric.exporters
    for name in metric.series
}


@pytest.fixture
def night(tmp_path: Path) -> Iterator[RealNight]:
    coordinator = Coordinator(tmp_path, horizons=[1, 3], lease={"seconds": 5.0})
    made = RealNight(coordinator, tmp_path)
    yield made
    made.close()
    coordinator.close()


def facts(night: RealNight) -> dict[Series, float]:
    found = scrape(night.coordinator.url)
    kept = FACTS - MOVING - {COORDINATOR_CRASHES.name}
    return {series: value for series, value in found.values.items() if series[0] in kept}


def test_a_kill_in_the_middle_of_a_night_changes_no_fact(night: RealNight) -> None:
    night.coordinator.start()
    night.begin()
    night.start_trainer("linger")
    night.child_pid()
    eventually(lambda: scrape(night.coordinator.url).value("nighttrain_checkpoint_writes_total"))
    told = scrape(night.coordinator.url)
    before = facts(night)
    names = {name for name, _ in before}
    # A running job, a waiting one, the folds that were saved and who is at work are among what is compared.
    assert before["nighttrain_run_progress_ratio", ()] == pytest.approx(0.5 / FOLDS)
    assert told.value("nighttrain_trainers", state="working") == 1
    assert {"nighttrain_running_job_started_timestamp_seconds", "nighttrain_claims_total"} <= names
    assert told.value("nighttrain_queue_jobs", symbol="BTCUSDT") == 1

    night.coordinator.kill()
    night.coordinator.start()

    assert facts(night) == before
    assert told.value(COORDINATOR_CRASHES.name) == 0
    again = scrape(night.coordinator.url)
    assert again.value(COORDINATOR_CRASHES.name) == 1
    assert set(again.values) >= {series for series in told.values if series[0] in MOVING}
    assert again.value("nighttrain_checkpoint_writes_total") == 0
    [away] = night.operator.status().alerts
    assert (away.name, away.severity, away.firing) == ("NighttrainCoordinatorAway", "warning", False)
    assert away.description.endswith("night 1 waited for it.")
    started = "process_start_time_seconds"
    assert (again.value(started) or 0) > (told.value(started) or 0)
