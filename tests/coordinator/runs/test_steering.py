"""What operators change while a night runs, and the record of it."""

from __future__ import annotations

import logging
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from common.errors import ConflictError, NotFoundError, StaleLeaseError
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.steering import Action, Order, PauseOrder, RetryOrder, Steered
from common.protocol.trainers import Directive, Grant, NoWork
from common.settings.sections import Breaker
from coordinator.audit import Audit, Request
from coordinator.policy.admission import Refusal
from coordinator.queue import claims
from coordinator.queue.breakers import read_breakers
from coordinator.queue.leases import attempt_of, job_of, trainer_of
from coordinator.queue.pauses import pause_trainer
from coordinator.runs.steering import Steering
from coordinator.store.tables import attempts
from coordinator.views.failures import FailureListing
from tests.coordinator.specimens import (
    HERE,
    MakeNight,
    Night,
    checkpoint,
    failure,
    finish,
    release,
    renewal,
    spec_of,
    survey_report,
)

ANNA = Order(by="anna", reason="because")
ONE_SYMBOL = {"symbols": ("BTCUSDT",)}
ONE_CELL = {**ONE_SYMBOL, "timeframes": ("1h",), "horizons": (1,)}


def pause(night: Night, run: int = 1, give_back: bool = False, **changes: object) -> Steered:
    order = PauseOrder.model_validate({"by": "anna", "reason": "because", "give_back": give_back, **changes})
    return Steering(night.database).pause(run, order, HERE)


def resume(night: Night, run: int = 1) -> Steered:
    return Steering(night.database).resume(run, ANNA, HERE)


def retry(night: Night, run: int = 1, **group: object) -> Steered:
    order = RetryOrder.model_validate({"by": "anna", **group})
    return Steering(night.database).retry(run, order, HERE)


def retry_job(night: Night, job: int) -> Steered:
    return Steering(night.database).retry_job(job, ANNA, HERE)


def end(night: Night, run: int = 1, **changes: object) -> Steered:
    order = Order.model_validate({"by": "anna", "reason": "it is morning", **changes})
    return Steering(night.database).end(run, order, HERE)


def cancel_job(night: Night, job: int) -> Steered:
    return Steering(night.database).cancel_job(job, ANNA, HERE)


def run_next(night: Night, job: int) -> Steered:
    return Steering(night.database).run_next(job, ANNA, HERE)


def unpark(night: Night, symbol: str) -> Steered:
    return Steering(night.database).unpark(1, symbol, ANNA, HERE)


def parked(night: Night) -> str:
    """Begin a night whose only symbol is parked, and return the trainer that saw to it."""
    boot = night.start(**ONE_SYMBOL)
    for _ in range(night.settings.breaker.failures):
        night.queue.fail(night.grant(boot).lease_id, failure(Cause.ERROR))
    night.clock.advance(60)
    assert "BTCUSDT is parked" in str(night.claim(boot))
    return boot


def failed_for_good(night: Night, boot: str, cause: Cause = Cause.DATA, message: str = "it broke") -> int:
    """Have the next job fail until its budget is spent."""
    job = None
    while True:
        night.clock.advance(60)
        answer = night.grant(boot)
        assert job in (None, answer.job_id)
        job = answer.job_id
        if night.queue.fail(answer.lease_id, failure(cause, message)).state == JobState.FAILED:
            return job


def recorded(night: Night) -> list[tuple[str, str, str]]:
    page = Audit(night.database).page({}, 100, 0)
    return [(entry.by, entry.action, entry.words) for entry in reversed(page.entries)]


