"""A symbol's breaker: what the database keeps of it, and what it lets through."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from common.protocol.jobs import Cause, JobState
from common.protocol.trainers import Grant, NoWork
from common.settings.sections import Breaker as Rule
from common.settings.sections import Retry
from coordinator.policy.admission import Refusal
from coordinator.policy.breaker import Breaker
from coordinator.queue.breakers import read_breakers, record_failure, record_success
from coordinator.queue.leases import held
from tests.coordinator.specimens import MakeNight, Night, failure, release, spec_of


def test_failures_are_kept_by_symbol_until_a_success(make_night: MakeNight) -> None:
    night = make_night(breaker=Rule(failures=1, park_seconds=60))
    run = night.begin()
    boot = night.register()
    night.survey_all(boot)
    grant = night.grant(boot, last_symbol="BTCUSDT")
    with night.database.write() as tx:
        _, job = held(tx, grant.lease_id)
        record_failure(tx, job, Cause.CRASH, night.settings)
        assert set(read_breakers(tx.connection, run).values()) == {Breaker()}
        record_failure(tx, job, Cause.ERROR, night.settings)
        kept = read_breakers(tx.connection, run)
        assert kept == {
            "BTCUSDT": Breaker(frozenset({job.id}), tx.now + timedelta(seconds=60)),
            "ETHUSDT": Breaker(),
        }
        record_success(tx, job)
        assert set(read_breakers(tx.connection, run).values()) == {Breaker()}


def test_jobs_of_a_symbol_that_end_at_once_do_not_wait_for_one_another(night: Night) -> None:
    if night.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    boot = night.start(symbols=("BTCUSDT",))
    first, second = night.grant(boot), night.grant(night.register("t2"))
    with ThreadPoolExecutor(1) as other, night.database.write() as tx:
        record_success(tx, held(tx, first.lease_id)[1])
        other.submit(night.succeed, second).result(30)
    assert night.detail(second.job_id).state is JobState.SUCCEEDED


def test_a_survey_says_nothing_about_the_breaker(make_night: MakeNight) -> None:
    night = make_night(breaker=Rule(failures=1, park_seconds=60))
    run = night.begin()
    grant = night.grant(night.register())
    with night.database.write() as tx:
        _, survey = held(tx, grant.lease_id)
        record_failure(tx, survey, Cause.ERROR, night.settings)
        assert set(read_breakers(tx.connection, run).values()) == {Breaker()}


def test_a_symbol_whose_cells_fail_in_a_row_is_parked_and_then_probed(make_night: MakeNight) -> None:
    night = make_night(breaker=Rule(failures=2, park_seconds=60), retry=Retry(error=1))
    boot, other = night.start(symbols=("BTCUSDT",)), night.register("t2")
    for _ in range(2):
        night.queue.fail(night.grant(boot).lease_id, failure(Cause.ERROR))
    refusal = night.claim(boot)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.SYMBOL_PARKED
    night.clock.advance(60)
    probe = night.grant(boot)
    assert isinstance(night.claim(other), Refusal)
    night.succeed(probe)
    assert isinstance(night.claim(other), Grant)


def test_a_probe_goes_before_everything_else(make_night: MakeNight) -> None:
    night = make_night(breaker=Rule(failures=2, park_seconds=60), retry=Retry(error=1))
    boot = night.start()
    for _ in range(2):
        night.queue.fail(night.grant(boot, last_symbol="BTCUSDT").lease_id, failure(Cause.ERROR))
    assert spec_of(night.grant(boot, last_symbol="BTCUSDT")).cell.symbol == "ETHUSDT"
    night.queue.release(night.grant(boot).lease_id, release())
    night.clock.advance(60)
    assert spec_of(night.grant(boot, last_symbol="ETHUSDT")).cell.symbol == "BTCUSDT"


def test_data_errors_park_nothing_so_that_the_other_cells_fail_at_once_too(make_night: MakeNight) -> None:
    night = make_night(breaker=Rule(failures=2, park_seconds=60))
    boot = night.start(symbols=("BTCUSDT",))
    cells = 0
    while isinstance(grant := night.claim(boot), Grant):
        night.queue.fail(grant.lease_id, failure(Cause.DATA, "too few rows"))
        cells += 1
    assert isinstance(grant, Refusal) and grant.reason is NoWork.EMPTY
    assert cells > 2
