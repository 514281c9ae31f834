"""The limit of a host between a trainer's word and a claim: real queue, real database."""

from __future__ import annotations

from common.protocol.trainers import ClaimRequest, Grant, HostLoad, NoWork, Renewal
from coordinator.policy.admission import Refusal
from tests.coordinator.specimens import MakeNight, Night, claim, hello, release, renewal

LOAD = HostLoad(cpus=2, cores=2.0, cpu_pressure=0.1, memory_pressure=0.0, run_ratio=0.9, wait_ratio=0.0)


def trainers(night: Night, count: int, load: HostLoad | None = LOAD) -> list[ClaimRequest]:
    """Register so many trainers of one host, and return what each says at its claims."""
    claims = []
    for number in range(1, count + 1):
        one = hello(f"trainer-{number}", f"boot-{number}")
        night.queue.register(one)
        claims.append(saying(claim(one.boot_id), load))
    return claims


def saying(claimed: ClaimRequest, load: HostLoad | None) -> ClaimRequest:
    pressure = claimed.pressure.model_copy(update={"load": load})
    return claimed.model_copy(update={"pressure": pressure})


def test_a_trainer_over_the_number_of_cores_waits_and_is_told_why(make_night: MakeNight) -> None:
    night = make_night()
    night.begin(symbols=("BTCUSDT", "ETHUSDT", "XRPUSDT"))
    first, second, third = trainers(night, 3)
    held = night.queue.claim(first)
    assert isinstance(held, Grant)
    assert isinstance(night.queue.claim(second), Grant)
    refusal = night.queue.claim(third)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.OVER_LIMIT
    assert "trainers may work at once on this host: 2 cores may be used" in refusal.words
    night.housekeeping.tick()
    assert night.housekeeping.troubles() == ()
    (host,) = night.status().document().hosts
    assert (host.trainers, host.working, host.limit) == (3, 2, 2)
    night.queue.release(held.lease_id, release())
    assert isinstance(night.queue.claim(third), Grant)


def test_a_trainer_of_an_earlier_version_is_never_held(make_night: MakeNight) -> None:
    night = make_night()
    night.begin(symbols=("BTCUSDT", "ETHUSDT", "XRPUSDT"))
    old = trainers(night, 3, load=None)
    assert all(isinstance(night.queue.claim(one), Grant) for one in old)
    night.housekeeping.tick()
    assert night.status().document().hosts[0].limit is None


def test_a_number_that_was_asked_for_works_whole_and_so_does_all_without_adaptation(
    make_night: MakeNight,
) -> None:
    night = make_night(num_workers=3)
    night.begin(symbols=("BTCUSDT", "ETHUSDT", "XRPUSDT"))
    assert all(isinstance(night.queue.claim(one), Grant) for one in trainers(night, 3))


def test_what_a_renewal_says_cuts_the_number_and_a_restart_keeps_it(make_night: MakeNight) -> None:
    night = make_night()
    night.begin(symbols=("BTCUSDT", "ETHUSDT", "XRPUSDT"))
    claims = trainers(night, 2)
    grants = [night.queue.claim(one) for one in claims]
    short = saying(claims[0], LOAD.model_copy(update={"memory_pressure": 0.5})).pressure
    for _ in range(8):
        night.clock.advance(2.5)
        for grant in grants:
            assert isinstance(grant, Grant)
            said = Renewal(progress=renewal().progress, pressure=short)
            night.queue.renew(grant.lease_id, said)
        night.housekeeping.tick()
    assert night.housekeeping.troubles() == ()
    again = make_night()
    (host,) = again.status().document().hosts
    assert host.limit == 1 and host.reason == "programs waited for memory 50% of the time"
    assert host.working == 2
