"""Jobs that ran out of memory where there is no more room."""

from __future__ import annotations

from sqlalchemy import update

from common.protocol.jobs import Cause, JobState
from common.protocol.trainers import LimitKind
from coordinator.store.tables import jobs
from tests.coordinator.specimens import GIB, Night, failure


def test_a_survey_that_nobody_has_room_for_takes_its_cells_with_it(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3))
    boot = night.register(kind=LimitKind.CGROUP)
    assert night.queue.fail(night.grant(boot).lease_id, failure(Cause.OOM)).state == JobState.QUEUED
    assert night.queue.fail_roomless() == 1
    cells = [night.detail(job_id) for job_id in (2, 3)]
    assert [cell.state for cell in cells] == [JobState.FAILED, JobState.FAILED]
    assert {cell.cause for cell in cells} == {Cause.OOM}
    assert all("the survey of BTCUSDT failed: ran out of memory" in cell.message for cell in cells)


def test_a_survey_that_nobody_has_room_for_takes_a_cell_along_for_which_there_is_none_either(
    night: Night,
) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3))
    boot = night.register(kind=LimitKind.CGROUP)
    night.queue.fail(night.grant(boot).lease_id, failure(Cause.OOM))
    with night.database.write() as tx:
        # As after a cell has run out of memory whose survey is then done again.
        tx.connection.execute(update(jobs).where(jobs.c.id == 2).values(oom_room_bytes=2 * GIB))
    assert night.queue.fail_roomless() == 1
    assert night.queue.fail_roomless() == 0
    survey, *cells = (night.detail(job_id) for job_id in (1, 2, 3))
    assert survey.message.startswith("ran out of memory in 2.00 GiB")
    assert {cell.message for cell in cells} == {f"the survey of BTCUSDT failed: {survey.message}"}


def test_an_oom_job_that_nobody_can_take_fails_and_says_so(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    boot = night.register(kind=LimitKind.CGROUP)
    night.survey_all(boot)
    grant = night.grant(boot)
    assert night.queue.fail(grant.lease_id, failure(Cause.OOM)).state == JobState.QUEUED
    assert night.queue.fail_roomless() == 1
    job = night.detail(grant.job_id)
    assert (job.state, job.cause) == (JobState.FAILED, Cause.OOM)
    assert (
        job.message == "ran out of memory in 2.00 GiB, and no trainer has more room: the largest "
        "has 2.00 GiB; "
        "raise max_memory_per_process (in containers TRAINER_MEMORY in .env), then start the night again"
    )
