"""A model of the queue of a few dozen lines: what is expected of jobs, leases, breakers and pauses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis.stateful import RuleBasedStateMachine

from common.protocol.job_views import Outcome
from common.protocol.jobs import Cause, JobKind, JobState
from common.settings.sections import Breaker, Lease, Retry
from tests.coordinator.specimens import NOON, Clock, Night, settings

BUDGETS = {Cause.ERROR: 3, Cause.CRASH: 2, Cause.TIMEOUT: 2, Cause.OOM: 2, Cause.DATA: 1}
FAULTS = sorted(BUDGETS)
BREAKER = Breaker(failures=2, park_seconds=100)
LEASE_SECONDS = 30.0
MAX_WAIT_SECONDS = 120.0
TRAINERS = {"a1": "host-a", "a2": "host-a", "b1": "host-b"}
SETTINGS = settings(
    retry=Retry(error=3, crash=2, timeout=2, oom=2, backoff_base=4.0, backoff_cap=8.0),
    breaker=BREAKER,
    lease=Lease(seconds=LEASE_SECONDS),
    max_wait_seconds=MAX_WAIT_SECONDS,
)


@dataclass
class ModelJob:
    """What is expected of a job.

    `ready` is when it can be handed out for certain (None before its survey), `earliest` when at the soonest.
    `specified` says that its survey has told what to do, `held_until` when its backoff is over for certain.
    """

    kind: JobKind
    symbol: str
    state: JobState = JobState.QUEUED
    ready: datetime | None = None
    earliest: datetime = NOON
    room: bool = False
    unwritten: int = 0
    waits_until: datetime = NOON
    held_until: datetime = NOON
    specified: bool = False
    cause: Cause | None = None
    wanted: datetime | None = None
    charged: Counter[Cause] = field(default_factory=Counter)


@dataclass
class ModelLease:
    job: int
    trainer: str
    expires: datetime
    started: datetime
    outcome: Outcome = Outcome.RUNNING
    cause: Cause | None = None


class Model(RuleBasedStateMachine):
    """What is expected; the rules of operators, trainers and the coordinator change it."""

    clock: Clock
    night: Night
    run: int
    jobs: dict[int, ModelJob]
    held: dict[str, ModelLease]
    failing: dict[str, set[int]]
    parked: dict[str, datetime]
    blocked_since: dict[str, datetime]
    paused_until: dict[str, datetime]
    paused: bool
    gives_back: bool
    ended: bool
    changes: int

    def _open_lease(self, **wanted: object) -> list[str]:
        return [
            lease_id
            for lease_id, lease in self.held.items()
            if lease.outcome is Outcome.RUNNING
            and all(getattr(lease, key) == value for key, value in wanted.items())
        ]

    def _fault(self, lease: ModelLease, cause: Cause, outcome: Outcome, wait: float | None) -> None:
        lease.outcome, lease.cause = outcome, cause
        self._lift_pause(lease)
        job = self.jobs[lease.job]
        job.charged[cause] += 1
        job.room = job.room or cause is Cause.OOM
        if job.kind is JobKind.TRAINING and cause is Cause.ERROR:
            self._blame(lease.job, job.symbol)
        if job.charged[cause] >= BUDGETS[cause]:
            job.state, job.cause = JobState.FAILED, cause
            if job.kind is JobKind.SURVEY:
                for other in self._cells(job.symbol):
                    if other.state is JobState.QUEUED:
                        other.state, other.cause = JobState.FAILED, cause
            return
        job.state = JobState.QUEUED
        assert wait is None or 0 <= wait <= 8
        # The wait that nobody is told of (after a lost lease) is at most the bound of the backoff.
        job.ready = job.held_until = self.clock.now + timedelta(seconds=8 if wait is None else wait)
        job.earliest = self.clock.now + timedelta(seconds=wait or 0)

    def _blame(self, job_id: int, symbol: str) -> None:
        self.failing[symbol].add(job_id)
        parked = self.parked.get(symbol)
        if parked is not None and self.clock.now < parked:
            return
        if parked is not None or len(self.failing[symbol]) >= BREAKER.failures:
            self.parked[symbol] = self.clock.now + timedelta(seconds=BREAKER.park_seconds)

    def _claimable(self, job: ModelJob) -> bool:
        """Whether nothing but its rank keeps the job from any trainer."""
        ready = job.state is JobState.QUEUED and job.ready is not None and job.ready <= self.clock.now
        ready = ready and job.waits_until <= self.clock.now
        return ready and not job.room and (job.kind is JobKind.SURVEY or job.symbol not in self.parked)

    def _may_be_overdue(self, job: ModelJob) -> bool:
        """Whether it is overdue if its backoff was as short as chance allows."""
        soonest = min(job.earliest, job.ready or job.earliest)
        return (self.clock.now - soonest).total_seconds() > MAX_WAIT_SECONDS

    def _overdue(self, job: ModelJob) -> bool:
        return job.ready is not None and (self.clock.now - job.ready).total_seconds() > MAX_WAIT_SECONDS

    def _cells(self, symbol: str) -> list[ModelJob]:
        return [job for job in self.jobs.values() if job.symbol == symbol and job.kind is JobKind.TRAINING]

    def _survey_of(self, symbol: str) -> ModelJob:
        [survey] = [job for job in self.jobs.values() if job.symbol == symbol and job.kind is JobKind.SURVEY]
        return survey

    def _lift_pause(self, lease: ModelLease) -> None:
        if self.paused_until.pop(lease.trainer, None):
            self.blocked_since.pop(lease.trainer, None)

    def _believe(self, name: str) -> None:
        """A claim that was not refused for want of room, long enough after a pause."""
        paused = self.paused_until.get(name)
        if paused is None or self.clock.now > paused + timedelta(seconds=120):
            self.blocked_since.pop(name, None)

    def _renewed(self, lease: ModelLease) -> None:
        lease.expires = self.clock.now + timedelta(seconds=LEASE_SECONDS)
        if self.clock.now - lease.started > timedelta(seconds=60):
            self._lift_pause(lease)
