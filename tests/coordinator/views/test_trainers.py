from __future__ import annotations

from common.protocol.jobs import Cause
from common.protocol.status import TrainerState
from coordinator.queue.snapshot import read_snapshot
from coordinator.views.trainers import KnownTrainer, known_trainers
from tests.coordinator.specimens import Night, failure, release, renewal

LEASE = 30.0


def known(night: Night) -> dict[str, KnownTrainer]:
    with night.database.read() as tx:
        snapshot = read_snapshot(tx.connection, 1, tx.now, night.settings)
        return {one.row.name: one for one in known_trainers(tx, snapshot)}


def states(night: Night) -> dict[str, TrainerState]:
    return {name: one.state for name, one in known(night).items()}


def test_a_trainer_is_idle_then_at_work_then_idle(night: Night) -> None:
    boot = night.register()
    night.begin()
    assert states(night) == {"t1": TrainerState.IDLE}
    grant = night.grant(boot)
    assert states(night) == {"t1": TrainerState.WORKING}
    night.queue.release(grant.lease_id, release())
    assert states(night) == {"t1": TrainerState.IDLE}


def test_a_working_trainer_was_last_seen_at_its_last_renewal(night: Night) -> None:
    boot = night.register()
    night.begin()
    grant = night.grant(boot)
    for _ in range(10):
        night.clock.advance(20)
        night.queue.renew(grant.lease_id, renewal())
    assert known(night)["t1"].last_seen == night.clock.now


def test_one_that_falls_silent_with_a_job_is_lost_for_an_hour(night: Night) -> None:
    boot = night.register()
    night.begin()
    grant = night.grant(boot)
    night.clock.advance(20)
    night.queue.renew(grant.lease_id, renewal())
    heard = night.clock.now
    night.clock.advance(LEASE + 1)
    assert night.queue.expire() == 1
    assert states(night) == {"t1": TrainerState.LOST}
    assert known(night)["t1"].last_seen == heard
    night.clock.advance(3600 - LEASE - 2)
    assert states(night) == {"t1": TrainerState.LOST}
    night.clock.advance(2)
    assert states(night) == {}


def test_one_that_was_lost_after_hours_at_one_job_is_still_known(night: Night) -> None:
    boot = night.register()
    night.begin()
    grant = night.grant(boot)
    for _ in range(400):
        night.clock.advance(20)
        night.queue.renew(grant.lease_id, renewal())
    night.clock.advance(LEASE + 1)
    night.queue.expire()
    assert states(night) == {"t1": TrainerState.LOST}


def test_one_that_is_stopped_is_gone_and_nobody_misses_it(night: Night) -> None:
    boot, idle = night.register("t1"), night.register("t2")
    night.begin()
    grant = night.grant(boot)
    night.queue.release(grant.lease_id, release(Cause.STOPPED))
    night.clock.advance(LEASE + 1)
    assert states(night) == {}
    assert idle


def test_one_that_was_lost_once_and_came_back_is_not_lost_when_it_stops(night: Night) -> None:
    boot = night.register()
    night.begin()
    night.grant(boot)
    night.clock.advance(LEASE + 1)
    night.queue.expire()
    night.clock.advance(300)
    grant = night.grant(boot)
    assert states(night) == {"t1": TrainerState.WORKING}
    night.queue.release(grant.lease_id, release(Cause.STOPPED))
    night.clock.advance(LEASE + 1)
    assert states(night) == {}


def test_one_that_has_just_ended_a_long_job_is_idle(night: Night) -> None:
    boot = night.register()
    night.begin()
    grant = night.grant(boot)
    for _ in range(5):
        night.clock.advance(20)
        night.queue.renew(grant.lease_id, renewal())
    night.queue.fail(grant.lease_id, failure())
    assert states(night) == {"t1": TrainerState.IDLE}


def test_a_later_process_of_the_name_takes_the_place_of_the_lost_one(night: Night) -> None:
    boot = night.register("t1", "first")
    night.begin()
    night.grant(boot)
    night.clock.advance(LEASE + 1)
    night.queue.expire()
    night.register("t1", "second")
    assert states(night) == {"t1": TrainerState.IDLE}


def test_the_status_follows_the_same_rule(night: Night) -> None:
    status = night.status()
    stopped, killed = night.register("t1"), night.register("t2")
    night.begin()
    given_back, held = night.grant(stopped), night.grant(killed)
    night.queue.release(given_back.lease_id, release())
    assert held.lease_id
    night.clock.advance(LEASE + 1)
    night.queue.expire()
    document = status.document()
    assert [(one.name, one.state) for one in document.trainers] == [("t2", TrainerState.LOST)]
    assert [words for words in document.warnings if "t2 fell silent 31 s ago" in words]
    assert not [words for words in document.warnings if "t1" in words]
