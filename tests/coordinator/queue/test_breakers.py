"""What the database keeps of a symbol's breaker comes back as it was."""

from __future__ import annotations

from datetime import timedelta

from common.protocol.jobs import Cause
from common.settings.sections import Breaker as Rule
from coordinator.policy.breaker import Breaker
from coordinator.queue.breakers import read_breakers, record_failure, record_success
from coordinator.queue.leases import held
from tests.coordinator.specimens import MakeNight


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


def test_a_survey_says_nothing_about_the_breaker(make_night: MakeNight) -> None:
    night = make_night(breaker=Rule(failures=1, park_seconds=60))
    run = night.begin()
    grant = night.grant(night.register())
    with night.database.write() as tx:
        _, survey = held(tx, grant.lease_id)
        record_failure(tx, survey, Cause.ERROR, night.settings)
        assert set(read_breakers(tx.connection, run).values()) == {Breaker()}
