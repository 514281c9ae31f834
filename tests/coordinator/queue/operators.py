"""What operators do to the queue, and what is expected; each order comes twice, as after a lost answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from common.errors import ConflictError
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.steering import Order, PauseOrder, RetryOrder, Steered
from coordinator.audit import Request
from coordinator.runs.steering import Steering
from tests.coordinator.queue.model import FAULTS, NOON, Model, ModelJob

RETRIED = (JobState.FAILED, JobState.CANCELLED)
Act = Callable[[Steering, Request], Steered]


class Operators(Model):
    """Operators pause, resume and end the night, retry, cancel and prefer jobs, and release symbols."""

    def _order(self, act: Act, changes: bool | None = None) -> Steered | None:
        """Give an order twice under one key; `changes` is what is expected, None: whatever it says."""
        steering = Steering(self.night.database)
        request = Request("127.0.0.1 tests", f"order {self.changes}")
        answer = act(steering, request)
        if answer.changed and not answer.preview:
            self.changes += 1
            assert act(steering, request) == answer
        assert changes is None or answer.changed == changes
        return answer

    def _refused(self, act: Act) -> None:
        with pytest.raises(ConflictError):
            act(Steering(self.night.database), Request("127.0.0.1 tests"))

    def _any_job(self, data: st.DataObject) -> tuple[int, ModelJob]:
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        return job_id, self.jobs[job_id]

    @rule(give_back=st.booleans())
    def an_operator_pauses(self, give_back: bool) -> None:
        def act(steering: Steering, request: Request) -> Steered:
            return steering.pause(self.run, PauseOrder(give_back=give_back), request)

        if self.ended:
            self._refused(act)
            return
        self._order(act, changes=not self.paused or (give_back and not self.gives_back))
        self.paused, self.gives_back = True, self.gives_back or give_back

    @rule()
    def an_operator_resumes(self) -> None:
        def act(steering: Steering, request: Request) -> Steered:
            return steering.resume(self.run, Order(), request)

        if self.ended:
            self._refused(act)
            return
        self._order(act, changes=self.paused)
        self.paused = self.gives_back = False

    @rule(really=st.sampled_from([True, *[False] * 14]))
    def an_operator_ends_the_night(self, really: bool) -> None:
        def act(steering: Steering, request: Request) -> Steered:
            return steering.end(self.run, Order(preview=not really), request)

        self._order(act, changes=not self.ended)
        if really and not self.ended:
            self.ended, self.paused, self.gives_back = True, False, False
            for job in self.jobs.values():
                if job.state is JobState.QUEUED:
                    job.state = JobState.CANCELLED

    @rule(cause=st.none() | st.sampled_from(FAULTS))
    def an_operator_retries_what_has_failed(self, cause: Cause | None) -> None:
        def act(steering: Steering, request: Request) -> Steered:
            return steering.retry(self.run, RetryOrder(cause=cause), request)

        if self.ended:
            self._refused(act)
            return
        failed = [
            job for job in self.jobs.values() if job.state is JobState.FAILED and cause in (None, job.cause)
        ]
        self._order(act, changes=bool(failed))
        self._retry(failed)

    @rule(data=st.data())
    def an_operator_retries_a_job(self, data: st.DataObject) -> None:
        self._retry_one(self._any_job(data)[0])

    def _retry_one(self, job_id: int) -> None:
        job = self.jobs[job_id]

        def act(steering: Steering, request: Request) -> Steered:
            return steering.retry_job(job_id, Order(), request)

        if self.ended or job.state is JobState.SUCCEEDED:
            self._refused(act)
            return
        self._order(act, changes=job.state in RETRIED)
        if job.state in RETRIED:
            self._retry([job])

    @rule(data=st.data())
    def an_operator_cancels_a_job(self, data: st.DataObject) -> None:
        self._cancel(self._any_job(data)[0])

    def _cancel(self, job_id: int) -> None:
        job = self.jobs[job_id]

        def act(steering: Steering, request: Request) -> Steered:
            return steering.cancel_job(job_id, Order(), request)

        if self.ended or job.state in (JobState.SUCCEEDED, JobState.FAILED):
            self._refused(act)
            return
        self._order(act, changes=job.state is not JobState.CANCELLED)
        if job.state is JobState.CANCELLED:
            return
        for lease_id in self._open_lease(job=job_id):
            lease = self.held[lease_id]
            lease.outcome, lease.cause = Outcome.CANCELLED, Cause.CANCELLED
            self._lift_pause(lease)
        job.state = JobState.CANCELLED
        if job.kind is JobKind.SURVEY:
            for cell in self._cells(job.symbol):
                if cell.state is JobState.QUEUED and cell.ready is None:
                    cell.state = JobState.CANCELLED

    @rule(data=st.data())
    def an_operator_wants_a_job_next(self, data: st.DataObject) -> None:
        job_id, job = self._any_job(data)

        def act(steering: Steering, request: Request) -> Steered:
            return steering.run_next(job_id, Order(), request)

        if self.ended or job.state not in (JobState.QUEUED, JobState.LEASED):
            self._refused(act)
            return
        self._order(act)
        if job.state is JobState.LEASED:
            return
        survey = self._survey_of(job.symbol)
        preferred = [job]
        if job.ready is None and survey.state is JobState.QUEUED:
            preferred.append(survey)
        for one in preferred:
            one.wanted = one.wanted or self.clock.now
            one.earliest = one.waits_until = one.held_until = NOON
            if one.ready is not None:
                one.ready = min(one.ready, self.clock.now)

    @rule(data=st.data())
    def an_operator_releases_a_symbol(self, data: st.DataObject) -> None:
        symbol = data.draw(st.sampled_from(sorted(self.failing)))

        def act(steering: Steering, request: Request) -> Steered:
            return steering.unpark(self.run, symbol, Order(), request)

        if self.ended:
            self._refused(act)
            return
        self._order(act, changes=symbol in self.parked)
        if self.parked.pop(symbol, None):
            self.failing[symbol].clear()

    def _retry(self, wanted: list[ModelJob]) -> None:
        again = list(wanted)
        surveyed: set[str] = set()
        for job in wanted:
            survey = self._survey_of(job.symbol)
            final = survey.state in (*RETRIED, JobState.SUCCEEDED)
            if final and (job.kind is JobKind.SURVEY or self._needs_survey(job)):
                surveyed.add(job.symbol)
                again.append(survey)
                again += [
                    cell for cell in self._cells(job.symbol) if cell.state in RETRIED and not cell.specified
                ]
        for job in {id(job): job for job in again}.values():
            waits = job.kind is JobKind.TRAINING and (self._needs_survey(job) or job.symbol in surveyed)
            job.state, job.cause, job.wanted = JobState.QUEUED, None, None
            job.charged.clear()
            job.room = False
            job.earliest = job.waits_until = job.held_until = NOON
            job.ready = None if waits else self.clock.now
        for symbol in surveyed:
            for cell in self._cells(symbol):
                if cell.state is JobState.QUEUED:
                    cell.ready = None

    def _needs_survey(self, job: ModelJob) -> bool:
        return job.kind is JobKind.TRAINING and (not job.specified or job.cause is Cause.DATA)
