"""Leases and the sleep of the machine."""

from __future__ import annotations

import pytest

from common.errors import StorageError
from common.settings.sections import Lease
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
