"""Leases and the sleep of the machine."""

from __future__ import annotations

import pytest

from common.errors import StorageError, UnavailableError
from common.settings.sections import Lease
from coordinator.housekeeping.duty import Turn
from coordinator.housekeeping.expiry import Expiry
from tests.coordinator.specimens import MakeNight, Night


def test_when_the_machine_slept_no_lease_expires(night: Night) -> None:
    run = night.begin()
    night.grant(night.register())
    night.housekeeping.tick()
    night.clock.advance(3600)
    night.housekeeping.tick()
    assert night.run_listing.view(run).surveys.leased == 1
    for _ in range(4):
        night.clock.advance(10)
        night.housekeeping.tick()
    assert night.run_listing.view(run).surveys.leased == 0


def test_short_leases_expire_too(make_night: MakeNight) -> None:
    night = make_night(lease=Lease(seconds=1))
    run = night.begin()
    night.grant(night.register())
    for _ in range(4):
        night.clock.advance(0.6)
        night.housekeeping.tick()
    assert night.run_listing.view(run).surveys.leased == 0


def test_leases_that_could_not_be_extended_at_the_start_do_not_expire_before_they_were(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> int:
        raise StorageError("the disk is full")

    run = night.begin()
    night.grant(night.register())
    night.clock.advance(3600)
    with monkeypatch.context() as broken:
        broken.setattr(night.queue, "extend", full)
        night.housekeeping.start()
        night.housekeeping.stop()
    assert night.housekeeping.troubles() == ("leases: the disk is full",)
    night.clock.advance(6)
    night.housekeeping.tick()
    assert night.run_listing.view(run).surveys.leased == 1 and night.housekeeping.troubles() == ()
    for _ in range(4):
        night.clock.advance(10)
        night.housekeeping.tick()
    assert night.run_listing.view(run).surveys.leased == 0


def test_leases_live_on_after_the_database_was_away_for_long(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> int:
        raise UnavailableError("the database does not answer")

    run = night.begin()
    night.grant(night.register())
    night.housekeeping.tick()
    with monkeypatch.context() as broken:
        broken.setattr(night.queue, "expire", away)
        for _ in range(8):
            night.clock.advance(10)
            night.housekeeping.tick()
    night.clock.advance(10)
    night.housekeeping.tick()
    assert night.run_listing.view(run).surveys.leased == 1


@pytest.mark.parametrize(("vacant_seconds", "leased"), [(8.0, 0), (16.0, 1)])
def test_a_new_leader_takes_back_what_is_overdue_unless_nobody_led_for_long(
    night: Night, vacant_seconds: float, leased: int
) -> None:
    run = night.begin()
    night.grant(night.register())
    night.clock.advance(31)
    expiry = Expiry(night.queue)
    expiry.take_over(vacant_seconds)
    expiry.run(Turn(night.clock()))
    assert night.run_listing.view(run).surveys.leased == leased
