"""The whole night in one document."""

from __future__ import annotations

import pytest

from common.protocol.runs import RunState
from common.protocol.status import TrainerState
from tests.coordinator.specimens import NOON, Night, progress, renewal


def test_before_the_first_run_there_is_a_machine_and_nothing_else(night: Night) -> None:
    document = night.status().document()
    assert (
        document.run is None and document.best is None and document.trainers == () and document.warnings == ()
    )
    assert document.time == NOON and document.version == "1.2.3" and document.night.open
    assert 0 < document.system.memory_ratio < 1 and document.system.disk_total_bytes > 0
    assert document.system.cpu_count >= 1 and 0 <= document.system.cpu_ratio <= 1


def test_the_whole_night_stands_in_one_document(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",))
    boot, other = night.register("t1"), night.register("t2")
    night.survey_all(boot)
    for auc in (0.55, 0.58, 0.53):
        grant = night.grant(boot)
        night.clock.advance(10)
        night.succeed(grant, auc=auc)
    last = night.grant(boot)
    night.queue.renew(last.lease_id, renewal(done=2))
    night.claim(other)
    document = night.status().document()
    assert document.run is not None and document.run.state is RunState.RUNNING
    assert (document.run.training.succeeded, document.run.training.leased) == (3, 1)
    assert document.best is not None and document.best.scores.auc == 0.58
    assert document.last is not None and document.last.scores.auc == 0.53
    assert document.speed.jobs_per_hour == pytest.approx(360)
    assert document.speed.rows_per_second == pytest.approx((2 * 35_000 + 17_520) / 30)
    working, idle = document.trainers
    assert (working.name, working.state, working.job_id) == ("t1", TrainerState.WORKING, last.job_id)
    assert (
        working.progress == progress(done=2) and working.job == "BTCUSDT_1h_H3" and working.jobs_finished == 4
    )
    assert (idle.state, idle.note, idle.job) == (TrainerState.IDLE, "no job is queued", "")
    assert document.recent_jobs[0].id == last.job_id
    assert document.eta.p50 is not None and document.eta.p90 is not None
    assert night.clock.now <= document.eta.p50 <= document.eta.p90


def test_a_run_that_ended_is_still_shown(night: Night) -> None:
    run = night.begin()
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    document = night.status().document()
    assert document.run is not None and document.run.id == run and document.run.state is RunState.DONE
    assert document.run.promoted == 8 and document.eta.p50 is None and len(document.recent_jobs) == 10
