from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text

from common.errors import ConflictError, NotFoundError, StaleLeaseError
from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunRequest, RunState
from common.protocol.trainers import Directive, Grant
from coordinator.queue import claims
from coordinator.queue.leases import trainer_of
from coordinator.views.jobs import JobListing
from tests.coordinator.specimens import Night, failure, finish, grid, release, renewal, survey_report


def request(fresh: bool = False, **changes: Any) -> RunRequest:
    return RunRequest(config=grid(**changes), fresh=fresh)


def test_a_run_has_a_survey_for_each_symbol_and_a_job_for_each_cell_in_the_order_of_the_grid(
    night: Night,
) -> None:
    run = night.begin(symbols=("ETH/USDT", "BTCUSDT"), timeframes=("1h", "15m"), horizons=(3, 1))
    jobs = JobListing(night.database, night.settings).page({"run_id": run}, 500, 0).jobs
    assert [(job.kind, job.symbol) for job in jobs[:2]] == [
        (JobKind.SURVEY, "ETHUSDT"),
        (JobKind.SURVEY, "BTCUSDT"),
    ]
    assert [(job.symbol, job.timeframe, job.horizon) for job in jobs[2:6]] == [
        ("ETHUSDT", "1h", 3),
        ("ETHUSDT", "1h", 1),
        ("ETHUSDT", "15m", 3),
        ("ETHUSDT", "15m", 1),
    ]
    assert len(jobs) == 10 and {job.state for job in jobs} == {JobState.QUEUED}


def test_the_same_night_goes_on(night: Night) -> None:
    first, made = night.runs.submit(request())
    again, made_again = night.runs.submit(request())
    assert made and not made_again and again.id == first.id


def test_another_night_is_refused_with_what_differs(night: Night) -> None:
    night.runs.submit(request())
    with pytest.raises(ConflictError) as caught:
        night.runs.submit(request(horizons=(1, 5), embargo_minutes=60))
    assert "horizons (there 1, 3, here 1, 5)" in str(caught.value)
    assert "embargo_minutes (there 30, here 60)" in str(caught.value)
    assert "symbols" not in str(caught.value)


def test_a_night_begun_with_a_former_default_goes_on_with_it(night: Night) -> None:
    first, _ = night.runs.submit(request(data={"max_bar_missing_share": 0.0}))
    again, made = night.runs.submit(request())
    assert not made and again.id == first.id
    assert night.run_listing.view(first.id).config.data.max_bar_missing_share == 0.0
    with pytest.raises(ConflictError, match=r"max_bar_missing_share"):
        night.runs.submit(request(data={"max_bar_missing_share": 0.1}))


def test_a_fresh_night_cancels_the_unfinished_one(night: Night) -> None:
    first, _ = night.runs.submit(request())
    grant = night.grant(night.register())
    second, made = night.runs.submit(request(fresh=True, horizons=(5,)))
    assert made and second.id != first.id
    old = night.run_listing.view(first.id)
    assert (old.state, old.training.cancelled, old.surveys.cancelled) == (RunState.CANCELLED, 8, 2)
    assert night.queue.renew(grant.lease_id, renewal()).directive is Directive.CANCEL
    night.queue.release(grant.lease_id, release())
    assert night.grant("t1-boot").run_id == second.id


def test_a_cancelled_job_takes_no_result(night: Night) -> None:
    run = night.begin()
    grant = night.grant(night.register())
    assert night.cancel(run).state is RunState.CANCELLED
    with pytest.raises(StaleLeaseError, match=r"cancelled \(cancelled\)"):
        night.queue.finish(grant.lease_id, finish(survey_report(grant.spec)))
    with pytest.raises(StaleLeaseError):
        night.queue.fail(grant.lease_id, failure())
    assert not isinstance(night.claim("t1-boot"), Grant)


def test_cancelling_twice_is_cancelling_once_and_a_done_run_cannot_be(night: Night) -> None:
    run = night.begin()
    assert night.cancel(run) == night.cancel(run)
    second = night.begin(horizons=(1,))
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    with pytest.raises(ConflictError, match=f"night {second} is done"):
        night.cancel(second)


def test_an_unknown_run_is_not_found(night: Night) -> None:
    for ask in (night.run_listing.view, night.cancel):
        with pytest.raises(NotFoundError, match="there is no night 7"):
            ask(7)


def test_a_job_that_is_claimed_while_its_run_is_cancelled_is_cancelled_too(night: Night) -> None:
    run, boot = night.begin(), night.register()
    cancelling = Thread(target=night.cancel, args=(run,))
    with night.database.write() as tx:
        granted = claims.decide(tx, trainer_of(tx, boot), "", night.settings)
        cancelling.start()
        # It waits for this claim, on PostgreSQL with some of its queries behind it.
        cancelling.join(1.0)
        assert cancelling.is_alive()
    cancelling.join()
    assert isinstance(granted, Grant)
    view = night.run_listing.view(run)
    assert (view.state, view.surveys.cancelled, view.surveys.leased) == (RunState.CANCELLED, 2, 0)
    assert night.queue.renew(granted.lease_id, renewal()).directive is Directive.CANCEL


def test_postgresql_knows_how_many_jobs_there_are_as_soon_as_they_are_made(night: Night) -> None:
    if night.database.is_sqlite:
        pytest.skip("SQLite plans by its indexes alone")
    night.begin()
    with night.database.read() as tx:
        planned = tx.connection.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'jobs'"))
        assert planned.scalar_one() == len(night.jobs())
