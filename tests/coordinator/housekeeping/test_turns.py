"""What a turn of the housekeeping costs: there are two a second, and each holds the queue up."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from common.protocol.jobs import Cause, JobState
from coordinator.store.tables import jobs
from tests.coordinator.specimens import MakeNight, failure
from tests.coordinator.steps import steps_of


@pytest.mark.parametrize("after_oom", [False, True])
def test_a_turn_takes_sqlite_as_long_however_many_jobs_wait_or_are_over(
    make_night: MakeNight, after_oom: bool
) -> None:
    night = make_night()
    if not night.database.is_sqlite:
        pytest.skip("PostgreSQL counts no steps")
    steps = []
    for count in (30, 300):
        names = tuple(f"S{number:03d}USDT" for number in range(count))
        run = night.begin(symbols=names, timeframes=("1h",), horizons=(1, 3, 5))
        boot = night.register(f"t{count}")
        night.survey_all(boot)
        if after_oom:
            hurt = night.queue.fail(night.grant(boot).lease_id, failure(Cause.OOM))
            assert hurt.state == JobState.QUEUED
        with night.database.write() as tx:
            half = update(jobs).where(jobs.c.state == JobState.QUEUED, jobs.c.oom_room_bytes.is_(None))
            over = half.where(jobs.c.symbol < f"S{count // 2:03d}USDT")
            tx.connection.execute(over.values(state=JobState.CANCELLED, finished=tx.now))
        # The first writes the file of the progress, which is as long as the run.
        night.housekeeping.tick()
        steps.append(steps_of(night.database, night.housekeeping.tick))
        night.cancel(run)
    assert steps[1] < 2 * steps[0], steps