class TestAPause:
    def test_nothing_is_handed_out_until_it_is_resumed_and_everybody_is_told_why(self, night: Night) -> None:
        boot = night.start()
        held = night.grant(boot)
        told = pause(night)
        assert told.changed and told.jobs == 8
        assert "1 running job goes on to the end, 7 wait" in told.words
        idle = night.register("t2")
        refusal = night.claim(idle)
        assert isinstance(refusal, Refusal) and refusal.reason is NoWork.PAUSED
        words = "the night is paused since 2026-03-02 12:00 UTC by anna: because"
        assert refusal.words == words
        waiting = [job for job in night.jobs(run_id=1) if job.state is JobState.QUEUED]
        assert waiting and {job.waits for job in waiting} == {words}
        document = night.status().document()
        assert document.run is not None and document.run.paused is not None
        assert (document.run.paused.by, document.run.paused.reason) == ("anna", "because")
        assert document.eta.paused and document.eta.p50 is None
        assert f"{words}; 7 cells wait until it is resumed" in document.warnings
        assert night.queue.renew(held.lease_id, renewal()).directive is Directive.CONTINUE
        night.succeed(held)
        assert resume(night).changed
        assert isinstance(night.claim(idle), Grant)
        after = night.status().document()
        assert after.run is not None and after.run.paused is None and not after.eta.paused

    def test_it_outlives_a_restart(self, make_night: MakeNight) -> None:
        night = make_night()
        boot = night.start()
        pause(night)
        after = make_night()
        after.queue.extend()
        assert isinstance(after.claim(boot), Refusal)
        after.housekeeping.tick()
        assert isinstance(after.claim(boot), Refusal)
        resume(after)
        assert isinstance(after.claim(boot), Grant)

    def test_running_jobs_are_given_back_free_of_charge_if_that_is_wanted(self, night: Night) -> None:
        boot = night.start()
        held = night.grant(boot)
        night.queue.save_checkpoint(held.lease_id, checkpoint(3))
        pause(night)
        told = pause(night, give_back=True)
        assert told.changed and told.folds_saved == 3
        assert night.queue.renew(held.lease_id, renewal()).directive is Directive.RELEASE
        night.queue.release(held.lease_id, release(Cause.NIGHT_CLOSED))
        [attempt] = night.detail(held.job_id).history
        assert not attempt.charged and attempt.message.startswith("the night is paused since")
        resume(night)
        again = night.grant(boot)
        assert again.job_id == held.job_id and again.checkpoint == checkpoint(3)

    def test_pausing_twice_is_pausing_once(self, night: Night) -> None:
        night.start()
        assert pause(night).changed
        again = pause(night, by="bert", reason="too")
        assert not again.changed and "paused already, since 2026-03-02 12:00 UTC by anna" in again.words
        assert resume(night).changed and not resume(night).changed
        assert [(by, action) for by, action, _ in recorded(night)] == [("anna", "pause"), ("anna", "resume")]

    def test_of_two_operators_at_once_one_does_it(self, night: Night) -> None:
        night.start()
        told: list[Steered] = []
        together = Barrier(2)

        def act(name: str) -> None:
            together.wait()
            told.append(pause(night, by=name))

        threads = [Thread(target=act, args=(name,)) for name in ("anna", "bert")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert Counter(one.changed for one in told) == {True: 1, False: 1}
        assert len(recorded(night)) == 1

    def test_a_run_that_has_ended_cannot_be_paused(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        night.finish_all(boot)
        night.housekeeping.tick()
        for act in (pause, resume, retry):
            with pytest.raises(ConflictError, match="night 1 has ended"):
                act(night)
        with pytest.raises(NotFoundError, match="there is no night 9"):
            pause(night, 9)


class TestARetry:
    def test_a_failed_job_begins_anew_with_its_folds_and_a_fresh_budget(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        held = night.grant(boot)
        night.queue.save_checkpoint(held.lease_id, checkpoint(2))
        night.queue.fail(held.lease_id, failure(Cause.TIMEOUT))
        assert failed_for_good(night, boot, Cause.TIMEOUT) == held.job_id
        told = retry_job(night, held.job_id)
        assert told.changed and (told.job, told.jobs, told.folds_saved) == (held.job_id, 1, 2)
        job = night.detail(held.job_id)
        assert (job.state, job.cause, job.message, job.finished) == (JobState.QUEUED, None, "", None)
        assert len(job.history) == 2, "what happened before is kept"
        again = night.grant(boot)
        assert (again.job_id, again.attempt) == (held.job_id, 3)
        assert again.checkpoint == checkpoint(2)
        # One failure more is not the last: the budget of two is whole again.
        assert night.queue.fail(again.lease_id, failure(Cause.TIMEOUT)).state == JobState.QUEUED

    def test_a_group_is_all_that_failed_by_one_cause_and_message(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        with_x = {failed_for_good(night, boot, message="x") for _ in range(2)}
        with_y = failed_for_good(night, boot, message="y")
        assert retry(night, cause="oom", message="x").changed is False
        # A cell without rows enough is surveyed again: its candles may be others now.
        told = retry(night, cause="data", message="x")
        assert told.jobs == 3
        states = {job.id: job.state for job in night.jobs(run_id=1, kind=JobKind.TRAINING)}
        assert {job for job, state in states.items() if state == JobState.FAILED} == {with_y}
        assert all(states[job] is JobState.QUEUED for job in with_x)
        assert retry(night).jobs == 1
        assert retry(night).words == "no job of night 1 has failed"

    def test_cells_whose_messages_differ_by_their_names_alone_are_one_group(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        names = []
        for _ in range(3):
            got = night.grant(boot)
            names.append(spec_of(got).cell.name)
            night.queue.fail(got.lease_id, failure(Cause.DATA, f"{names[-1]}: too few rows"))
        found = FailureListing(night.database).read()
        assert found is not None and found.untrainable == found.jobs == 3
        [group] = found.groups
        assert (group.message, [job.name for job in group.jobs]) == ("too few rows", names)
        assert retry(night, cause="data", message=f"{names[0]}: too few rows", preview=True).jobs == 2
        assert retry(night, cause="data", message=group.message).jobs == 4

    def test_a_group_of_surveys_that_failed_alike_is_of_all_symbols(self, night: Night) -> None:
        night.begin(symbols=("BTCUSDT", "ETHUSDT"), timeframes=("1h",), horizons=(1, 3))
        boot = night.register()
        while isinstance(got := night.claim(boot), Grant):
            night.queue.fail(got.lease_id, failure(Cause.DATA, "nothing could be read"))
        told = Steering(night.database).retry(1, RetryOrder(message="nothing could be read"), HERE)
        assert told.jobs == 6

    def test_a_job_that_ran_out_of_memory_is_really_tried_again(self, night: Night) -> None:
        boot = night.start(**ONE_CELL)
        held = night.grant(boot)
        night.queue.fail(held.lease_id, failure(Cause.OOM, "out of memory", room=16 * 1024**3))
        night.queue.fail_roomless()
        assert night.detail(held.job_id).state is JobState.FAILED
        retry_job(night, held.job_id)
        night.queue.fail_roomless()
        assert night.grant(boot).job_id == held.job_id

    def test_a_preview_says_what_would_be_done_and_does_nothing(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        failed = failed_for_good(night, boot, Cause.TIMEOUT)
        told = retry(night, preview=True)
        assert told.preview and told.changed and told.jobs == 1
        assert night.detail(failed).state is JobState.FAILED and recorded(night) == []
        assert pause(night, preview=True).changed and isinstance(night.claim(boot), Grant)

    def test_cells_that_a_survey_refused_are_surveyed_again(self, night: Night) -> None:
        night.begin(**ONE_SYMBOL, timeframes=("15m", "1h"), horizons=(1,))
        boot = night.register()
        night.survey_all(boot, refused={"15m": "too few rows"})
        [refused] = night.jobs(run_id=1, state=JobState.FAILED)
        [waiting] = night.jobs(run_id=1, state=JobState.QUEUED)
        told = retry_job(night, refused.id)
        assert told.jobs == 2 and "survey of BTCUSDT" in told.words
        assert {night.waits(refused.id), night.waits(waiting.id)} == {"it waits for the survey of BTCUSDT"}
        night.survey_all(boot)
        assert {spec_of(night.grant(boot)).cell.timeframe, _next(night)} == {"15m", "1h"}

    def test_a_survey_that_failed_brings_its_cells_back(self, night: Night) -> None:
        night.begin(**ONE_SYMBOL)
        boot = night.register()
        survey = failed_for_good(night, boot)
        assert {job.state for job in night.jobs(run_id=1)} == {JobState.FAILED}
        assert retry_job(night, survey).jobs == 5
        grant = night.grant(boot)
        assert grant.job_id == survey
        night.queue.finish(grant.lease_id, finish(survey_report(grant.spec)))
        night.finish_all(boot)
        assert {job.state for job in night.jobs(run_id=1)} == {JobState.SUCCEEDED}

    def test_what_runs_waits_or_has_succeeded_is_left_alone(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        held = night.grant(boot)
        assert not retry_job(night, held.job_id).changed
        night.succeed(held)
        with pytest.raises(ConflictError, match="has succeeded"):
            retry_job(night, held.job_id)
        with pytest.raises(NotFoundError, match="there is no job 99"):
            retry_job(night, 99)
        assert recorded(night) == []

    def test_a_run_does_not_end_under_a_retry(self, night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
        boot = night.start(**ONE_CELL)
        failed = failed_for_good(night, boot, Cause.TIMEOUT)
        settlement = next(one for one in night.housekeeping.duties if one.name == "the end of the run")
        decide = settlement._decide  # type: ignore[attr-defined]

        def late(ready: object) -> object:
            # The duty has seen that all jobs are final; now an operator is quicker.
            retry_job(night, failed)
            return decide(ready)

        monkeypatch.setattr(settlement, "_decide", late)
        night.housekeeping.tick()
        assert night.run_listing.view(1).state == "running"
        monkeypatch.undo()
        night.succeed(night.grant(boot))
        night.housekeeping.tick()
        assert night.run_listing.view(1).state == "done"


class TestAnEarlyEnd:
    def test_what_is_done_is_decided_on_and_what_runs_is_saved_first(self, night: Night) -> None:
        boot = night.start()
        night.succeed(night.grant(boot))
        held = night.grant(boot)
        night.queue.save_checkpoint(held.lease_id, checkpoint(3))
        seen = end(night, preview=True)
        assert seen.preview and "3 folds and 1 finished cell kept, nothing lost" in seen.words
        assert night.run_listing.view(1).ended_early is None and night.waits(8)
        told = end(night)
        assert (told.words, told.jobs, told.folds_saved) == (seen.words, 7, 3)
        refusal = night.claim(night.register("t2"))
        assert isinstance(refusal, Refusal) and refusal.reason is NoWork.NIGHT_CLOSED
        night.housekeeping.tick()
        assert night.run_listing.view(1).state == "running", "a fold is still being saved"
        assert night.queue.renew(held.lease_id, renewal()).directive is Directive.RELEASE
        night.queue.release(held.lease_id, release(Cause.NIGHT_CLOSED))
        night.housekeeping.tick()
        view = night.run_listing.view(1)
        assert (view.state, view.training.succeeded, view.training.cancelled) == ("done", 1, 7)
        assert view.ended_early is not None and view.ended_early.by == "anna"
        assert view.promoted == 1 and Path(view.results_path).exists()
        assert "the night is ended early since" in night.detail(held.job_id).message
        assert not end(night).changed

    def test_the_next_night_goes_on_with_the_saved_folds(self, night: Night) -> None:
        boot = night.start(**ONE_CELL)
        held = night.grant(boot)
        night.queue.save_checkpoint(held.lease_id, checkpoint(3))
        end(night)
        night.queue.release(held.lease_id, release())
        night.housekeeping.tick()
        night.begin(**ONE_CELL)
        night.survey_all(boot)
        again = night.grant(boot)
        assert again.run_id == 2 and again.checkpoint == checkpoint(3)
        night.succeed(again)
        night.housekeeping.tick()
        night.begin(**ONE_CELL)
        night.survey_all(boot)
        assert night.grant(boot).checkpoint is None, "the cell was done since"

    def test_a_night_that_did_not_come_to_the_cell_loses_none_of_its_folds(self, night: Night) -> None:
        boot = night.start(**ONE_CELL)
        held = night.grant(boot)
        night.queue.save_checkpoint(held.lease_id, checkpoint(3))
        end(night)
        night.queue.release(held.lease_id, release())
        night.housekeeping.tick()
        night.begin(**ONE_CELL)
        end(night, 2)
        night.housekeeping.tick()
        night.begin(**ONE_CELL)
        night.survey_all(boot)
        assert night.grant(boot).checkpoint == checkpoint(3)

    def test_a_trainer_that_died_does_not_keep_the_night_from_ending(self, night: Night) -> None:
        boot = night.start(**ONE_CELL)
        night.grant(boot)
        end(night)
        night.clock.advance(1000)
        night.housekeeping.tick()
        night.housekeeping.tick()
        assert night.run_listing.view(1).state == "done"

    def test_a_paused_night_can_be_ended_and_one_that_ends_cannot_be_paused(self, night: Night) -> None:
        boot = night.start(**ONE_CELL)
        night.grant(boot)
        pause(night)
        assert end(night).changed
        view = night.run_listing.view(1)
        assert view.paused is None and view.ended_early is not None
        for act in (pause, resume, retry):
            with pytest.raises(ConflictError, match="night 1 is ended early since"):
                act(night)

    def test_an_end_that_was_cut_off_is_finished_after_the_restart(self, make_night: MakeNight) -> None:
        night = make_night()
        boot = night.start(**ONE_CELL)
        held = night.grant(boot)
        end(night)
        after = make_night()
        after.queue.extend()
        assert after.queue.renew(held.lease_id, renewal()).directive is Directive.RELEASE
        after.queue.release(held.lease_id, release())
        after.housekeeping.tick()
        assert after.run_listing.view(1).state == "done"


class TestACancelledJob:
    def test_its_trainer_learns_of_it_and_what_it_brings_is_refused(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        held = night.grant(boot)
        night.queue.save_checkpoint(held.lease_id, checkpoint(2))
        told = cancel_job(night, held.job_id)
        assert told.changed and "trainer t1 learns of it at its next renewal" in told.words
        assert night.queue.renew(held.lease_id, renewal()).directive is Directive.CANCEL
        for late in (
            lambda: night.queue.save_checkpoint(held.lease_id, checkpoint(3)),
            lambda: night.queue.fail(held.lease_id, failure()),
            lambda: night.succeed(held),
        ):
            with pytest.raises(StaleLeaseError):
                late()
        job = night.detail(held.job_id)
        assert (job.state, job.message) == (JobState.CANCELLED, "it was cancelled by anna: because")
        assert not job.history[0].charged
        assert not cancel_job(night, held.job_id).changed
        # Tried again it goes on with the folds, under another lease than the one that still lingers.
        assert retry_job(night, held.job_id).folds_saved == 2
        again = night.grant(night.register("t2"))
        assert again.job_id == held.job_id and again.checkpoint == checkpoint(2)
        assert night.queue.renew(held.lease_id, renewal()).directive is Directive.CANCEL
        assert night.queue.renew(again.lease_id, renewal()).directive is Directive.CONTINUE

    def test_a_survey_takes_the_cells_along_that_wait_for_it(self, night: Night) -> None:
        night.begin(**ONE_SYMBOL)
        held = night.grant(night.register())
        assert cancel_job(night, held.job_id).jobs == 5
        assert {job.state for job in night.jobs(run_id=1)} == {JobState.CANCELLED}
        assert retry_job(night, night.jobs(run_id=1)[-1].id).jobs == 5

    def test_the_run_ends_without_it(self, night: Night) -> None:
        boot = night.start(**ONE_CELL)
        cancel_job(night, night.jobs(run_id=1)[-1].id)
        night.housekeeping.tick()
        assert night.run_listing.view(1).state == "done"
        with pytest.raises(ConflictError, match="has ended"):
            cancel_job(night, 2)
        assert boot

    def test_it_happens_before_or_after_a_claim_and_never_between(self, night: Night) -> None:
        boot, job = night.start(**ONE_CELL), 2
        cancelling = Thread(target=cancel_job, args=(night, job))
        with night.database.write() as tx:
            granted = claims.decide(tx, trainer_of(tx, boot), "", night.settings)
            cancelling.start()
            cancelling.join(0.5)
            assert cancelling.is_alive()
        cancelling.join()
        assert isinstance(granted, Grant) and granted.job_id == job
        assert night.detail(job).state is JobState.CANCELLED
        assert night.queue.renew(granted.lease_id, renewal()).directive is Directive.CANCEL

    @pytest.mark.parametrize("whole_run", [False, True])
    def test_it_and_the_end_of_an_attempt_do_not_wait_for_each_other(
        self, night: Night, whole_run: bool
    ) -> None:
        if night.database.is_sqlite:
            pytest.skip("SQLite has one writer at a time")
        held = night.grant(night.start(**ONE_SYMBOL))
        steering = Steering(night.database)
        with ThreadPoolExecutor(1) as other, night.database.write() as tx:
            attempt = attempt_of(tx, held.lease_id)
            if whole_run:
                cancelling = other.submit(steering.cancel, 1, ANNA, HERE)
            else:
                cancelling = other.submit(steering.cancel_job, held.job_id, ANNA, HERE)
            waiting = text("select count(*) from pg_locks where not granted")
            give_up = time.monotonic() + 30
            while not tx.connection.execute(waiting).scalar_one():
                assert time.monotonic() < give_up and not cancelling.done()
            pause_trainer(tx, attempt, "No space left on device")
            job_of(tx, attempt)
        assert cancelling.result(30).changed
        assert night.detail(held.job_id).state is JobState.CANCELLED

    def test_what_is_over_stays_as_it_is(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        held = night.grant(boot)
        night.succeed(held)
        with pytest.raises(ConflictError, match="it has succeeded"):
            cancel_job(night, held.job_id)


class TestAJobThatGoesNext:
    def test_it_is_handed_out_before_all_others_the_first_wish_first(self, night: Night) -> None:
        boot = night.start()
        last, before = [job.id for job in night.jobs(run_id=1)][-1:-3:-1]
        assert run_next(night, last).words.endswith(" goes next")
        night.clock.advance(1)
        assert run_next(night, before).words.endswith(" goes next, behind 1 job asked for earlier")
        assert not run_next(night, last).changed
        assert run_next(night, last).words.endswith(" goes next already")
        assert run_next(night, before).words.endswith(" goes next already, behind 1 job asked for earlier")
        assert [night.grant(boot).job_id, night.grant(night.register("t2")).job_id] == [last, before]
        assert "worked on already, by trainer t1" in run_next(night, last).words

    def test_its_backoff_is_over_and_its_survey_goes_first(self, night: Night) -> None:
        night.begin()
        cell = night.jobs(run_id=1, symbol="ETHUSDT", kind=JobKind.TRAINING)[0]
        assert run_next(night, cell.id).words.endswith("goes next, after the survey of its symbol")
        boot = night.register()
        assert night.grant(boot).spec.model_dump()["symbol"] == "ETHUSDT"

    def test_cancelled_and_tried_again_it_has_its_old_place(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        first, *_, last = [job.id for job in night.jobs(run_id=1, kind=JobKind.TRAINING)]
        run_next(night, last)
        cancel_job(night, last)
        retry_job(night, last)
        assert night.grant(boot).job_id == first

    def test_after_a_failure_it_waits_no_longer(self, night: Night) -> None:
        boot = night.start(**ONE_CELL)
        held = night.grant(boot)
        night.queue.fail(held.lease_id, failure(Cause.ERROR))
        assert isinstance(night.claim(boot), Refusal)
        run_next(night, held.job_id)
        assert night.grant(boot).job_id == held.job_id

    def test_a_parked_symbol_holds_it_back_until_it_is_lifted(self, make_night: MakeNight) -> None:
        night = make_night(breaker=Breaker(failures=2, park_seconds=600))
        boot = parked(night)
        cell = next(job for job in night.jobs(run_id=1) if job.state is JobState.QUEUED)
        assert "once BTCUSDT is no longer parked (until" in run_next(night, cell.id).words
        assert isinstance(night.claim(boot), Refusal)
        told = unpark(night, "BTCUSDT")
        assert told.changed and "2 cells had failed in a row" in told.words
        assert night.grant(boot).job_id == cell.id
        assert not unpark(night, "BTCUSDT").changed

    def test_only_what_waits_can_go_next(self, night: Night) -> None:
        boot = night.start(**ONE_SYMBOL)
        held = night.grant(boot)
        night.succeed(held)
        with pytest.raises(ConflictError, match="have it tried again first"):
            run_next(night, held.job_id)


def test_a_symbol_of_another_run_is_not_found(night: Night) -> None:
    night.start(**ONE_SYMBOL)
    with pytest.raises(NotFoundError, match=r"no symbol ETHUSDT \(it has BTCUSDT\)"):
        unpark(night, "ETHUSDT")


def test_a_cancelled_run_says_how_much_of_it_is_dropped(night: Night) -> None:
    boot = night.start()
    night.succeed(night.grant(boot))
    held = night.grant(boot)
    order = Order(by="anna", reason="wrong candles")
    told = Steering(night.database).cancel(1, order, HERE)
    assert told.jobs == 7 and "1 finished cell of it will not be promoted" in told.words
    assert night.detail(held.job_id).message == "the night was cancelled by anna: wrong candles"
    assert not Steering(night.database).cancel(1, order, HERE).changed
    assert [action for _, action, _ in recorded(night)] == ["cancel"]


class TestTheRecord:
    def test_who_what_when_where_and_why_are_kept_and_logged(
        self, night: Night, caplog: pytest.LogCaptureFixture
    ) -> None:
        night.start()
        with caplog.at_level(logging.WARNING):
            pause(night)
        [entry] = Audit(night.database).page({"run_id": 1, "action": Action.PAUSE}, 10, 0).entries
        assert (entry.by, entry.reason, entry.origin) == ("anna", "because", HERE.origin)
        assert (entry.time, entry.run, entry.jobs) == (night.clock.now, 1, 8)
        line = f"pause by anna from {HERE.origin}: {entry.words} (because)"
        assert [one.getMessage() for one in caplog.records] == [line]
        assert Audit(night.database).page({"action": Action.RETRY}, 10, 0).total == 0

    def test_the_same_request_is_answered_as_before_whatever_has_happened_since(self, night: Night) -> None:
        night.start()
        steering, request = Steering(night.database), Request("127.0.0.1 x", key="k1")
        first = steering.pause(1, PauseOrder(by="anna"), request)
        resume(night)
        assert steering.pause(1, PauseOrder(by="anna"), request) == first
        assert night.run_listing.view(1).paused is None
        with pytest.raises(ConflictError, match="belongs to another request: pause"):
            steering.resume(1, Order(), request)

    def test_a_key_belongs_to_one_job_or_run(self, night: Night) -> None:
        night.start(**ONE_SYMBOL)
        one, other = [job.id for job in night.jobs(run_id=1, kind=JobKind.TRAINING)][:2]
        steering = Steering(night.database)
        cancelled, retried = Request("127.0.0.1 x", key="k1"), Request("127.0.0.1 x", key="k2")
        first = steering.cancel_job(one, ANNA, cancelled)
        assert steering.cancel_job(one, ANNA, cancelled) == first
        with pytest.raises(ConflictError, match=f"belongs to another request: cancel_job of job {one}"):
            steering.cancel_job(other, ANNA, cancelled)
        assert night.detail(other).state is JobState.QUEUED
        steering.retry_job(one, ANNA, retried)
        with pytest.raises(ConflictError, match=f"belongs to another request: retry of job {one}"):
            steering.retry(1, RetryOrder(), retried)

    def test_a_change_that_cannot_be_recorded_is_not_made(
        self, night: Night, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        night.start()

        def killed(*_: object) -> None:
            raise SystemExit

        monkeypatch.setattr("coordinator.runs.steering.record", killed)
        with pytest.raises(SystemExit):
            pause(night)
        assert night.run_listing.view(1).paused is None

    def test_it_is_only_appended_to(self, night: Night) -> None:
        night.start()
        pause(night)
        for statement in ("UPDATE audit SET reason = 'x'", "DELETE FROM audit"):
            with pytest.raises(DBAPIError, match="only appended to"), night.database.write() as tx:
                tx.connection.execute(text(statement))

    def test_whoever_says_no_name_is_an_operator(self, night: Night) -> None:
        night.start()
        pause(night, by="", reason="")
        assert recorded(night)[0][0] == "operator"

    @pytest.mark.parametrize("reason", ["a\x1b[2J", "a\x00b", "‮evil", "x" * 501])
    def test_a_reason_that_would_forge_a_line_is_refused(self, reason: str) -> None:
        with pytest.raises(ValueError):
            Order(reason=reason)

    def test_a_reason_is_one_line(self) -> None:
        assert Order(reason=" two\nlines\t here ").reason == "two lines here"


def test_breakers_and_open_attempts_are_left_alone_by_a_retry(night: Night) -> None:
    boot = night.start(**ONE_SYMBOL)
    failed_for_good(night, boot, Cause.ERROR)
    held = night.grant(boot)
    with night.database.read() as tx:
        before = read_breakers(tx.connection, 1)
    retry(night)
    with night.database.read() as tx:
        assert read_breakers(tx.connection, 1) == before
        running = tx.connection.execute(select(attempts.c.lease_id).where(attempts.c.ended.is_(None)))
        assert list(running.scalars()) == [held.lease_id]


def _next(night: Night) -> str:
    return spec_of(night.grant(night.register("t2"))).cell.timeframe
