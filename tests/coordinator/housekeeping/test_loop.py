"""The loop over the duties: what fails, what is due, who leads."""

from __future__ import annotations

import time

import pytest

from common.errors import StorageError
from common.protocol.runs import RunState
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.housekeeping.leader import Leader, Leadership, SoleProcess
from coordinator.housekeeping.loop import RETRY_SECONDS, Loop
from coordinator.store.database import Transaction
from tests.coordinator.one_cell import trained
from tests.coordinator.specimens import Clock, MakeNight, Night


def test_a_defect_in_one_duty_does_not_end_the_watch_over_leases(
    night: Night, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    night.begin()
    night.grant(night.register())
    monkeypatch.setattr("coordinator.housekeeping.settlement.unsettled_run", lambda tx: 1 / 0)
    for seconds in (14, 14, 14):
        night.clock.advance(seconds)
        night.housekeeping.tick()
    assert night.run_listing.page(1, 0).runs[0].surveys.leased == 0
    assert "ZeroDivisionError" in night.housekeeping.troubles()[0]
    assert caplog.text.count("the end of the run: ZeroDivisionError") == 1


def test_a_duty_that_failed_is_left_alone_for_a_while(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[object] = []

    def full(*arguments: object) -> None:
        tries.append(arguments)
        raise StorageError("the disk is full")

    monkeypatch.setattr("coordinator.housekeeping.settlement.write_results", full)
    run = trained(night)
    for _ in range(11):
        night.housekeeping.tick()
        night.clock.advance(1)
    assert len(tries) == 3 and len(night.housekeeping.troubles()) == 1
    monkeypatch.undo()
    night.clock.advance(5)
    night.housekeeping.tick()
    assert night.run_listing.view(run).state is RunState.DONE and night.housekeeping.troubles() == ()


def test_the_thread_ends_a_run_soon_after_it_is_woken(make_night: MakeNight) -> None:
    night = make_night()
    night.housekeeping.start()
    try:
        run = trained(night)
        night.housekeeping.wake()
        deadline = time.monotonic() + 20
        while night.run_listing.view(run).state is RunState.RUNNING:
            assert time.monotonic() < deadline, night.housekeeping.troubles()
            time.sleep(0.01)
    finally:
        night.housekeeping.stop()


# --- Duties of its own --------------------------------------------------------------------------------------


class Recorder(Duty):
    """Writes down what it is asked to do; `broken` makes it fail."""

    def __init__(
        self, name: str, did: list[str], interval_seconds: float = 0.0, broken: bool = False
    ) -> None:
        self.name = name
        self.interval_seconds = interval_seconds
        self.did = did
        self.broken = broken

    def start(self) -> None:
        self._do("starts")

    def run(self, turn: Turn) -> None:
        self._do("runs after a gap" if turn.away else "runs")

    def stop(self) -> None:
        self._do("stops")

    def take_over(self, vacant_seconds: float) -> None:
        self._do(f"takes over after {vacant_seconds:.0f} s")

    def _do(self, what: str) -> None:
        self.did.append(f"{self.name} {what}")
        if self.broken:
            raise StorageError("the disk is full")


class Elected:
    """Leads as long as it is told to, in terms that it is told."""

    def __init__(self, leading: bool = True) -> None:
        self.leading = leading
        self.term = 0

    def begin(self) -> None:
        pass

    def end(self) -> None:
        pass

    def leadership(self) -> Leadership | None:
        return Leadership(self.term, 7.0) if self.leading else None

    def fence(self, tx: Transaction) -> None:
        pass

    def troubles(self) -> tuple[str, ...]:
        return ()


def loop_of(clock: Clock, *duties: Duty, leader: Leader | None = None) -> Loop:
    return Loop(clock, duties, leader or Elected(), lease_seconds=30.0)


def test_duties_start_and_run_in_order_and_stop_in_the_opposite_one(clock: Clock) -> None:
    did: list[str] = []
    loop = loop_of(clock, Recorder("a", did), Recorder("b", did))
    loop.start()
    loop.stop()
    assert did[:2] == ["a starts", "b starts"] and did[-2:] == ["b stops", "a stops"]
    did.clear()
    loop.tick()
    assert did == ["a runs", "b runs"]


def test_only_the_leader_does_anything(clock: Clock) -> None:
    did: list[str] = []
    leader = Elected(leading=False)
    loop = loop_of(clock, Recorder("a", did), leader=leader)
    loop.start()
    loop.stop()
    loop.tick()
    assert did == []
    leader.leading = True
    loop.tick()
    assert did == ["a runs"]


def test_what_each_does_for_itself_is_done_without_the_lead(clock: Clock) -> None:
    did: list[str] = []
    own = Recorder("own", did)
    own.everywhere = True
    loop = loop_of(clock, Recorder("a", did), own, leader=Elected(leading=False))
    loop.start()
    loop.stop()
    assert did[0] == "own starts" and did[-1] == "own stops"
    did.clear()
    loop.tick()
    assert did == ["own runs"]


def test_a_new_leader_takes_over_at_once_and_is_not_told_of_its_own_absences(clock: Clock) -> None:
    did: list[str] = []
    leader = Elected(leading=False)
    own = Recorder("own", did, interval_seconds=3600)
    own.everywhere = True
    duty = Recorder("a", did, interval_seconds=3600)
    loop = loop_of(clock, duty, own, leader=leader)
    loop.tick()
    clock.advance(100)
    leader.leading, leader.term = True, 2
    loop.tick()
    assert did == ["own runs", "a takes over after 7 s", "a runs"]
    # The same term after a while without the lead: nobody else has led, the machine slept.
    leader.leading = False
    clock.advance(4000)
    loop.tick()
    leader.leading = True
    loop.tick()
    assert did[3:] == ["own runs after a gap", "a runs after a gap"]


def test_a_leader_that_is_none_any_longer_complains_no_more(clock: Clock) -> None:
    did: list[str] = []
    leader = Elected()
    loop = loop_of(clock, Recorder("a", did, broken=True), leader=leader)
    loop.tick()
    assert loop.troubles() == ("a: the disk is full",)
    leader.leading = False
    loop.tick()
    assert loop.troubles() == ()


def test_a_duty_is_done_again_after_its_interval_and_when_the_clock_was_set_back(clock: Clock) -> None:
    did: list[str] = []
    loop = loop_of(clock, Recorder("a", did, interval_seconds=10))
    for _ in range(21):
        loop.tick()
        clock.advance(1)
    assert len(did) == 3
    clock.advance(-3600)
    loop.tick()
    assert len(did) == 4


def test_a_gap_of_half_a_lease_between_two_turns_is_a_sleep(clock: Clock) -> None:
    did: list[str] = []
    loop = loop_of(clock, Recorder("a", did))
    loop.tick()
    clock.advance(15)
    loop.tick()
    clock.advance(15.1)
    loop.tick()
    assert did == ["a runs", "a runs", "a runs after a gap"]


def test_a_duty_that_fails_stops_no_other_and_is_tried_again_before_its_interval_is_over(
    clock: Clock,
) -> None:
    did: list[str] = []
    broken = Recorder("a", did, interval_seconds=30, broken=True)
    loop = loop_of(clock, broken, Recorder("b", did))
    loop.tick()
    assert did == ["a runs", "b runs"] and loop.troubles() == ("a: the disk is full",)
    broken.broken = False
    clock.advance(RETRY_SECONDS)
    loop.tick()
    assert did[2:] == ["a runs", "b runs"] and loop.troubles() == ()


class Noted(Duty):
    """Notes what it is told, and fails while it shall."""

    name = "noted"

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.fails = False

    def run(self, turn: Turn) -> None:
        if self.fails:
            raise StorageError("the disk is full")
        self.told.append(turn.away)


class AtTheStart(Duty):
    name = "at the start"

    def start(self) -> None:
        raise StorageError("the folder cannot be read")


def test_a_duty_that_failed_after_an_absence_is_told_of_it_when_it_is_done(clock: Clock) -> None:
    duty = Noted()
    loop = Loop(clock, [duty], SoleProcess(), lease_seconds=30)
    loop.tick()
    clock.advance(100)
    duty.fails = True
    loop.tick()
    duty.fails = False
    for _ in range(2):
        clock.advance(RETRY_SECONDS)
        loop.tick()
    assert duty.told == [False, True, False]


def test_what_failed_at_the_start_alone_does_not_work_again_by_itself(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    loop = Loop(clock, [AtTheStart()], SoleProcess(), lease_seconds=30)
    loop.start()
    try:
        for _ in range(3):
            clock.advance(RETRY_SECONDS + 1)
            loop.tick()
    finally:
        loop.stop()
    assert loop.troubles() == ("at the start: the folder cannot be read",)
    assert "works again" not in caplog.text
