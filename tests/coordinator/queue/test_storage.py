"""What becomes of jobs and trainers while disks have no room, on every backend."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from common.protocol.jobs import Cause, JobState, TrainingSpec
from common.protocol.runs import RunRequest
from common.protocol.trainers import Grant, NoWork
from coordinator.policy.admission import Refusal
from coordinator.store.tables import attempts, trainers
from tests.coordinator.specimens import (
    FULL_DISK,
    GIB,
    Night,
    disk,
    failure,
    grid,
    release,
)

MIB = 1024**2


def spec_of(grant: Grant) -> TrainingSpec:
    assert isinstance(grant.spec, TrainingSpec)
    return grant.spec


NO_ROOM = failure(Cause.STORAGE, "/cache/x: No space left on device")


FULL_WORDS = "/cache cannot be written: No space left on device; free some room or fix the folder"


def refused_for_storage(night: Night, boot: str, **changes: Any) -> str:
    refusal = night.claim(boot, **changes)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.STORAGE, refusal
    return refusal.words


def attempts_of(night: Night) -> int:
    with night.database.read() as tx:
        return tx.connection.execute(select(func.count()).select_from(attempts)).scalar_one()


def test_a_trainer_whose_disk_is_full_gets_no_job_until_it_is_not(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",))
    before = attempts_of(night)
    for _ in range(100):
        assert refused_for_storage(night, boot, disk=FULL_DISK) == FULL_WORDS
        night.clock.advance(2)
    assert attempts_of(night) == before, "no attempt is made only to fail"
    assert "cannot be written: Read-only file system" in refused_for_storage(
        night, boot, disk=disk(GIB, "Read-only file system")
    )
    assert isinstance(night.claim(boot, disk=disk()), Grant)


def test_a_trainer_that_reports_nothing_of_its_disk_counts_as_one_that_can_write(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",))
    refused_for_storage(night, boot, disk=FULL_DISK)
    assert isinstance(night.claim(boot), Grant)


def test_a_job_gets_no_disk_that_its_matrix_would_fill_until_the_matrix_is_there(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("15m",), horizons=(1, 3))
    small = disk(6 * MIB)
    assert refused_for_storage(night, boot, disk=small) == (
        "7.7 MiB are needed in /cache, which has 6.0 MiB left: free some room"
    )
    first = night.grant(boot, disk=disk(8 * MIB))
    other = night.register("t2")
    beside = night.grant(other, disk=small)
    assert {spec_of(first).cell.horizon, spec_of(beside).cell.horizon} == {1, 3}, (
        "the first builds it for both"
    )
    # Whoever has begun may have built it, even if it saved no fold.
    for grant in (first, beside):
        night.queue.release(grant.lease_id, release())
    assert isinstance(night.claim(boot, disk=small), Grant)


def test_a_matrix_is_there_whose_results_were_reused_in_the_night_before(night: Night) -> None:
    one = {"symbols": ("BTCUSDT",), "timeframes": ("15m",), "horizons": (1,)}
    for edition in ("first", "first", "other"):
        night.begin(**one)
        night.survey_all(night.register(), program="5e11", edition=edition)
        if edition == "first":
            night.finish_all("t1-boot", program="5e11")
            night.housekeeping.tick()
    assert night.run_listing.view(2).reused == 1
    assert isinstance(night.claim("t1-boot", disk=disk(6 * MIB)), Grant)


def note_of(night: Night, boot: str) -> str:
    with night.database.read() as tx:
        query = select(trainers.c.note, trainers.c.blocked_since).where(trainers.c.boot_id == boot)
        return str(tx.connection.execute(query).one().note)


def test_too_little_room_is_not_told_as_a_disk_that_cannot_be_written(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("15m",), horizons=(1,))
    since = f"{night.clock.now:%H:%M:%S}"
    refused_for_storage(night, boot, disk=disk(6 * MIB))
    assert note_of(night, boot) == (
        f"trainer t1 has had too little room since {since} UTC: "
        "7.7 MiB are needed in /cache, which has 6.0 MiB left: free some room"
    )
    refused_for_storage(night, boot, disk=FULL_DISK)
    assert note_of(night, boot) == f"trainer t1 cannot write since {since} UTC: {FULL_WORDS}"


def test_a_restart_of_the_trainer_does_not_end_its_pause(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3))
    night.queue.fail(night.grant(boot, disk=disk()).lease_id, NO_ROOM)
    told = note_of(night, boot)
    night.clock.advance(1.0)
    again = night.register(boot="t1-again")
    assert note_of(night, again) == told != ""
    assert refused_for_storage(night, again, disk=disk()) == "/cache/x: No space left on device"
    night.clock.advance(1.1)
    assert isinstance(night.claim(again, disk=disk()), Grant)
    later = night.register("t2")
    assert note_of(night, later) == ""


def test_the_matrix_of_the_night_before_needs_no_room_again(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("15m",), horizons=(1,))
    night.grant(boot, disk=disk())
    config = grid(symbols=("BTCUSDT",), timeframes=("15m",), horizons=(1,))
    night.runs.submit(RunRequest(config=config, fresh=True))
    again = night.register(boot="t1-again")
    night.survey_all(again)
    assert isinstance(night.claim(again, disk=disk(6 * MIB)), Grant)


def test_a_smaller_job_is_handed_out_where_a_larger_one_does_not_fit(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("15m", "1h"), horizons=(1,))
    assert spec_of(night.grant(boot, disk=disk(6 * MIB))).cell.timeframe == "1h"
    assert spec_of(night.grant(night.register("t2"), disk=disk())).cell.timeframe == "15m"


def test_a_disk_that_fills_during_a_job_costs_it_nothing_and_makes_the_trainer_pause(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1,))
    waits = []
    for _ in range(8):
        grant = night.grant(boot, disk=disk())
        answer = night.queue.fail(grant.lease_id, NO_ROOM)
        assert answer == night.queue.fail(grant.lease_id, NO_ROOM)
        assert answer.state == JobState.QUEUED and answer.retry_in_seconds is not None
        waits.append(answer.retry_in_seconds)
        night.clock.advance(answer.retry_in_seconds / 2 - 0.1)
        words = refused_for_storage(night, boot, disk=disk())
        assert words == "/cache/x: No space left on device"
        night.clock.advance(answer.retry_in_seconds / 2 + 0.1)
    assert waits == [4, 8, 24, 72, 120, 120, 120, 120]
    assert not any(attempt.charged for attempt in night.detail(grant.job_id).history)


def test_another_end_of_an_attempt_ends_the_pauses(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",))
    for _ in range(5):
        night.queue.fail(night.grant(boot).lease_id, NO_ROOM)
        night.clock.advance(121)
    night.succeed(night.grant(boot))
    night.queue.fail(night.grant(boot).lease_id, NO_ROOM)
    night.clock.advance(2.1)
    assert isinstance(night.claim(boot), Grant)


def test_a_job_that_cannot_be_written_lets_others_pass(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",))
    stuck = night.grant(boot)
    night.queue.fail(stuck.lease_id, NO_ROOM)
    night.clock.advance(2.1)
    others = [night.grant(boot, "BTCUSDT")]
    while others[-1].job_id != stuck.job_id:
        night.succeed(others[-1])
        night.clock.advance(0.1)
        answer = night.claim(boot, "BTCUSDT")
        if isinstance(answer, Refusal):
            break
        others.append(answer)
    assert len({grant.job_id for grant in others} - {stuck.job_id}) == 3, "all cells but that one"


def test_a_disk_that_lies_for_hours_does_not_fill_the_database(night: Night) -> None:
    # It can be written and has room whenever it is asked, but never when a job wants it.
    boot = night.start(symbols=("BTCUSDT",), timeframes=("1h",), horizons=(1, 3))
    begun = night.clock.now
    first: dict[int, datetime] = {}
    made = 0
    while night.clock.now - begun < timedelta(hours=3):
        answer = night.claim(boot, disk=disk())
        if isinstance(answer, Grant):
            made += 1
            night.clock.advance(1)
            first.setdefault(answer.job_id, night.clock.now)
            night.queue.fail(answer.lease_id, NO_ROOM)
        night.clock.advance(10)
    assert 120 < made < 3 * 60, "it is tried about once a minute"
    assert set(first) == {2, 3}
    for job_id, ended in first.items():
        history = night.detail(job_id).history
        assert len(history) == 11
        assert (history[0].number, history[0].ended) == (1, ended)
        last = [attempt.number for attempt in history[1:]]
        assert last == list(range(last[0], last[0] + 10)) and last[0] > 50
