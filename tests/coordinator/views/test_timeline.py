"""Trainers over the time of a night."""

from __future__ import annotations

import pytest

from common.errors import NotFoundError
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause
from common.protocol.steering import Order, PauseOrder
from common.settings.sections import Retry
from coordinator.policy.speed import GapKind
from coordinator.runs.steering import Steering
from coordinator.views.timeline import read_timeline
from tests.coordinator.specimens import HERE, MakeNight, Night, failure, release


def test_a_trainer_has_its_attempts_in_order_and_a_reason_for_each_gap(night: Night) -> None:
    boot = night.start()
    night.clock.advance(10)
    first = night.grant(boot)
    night.clock.advance(60)
    night.queue.fail(first.lease_id, failure(message="it broke"))
    night.queue.release(night.grant(boot).lease_id, release(Cause.STOPPED))
    night.clock.advance(120)
    night.grant(boot)
    night.clock.advance(10)
    found = read_timeline(night.database, 1, night.settings)
    [lane] = found.trainers
    cells = [one for one in lane.work if not one.name.startswith("survey")]
    assert [one.outcome for one in cells] == [Outcome.FAILED, Outcome.RELEASED, Outcome.RUNNING]
    assert cells[0].message == "it broke" and cells[2].end == found.end and not found.is_over
    assert [(gap.seconds, gap.words) for gap in lane.gaps] == [
        (
            10,
            "8 jobs waited: none fitted its memory or its host's, or it was slow to ask; "
            "the reason at that time is not kept",
        ),
        (120, "it was stopped, and gave its job back"),
    ]
    assert lane.busy_ratio == pytest.approx(70 / 200)


def test_a_trainer_that_got_nothing_is_shown_with_why(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    busy = night.register("t1")
    idle = night.register("t2")
    night.survey_all(busy)
    night.grant(busy)
    night.clock.advance(20)
    night.claim(idle)
    lanes = {one.trainer: one for one in read_timeline(night.database, 1, night.settings).trainers}
    assert lanes["t2"].work == () and lanes["t2"].busy_ratio == 0
    assert [gap.words for gap in lanes["t2"].gaps] == ["no job was left that could begin"]


def test_a_job_that_waits_for_its_next_attempt_could_not_begin(make_night: MakeNight) -> None:
    night = make_night(retry=Retry(backoff_base=3600, backoff_cap=3600))
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    night.queue.fail(night.grant(boot).lease_id, failure())
    [retry] = [job for job in night.jobs(run_id=1) if job.timeframe]
    assert retry.waits.startswith("it waits")
    night.clock.advance(30)
    night.claim(boot)
    [lane] = read_timeline(night.database, 1, night.settings).trainers
    assert lane.gaps[-1].words == "no job was left that could begin"


def test_a_pause_is_the_reason_of_its_gap_and_what_it_ended_by_is_not(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    steering = Steering(night.database)
    steering.pause(1, PauseOrder(), HERE)
    night.clock.advance(60)
    steering.resume(1, Order(), HERE)
    night.grant(boot)
    night.clock.advance(10)
    [lane] = read_timeline(night.database, 1, night.settings).trainers
    [gap] = lane.gaps
    assert (gap.kind, gap.seconds, gap.words) == (GapKind.HELD, 60, "an operator had paused the night")


def test_an_unknown_night_has_no_timeline(night: Night) -> None:
    with pytest.raises(NotFoundError, match="there is no night 7"):
        read_timeline(night.database, 7, night.settings)
