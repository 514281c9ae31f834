"""The queue against a model of a few dozen lines, under whatever order of calls hypothesis can think of."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from sqlalchemy import func, select

from common.errors import ConflictError, StaleLeaseError
from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobKind, JobState, SurveySpec
from common.protocol.steering import Order
from common.protocol.trainers import Directive, Grant, LimitKind, NoWork
from coordinator.policy.admission import Refusal
from coordinator.runs.night_orders import cancel_given_back
from coordinator.store.database import Database, sqlite_url
from coordinator.store.tables import attempts, audit, jobs, trainers
from tests.coordinator.queue.model import (
    BUDGETS,
    FAULTS,
    LEASE_SECONDS,
    SETTINGS,
    TRAINERS,
    ModelJob,
    ModelLease,
)
from tests.coordinator.queue.operators import Operators
from tests.coordinator.specimens import (
    FULL_DISK,
    GIB,
    NOON,
    Clock,
    Night,
    checkpoint,
    failure,
    finish,
    hello,
    release,
    renewal,
    survey_report,
)

leased = precondition(lambda self: self.held)


class QueueMachine(Operators):
    """Trainers come, go and lie, operators steer; nothing is lost, leased twice, or tried too often."""

    url = ""

    @initialize(surveyed=st.booleans())
    def begin(self, surveyed: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=_fast_folder()))
        self.clock = Clock()
        self.night = self._open()
        self.run = self.night.begin(timeframes=("15m", "1h"), horizons=(1, 3, 5))
        self.jobs: dict[int, ModelJob] = {}
        with self.night.database.read() as tx:
            for row in tx.connection.execute(select(jobs.c.id, jobs.c.kind, jobs.c.symbol)):
                kind = JobKind(row.kind)
                ready = NOON if kind is JobKind.SURVEY else None
                self.jobs[row.id] = ModelJob(kind, row.symbol, ready=ready, specified=kind is JobKind.SURVEY)
        self.held: dict[str, ModelLease] = {}
        self.grants: dict[str, Grant] = {}
        self.boots = dict.fromkeys(TRAINERS, 0)
        self.failing: dict[str, set[int]] = {job.symbol: set() for job in self.jobs.values()}
        self.parked: dict[str, datetime] = {}
        self.blocked_since: dict[str, datetime] = {}
        self.paused_until: dict[str, datetime] = {}
        self.paused = self.gives_back = self.ended = False
        self.changes = 0
        for name in TRAINERS:
            self._register(name)
        if surveyed:
            for _ in self.failing:
                self.a_trainer_claims("a1", "")
                self.a_trainer_finishes(self._open_lease()[0])

    def _open(self) -> Night:
        return Night(Database(self._url(), self.clock), SETTINGS, self.folder)

    def _url(self) -> str:
        return sqlite_url(self.folder / "nighttrain.db")

    def _boot(self, name: str) -> str:
        return f"{name}-{self.boots[name]}"

    def _register(self, name: str) -> int:
        return self.night.queue.register(hello(name, self._boot(name), host=TRAINERS[name])).lost_leases

    def _any_lease(self, data: st.DataObject) -> str:
        # Mostly one that is held; now and then one that was lost long ago.
        return data.draw(st.sampled_from(self._open_lease() or [*self.held]) | st.sampled_from([*self.held]))

    # --- What trainers do -----------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 2.0, 9.0, 31.0, 130.0]))
    def time_goes_by(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(name=st.sampled_from(sorted(TRAINERS)), last=st.sampled_from(["", "BTCUSDT", "ETHUSDT"]))
    def a_trainer_claims(self, name: str, last: str, full: bool = False) -> None:
        answer = self.night.claim(self._boot(name), last, disk=FULL_DISK if full else None)
        holding = self._open_lease(trainer=name)
        if isinstance(answer, Refusal):
            assert not holding
            if self.paused or self.ended:
                assert answer.reason is (NoWork.NIGHT_CLOSED if self.ended else NoWork.PAUSED)
                self._believe(name)
                return
            if full or self.paused_until.get(name, self.clock.now) > self.clock.now:
                assert answer.reason is NoWork.STORAGE
                self.blocked_since.setdefault(name, self.clock.now)
                return
            assert answer.reason is not NoWork.STORAGE
            self._believe(name)
            emptied = answer.reason is NoWork.NEEDS_LONE_ROOM
            assert emptied or not any(self._claimable(job) for job in self.jobs.values())
            return
        if holding:
            assert [answer.lease_id] == holding
            self._renewed(self.held[answer.lease_id])
            return
        assert answer.lease_id not in self.held
        assert not full and self.paused_until.get(name, self.clock.now) <= self.clock.now
        self._believe(name)
        job = self.jobs[answer.job_id]
        assert job.state is JobState.QUEUED and job.ready is not None and job.earliest <= self.clock.now
        if job.kind is JobKind.TRAINING:
            assert self.clock.now >= self.parked.get(job.symbol, self.clock.now)
        assert not self.paused and not self.ended
        wanted = [one.wanted for one in self.jobs.values() if one.wanted and self._claimable(one)]
        if job.wanted is None:
            assert not wanted, "a job that an operator wants next was passed over"
        else:
            assert job.wanted <= min(wanted, default=job.wanted), "a later wish went first"
        if not job.wanted and not self._may_be_overdue(job):
            late = [one for one in self.jobs.values() if self._claimable(one) and self._overdue(one)]
            assert not late, "an overdue job was passed over"
        beside = [one for one in self._open_lease() if TRAINERS[self.held[one].trainer] == TRAINERS[name]]
        assert not any(self.grants[one].memory_limit_bytes > 2 * GIB for one in beside), (
            "a lone job got company"
        )
        if job.room:
            assert answer.memory_limit_bytes > 2 * GIB and not beside
        else:
            assert answer.memory_limit_bytes == 2 * GIB
        assert answer.attempt == 1 + sum(lease.job == answer.job_id for lease in self.held.values())
        job.state = JobState.LEASED
        expires = self.clock.now + timedelta(seconds=LEASE_SECONDS)
        self.held[answer.lease_id] = ModelLease(answer.job_id, name, expires, self.clock.now)
        self.grants[answer.lease_id] = answer

    @rule(name=st.sampled_from(sorted(TRAINERS)))
    def a_trainer_finds_its_disk_full(self, name: str) -> None:
        self.a_trainer_claims(name, "", full=True)

    @rule(name=st.sampled_from(sorted(TRAINERS)), times=st.integers(1, 3), wait=st.booleans())
    def a_trainer_cannot_write(self, name: str, times: int, wait: bool) -> None:
        for _ in range(times):
            self.a_trainer_claims(name, "")
            for lease_id in self._open_lease(trainer=name):
                lease = self.held[lease_id]
                job = self.jobs[lease.job]
                if job.unwritten == 10:
                    # Of a longer row only some are kept; that is tested by itself.
                    return
                answer = self.night.queue.fail(lease_id, failure(Cause.STORAGE))
                job.unwritten += 1
                since = self.blocked_since.setdefault(name, self.clock.now)
                pause = min(60.0, max(2.0, (self.clock.now - since).total_seconds()))
                assert (answer.state, answer.retry_in_seconds) == (JobState.QUEUED, 2 * pause)
                lease.outcome, lease.cause = Outcome.FAILED, Cause.STORAGE
                job.state = JobState.QUEUED
                job.waits_until = job.earliest = self.clock.now + timedelta(seconds=2 * pause)
                self.paused_until[name] = self.clock.now + timedelta(seconds=pause)
            if wait:
                self.clock.advance(60.0)

    @leased
    @rule(data=st.data())
    def a_trainer_renews(self, data: st.DataObject) -> None:
        lease_id = self._any_lease(data)
        lease = self.held[lease_id]
        if lease.outcome is Outcome.CANCELLED:
            assert self.night.queue.renew(lease_id, renewal()).directive is Directive.CANCEL
            return
        if lease.outcome is not Outcome.RUNNING:
            with pytest.raises(StaleLeaseError):
                self.night.queue.renew(lease_id, renewal())
            return
        wanted_back = self.ended or self.gives_back
        directive = Directive.RELEASE if wanted_back else Directive.CONTINUE
        assert self.night.queue.renew(lease_id, renewal()).directive is directive
        self._renewed(lease)

    @leased
    @rule(data=st.data())
    def a_trainer_saves_folds(self, data: st.DataObject) -> None:
        lease_id = self._any_lease(data)
        lease = self.held[lease_id]
        if lease.outcome is not Outcome.RUNNING:
            with pytest.raises(StaleLeaseError):
                self.night.queue.save_checkpoint(lease_id, checkpoint())
        elif self.jobs[lease.job].kind is JobKind.TRAINING:
            self.night.queue.save_checkpoint(lease_id, checkpoint())

    @leased
    @rule(data=st.data())
    def some_trainer_finishes(self, data: st.DataObject) -> None:
        self.a_trainer_finishes(self._any_lease(data))

    def a_trainer_finishes(self, lease_id: str) -> None:
        lease, grant = self.held[lease_id], self.grants[lease_id]
        if lease.outcome not in (Outcome.RUNNING, Outcome.SUCCEEDED):
            with pytest.raises(StaleLeaseError):
                self._finish(grant)
            return
        if lease.outcome is Outcome.RUNNING:
            job = self.jobs[lease.job]
            job.state, lease.outcome = JobState.SUCCEEDED, Outcome.SUCCEEDED
            self._lift_pause(lease)
            if job.kind is JobKind.SURVEY:
                for other in self._cells(job.symbol):
                    if other.state is JobState.QUEUED:
                        other.specified = True
                        other.ready = max(self.clock.now, other.held_until)
            else:
                self.failing[job.symbol].clear()
                self.parked.pop(job.symbol, None)
            self._finish(grant)
        elif isinstance(grant.spec, SurveySpec):
            self._finish(grant)

    def _finish(self, grant: Grant) -> None:
        if isinstance(grant.spec, SurveySpec):
            self.night.queue.finish(grant.lease_id, finish(survey_report(grant.spec)))
        else:
            self.night.succeed(grant)

    @leased
    @rule(data=st.data(), cause=st.sampled_from(FAULTS))
    def a_trainer_fails(self, data: st.DataObject, cause: Cause) -> None:
        self._fail(self._any_lease(data), cause)

    def _fail(self, lease_id: str, cause: Cause) -> None:
        lease = self.held[lease_id]
        message = failure(cause)
        if lease.outcome is Outcome.FAILED and lease.cause == cause:
            assert self.night.queue.fail(lease_id, message) == self.night.queue.fail(lease_id, message)
        elif lease.outcome is not Outcome.RUNNING:
            with pytest.raises(StaleLeaseError):
                self.night.queue.fail(lease_id, message)
        else:
            answer = self.night.queue.fail(lease_id, message)
            self._fault(lease, cause, Outcome.FAILED, answer.retry_in_seconds)
            assert answer.state == self.jobs[lease.job].state

    @leased
    @rule(data=st.data(), cause=st.sampled_from([Cause.STOPPED, Cause.NIGHT_CLOSED]))
    def a_trainer_gives_back(self, data: st.DataObject, cause: Cause) -> None:
        lease_id = self._any_lease(data)
        lease = self.held[lease_id]
        if lease.outcome in (Outcome.RELEASED, Outcome.CANCELLED):
            self.night.queue.release(lease_id, release(cause))
        elif lease.outcome is not Outcome.RUNNING:
            with pytest.raises(StaleLeaseError):
                self.night.queue.release(lease_id, release(cause))
        else:
            self.night.queue.release(lease_id, release(cause))
            lease.outcome = Outcome.RELEASED
            self._lift_pause(lease)
            self.jobs[lease.job].state = JobState.QUEUED

    @rule(name=st.sampled_from(sorted(TRAINERS)))
    def a_trainer_restarts(self, name: str) -> None:
        before = self._boot(name)
        self.boots[name] += 1
        holding = self._open_lease(trainer=name)
        assert self._register(name) == len(holding)
        paused_until, blocked_since = self.paused_until.get(name), self.blocked_since.pop(name, None)
        for lease_id in holding:
            self._fault(self.held[lease_id], Cause.CRASH, Outcome.EXPIRED, None)
        # A pause is the trainer's and outlives its process, whose death is no sign that it could write;
        # a lack of room it finds out by itself.
        if paused_until is not None:
            self.paused_until[name] = paused_until
            if blocked_since is not None:
                self.blocked_since[name] = blocked_since
        with pytest.raises(ConflictError):
            self.night.claim(before)

    # --- What the coordinator does --------------------------------------------------------------------------

    @rule()
    def leases_expire(self) -> None:
        silent = [one for one in self._open_lease() if self.held[one].expires < self.clock.now]
        assert self.night.queue.expire() == len(silent)
        for lease_id in silent:
            self._fault(self.held[lease_id], Cause.CRASH, Outcome.EXPIRED, None)

    @rule()
    def the_coordinator_restarts(self) -> None:
        self.night.database.close()
        self.night = self._open()
        self.night.queue.extend()
        for lease_id in self._open_lease():
            self.held[lease_id].expires = self.clock.now + timedelta(seconds=LEASE_SECONDS)

    @rule()
    def what_was_given_back_at_an_early_end_is_cancelled(self) -> None:
        with self.night.database.write() as tx:
            cancelled = cancel_given_back(tx)
        queued = [job for job in self.jobs.values() if job.state is JobState.QUEUED]
        assert cancelled == (len(queued) if self.ended else 0)
        if self.ended:
            for job in queued:
                job.state = JobState.CANCELLED

    # --- What always holds ----------------------------------------------------------------------------------

    @precondition(lambda self: hasattr(self, "held"))
    @invariant()
    def the_database_is_as_the_model(self) -> None:
        with self.night.database.read() as tx:
            columns = select(jobs.c.id, jobs.c.state, jobs.c.forgiven)
            rows = {row.id: row for row in tx.connection.execute(columns)}
            states = {job_id: row.state for job_id, row in rows.items()}
            made = tx.connection.execute(select(attempts)).all()
            assert tx.connection.execute(select(func.count()).select_from(audit)).scalar() == self.changes
            present = trainers.c.superseded.is_(None), trainers.c.blocked_since.is_not(None)
            blocked = tx.connection.execute(select(trainers.c.name, trainers.c.blocked_since).where(*present))
            assert {row.name: row.blocked_since for row in blocked} == self.blocked_since
        assert states == {job_id: job.state for job_id, job in self.jobs.items()}
        assert {row.lease_id: row.outcome for row in made} == {
            lease_id: lease.outcome for lease_id, lease in self.held.items()
        }
        leased = [row.job_id for row in made if row.ended is None]
        assert sorted(leased) == sorted(
            job_id for job_id, state in states.items() if state == JobState.LEASED
        )
        charged = Counter(
            (row.job_id, Cause(row.cause))
            for row in made
            if row.charged and row.cause and row.number > rows[row.job_id].forgiven
        )
        for (job_id, cause), count in charged.items():
            assert count == self.jobs[job_id].charged[cause] <= BUDGETS[cause]

    def teardown(self) -> None:
        if not hasattr(self, "held"):
            return
        # A trainer with room for everything comes and does its work: every job must come to its end.
        self.clock.advance(1000)
        self.night.queue.expire()
        if self.ended:
            with self.night.database.write() as tx:
                cancel_given_back(tx)
        elif self.paused:
            self._order(lambda steering, request: steering.resume(self.run, Order(), request))
        boot = self.night.register("rescue", host="host-c", limit=64 * GIB, kind=LimitKind.CGROUP)
        for _ in range(20 * len(self.jobs)):
            answer = self.night.claim(boot)
            if isinstance(answer, Grant):
                self._finish(answer)
            elif answer.reason in (NoWork.EMPTY, NoWork.NIGHT_CLOSED):
                break
            else:
                self.clock.advance(120)
                self.night.queue.expire()
        with self.night.database.read() as tx:
            left = tx.connection.execute(
                select(jobs.c.id).where(jobs.c.state.in_([JobState.QUEUED, JobState.LEASED]))
            ).all()
        assert left == []
        self.night.database.close()
        shutil.rmtree(self.folder)


def _fast_folder() -> str | None:
    # What survives a loss of power is not asked here, so a folder in memory will do.
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
