"""What a trainer gets that asks for work, on every backend."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from common.errors import (
    NotFoundError,
)
from common.protocol.jobs import Cause, JobKind, JobState, SurveySpec
from common.protocol.trainers import NoWork
from coordinator.policy.admission import Refusal
from coordinator.queue.claims import AT_ONCE
from coordinator.store.tables import jobs
from tests.coordinator.specimens import (
    GIB,
    MakeNight,
    Night,
    failure,
    finish,
    release,
    spec_of,
    survey_report,
)


def test_surveys_come_before_training_and_know_what_to_read(night: Night) -> None:
    night.begin(timeframes=("15m",))
    grant = night.grant(night.register())
    assert isinstance(grant.spec, SurveySpec)
    assert grant.spec.symbol == "BTCUSDT"
    assert grant.spec.timeframes == ("15m", "1h", "1d")
    assert list(grant.spec.timeframes) == sorted(grant.spec.timeframes, key=lambda one: one.seconds)
    assert grant.memory_limit_bytes == 2 * GIB and grant.checkpoint is None and grant.champion is None


def test_training_waits_for_the_survey_of_its_symbol(night: Night) -> None:
    night.begin(symbols=("BTCUSDT",))
    first = night.grant(night.register("t1"))
    refusal = night.claim(night.register("t2"))
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.WAITING
    night.queue.finish(first.lease_id, finish(survey_report(first.spec)))
    assert spec_of(night.grant("t2-boot")).cell.symbol == "BTCUSDT"


def test_a_trainer_stays_with_its_symbol(night: Night) -> None:
    boot = night.start()
    assert spec_of(night.grant(boot, last_symbol="ETHUSDT")).cell.symbol == "ETHUSDT"


def test_a_trainer_waits_for_no_matrix_that_another_of_its_host_builds_while_there_is_other_work(
    night: Night,
) -> None:
    first = night.start(symbols=("BTCUSDT", "ETHUSDT"), timeframes=("15m", "1h"), horizons=(1, 2, 3, 5))
    second, third, elsewhere = (
        night.register(name, host=host) for name, host in (("t2", "host-a"), ("t3", "host-a"), ("t4", "far"))
    )
    built = night.grant(first)
    cell = spec_of(built).cell

    def names(boot: str) -> tuple[str, str]:
        grant = night.grant(boot, last_symbol=cell.symbol)
        of = spec_of(grant).cell
        return of.symbol, of.timeframe.value

    other = names(second)
    assert other[0] == cell.symbol and other[1] != cell.timeframe
    assert names(third)[0] == cell.symbol, "a symbol of less volume is no other work"
    assert names(elsewhere) == (cell.symbol, cell.timeframe.value), (
        "what it would build there is not built here"
    )
    night.succeed(built)
    assert names(first) == (cell.symbol, cell.timeframe.value), "the matrix is there now"


def test_a_job_that_waited_too_long_goes_first(make_night: MakeNight) -> None:
    night = make_night(max_wait_seconds=100)
    night.begin()
    boot = night.register()
    for _ in range(2):
        grant = night.grant(boot)
        night.queue.finish(grant.lease_id, finish(survey_report(grant.spec)))
        night.clock.advance(50)
    night.queue.release(night.grant(boot, last_symbol="ETHUSDT").lease_id, release())
    assert night.jobs(symbol="ETHUSDT", kind=JobKind.TRAINING)[0].attempts == 1
    night.clock.advance(1)
    assert spec_of(night.grant(boot, last_symbol="ETHUSDT")).cell.symbol == "BTCUSDT"


def test_an_answer_that_was_lost_is_given_again(night: Night) -> None:
    boot = night.start()
    first = night.grant(boot)
    night.clock.advance(20)
    assert night.grant(boot) == first
    night.clock.advance(20)
    assert night.queue.expire() == 0
    assert len(night.jobs(state=JobState.LEASED)) == 1


def test_trainers_that_ask_at_once_get_a_job_each(night: Night) -> None:
    night.start()
    boots = [night.register(f"t{index}", host=f"host-{index % 3}") for index in range(2, 10)]
    with ThreadPoolExecutor(len(boots)) as pool:
        grants = list(pool.map(night.grant, boots))
    assert len({grant.job_id for grant in grants}) == len({grant.lease_id for grant in grants}) == len(boots)
    assert {job.id for job in night.jobs(state=JobState.LEASED)} == {grant.job_id for grant in grants}


@pytest.mark.parametrize("held", [1, 2, AT_ONCE + 1, AT_ONCE + 2, 3 * AT_ONCE])
def test_a_claim_passes_over_what_others_are_about_to_take_and_gets_the_next(night: Night, held: int) -> None:
    if night.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    boot = night.start(symbols=("BTCUSDT",), timeframes=("15m",), horizons=tuple(range(1, 3 * AT_ONCE + 2)))
    cells = select(jobs.c.id).where(jobs.c.kind == JobKind.TRAINING).order_by(jobs.c.ordinal)
    with ThreadPoolExecutor(1) as other, night.database.write() as tx:
        taken = tx.connection.execute(cells.limit(held).with_for_update()).scalars().all()
        following = tx.connection.execute(cells.offset(held).limit(1)).scalar_one()
        grant = other.submit(night.grant, boot).result(30)
    assert len(taken) == held and grant.job_id == following


def test_a_claim_of_which_others_are_about_to_take_all_is_refused(night: Night) -> None:
    if night.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    boot = night.start()
    with ThreadPoolExecutor(1) as other, night.database.write() as tx:
        tx.connection.execute(select(jobs.c.id).with_for_update())
        refusal = other.submit(night.claim, boot).result(30)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.EMPTY


def test_without_a_run_there_is_nothing_to_do(night: Night) -> None:
    refusal = night.claim(night.register())
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.EMPTY


def test_a_pressed_host_gets_nothing(night: Night) -> None:
    boot = night.start()
    refusal = night.claim(boot, free=0.1)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.MEMORY_PRESSURE


def test_a_trainer_must_have_registered(night: Night) -> None:
    with pytest.raises(NotFoundError, match="register first"):
        night.claim("nobody")


def test_after_an_oom_the_job_runs_alone_in_a_larger_room(night: Night) -> None:
    boot = night.start(symbols=("BTCUSDT",))
    other = night.register("t2")
    hurt, busy = night.grant(boot), night.grant(other)
    night.queue.fail(hurt.lease_id, failure(Cause.OOM))
    night.clock.advance(2)
    second = night.grant(boot)
    assert second.job_id != hurt.job_id and second.memory_limit_bytes == 2 * GIB
    assert "waits to run alone" in night.detail(hurt.job_id).waits
    night.succeed(busy)
    night.succeed(second)
    alone = night.grant(boot)
    assert alone.job_id == hurt.job_id and alone.memory_limit_bytes == 8 * GIB
    refusal = night.claim(other)
    assert isinstance(refusal, Refusal) and refusal.reason is NoWork.NEEDS_LONE_ROOM
