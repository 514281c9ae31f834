"""The facts of the night as metrics: the run, the window, attempts, trainers.

Nothing is read or decided here; what a metric means is said in `common.metrics.declarations`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from common.metrics import declarations as metrics
from common.metrics.exposition import Metric, Readings
from common.protocol.runs import RunState
from common.protocol.status import TrainerState
from coordinator.metrics.facts import Facts, RunFacts, cell_labels
from coordinator.policy.window import last_opening, next_opening, night_at
from coordinator.store.rows import AttemptRow
from coordinator.views.book import JobFact

DIGEST_CHARACTERS = 12


def read_run(readings: Readings, facts: Facts) -> None:
    """Read the state of the current run and how far it is."""
    run = facts.run
    if run is None:
        return
    digest = hashlib.sha256(run.row.config.encode()).hexdigest()[:DIGEST_CHARACTERS]
    synthetic = str(run.row.synthetic).lower()
    readings.info(metrics.RUN_INFO, run=str(run.row.id), config=digest, synthetic=synthetic)
    readings.state(metrics.RUN_STATE, run.row.state)
    readings.counts(metrics.RUN_JOBS, {key: float(count) for key, count in run.book.states.items()})
    readings.put(metrics.RUN_PROGRESS, run.view.progress_ratio)
    readings.put(metrics.RUN_PAUSED, float(run.view.paused is not None))
    readings.put(metrics.RUN_SHED_JOBS, float(run.shed))
    readings.put(metrics.RUN_REUSED_JOBS, float(run.view.reused))
    _moment(readings, metrics.RUN_STARTED, run.row.created)
    _moment(readings, metrics.RUN_FINISHED, run.row.finished)
    if run.row.state is RunState.RUNNING:
        _moment(readings, metrics.RUN_ETA, run.eta.p50, percentile="50")
        _moment(readings, metrics.RUN_ETA, run.eta.p90, percentile="90")


def read_window(readings: Readings, facts: Facts) -> None:
    """Read whether the night is open, and the openings of its window."""
    window = facts.settings.window
    night = night_at(window, facts.now)
    readings.put(metrics.NIGHT_OPEN, float(night.open))
    _moment(readings, metrics.NIGHT_DEADLINE, night.closes)
    if window is not None and facts.settings.training:
        _moment(readings, metrics.NIGHT_LAST_OPENING, last_opening(window, facts.now))
        _moment(readings, metrics.NIGHT_NEXT_OPENING, next_opening(window, facts.now))


def read_queue(readings: Readings, facts: Facts) -> None:
    """Read when a job was last handed out."""
    _moment(readings, metrics.LAST_CLAIM, facts.last_claim)


def read_attempts(readings: Readings, facts: Facts) -> None:
    """Read what became of the attempts, what is at work, and how old its progress is."""
    run = facts.run
    readings.put(metrics.CLAIMS, float(run.book.attempts if run else 0))
    outcomes, causes = (run.book.outcomes, run.book.causes) if run else ({}, {})
    readings.counts(metrics.ATTEMPTS, {(one,): float(count) for one, count in outcomes.items()})
    readings.counts(metrics.ATTEMPT_FAILURES, {(one,): float(count) for one, count in causes.items()})
    if run is None:
        return
    for timeframe in run.view.config.timeframes:
        readings.observations(
            metrics.JOB_DURATION, run.book.durations.get(timeframe, ()), timeframe=timeframe
        )
    for attempt in run.running:
        _read_running(readings, facts, run.book.job(attempt.job_id), attempt)
    _read_checkpoints(readings, facts, run)


def read_coordinators(readings: Readings, facts: Facts) -> None:
    """Read who is there of the coordinators, and how often one crashed lately or took the lead."""
    readings.put(metrics.COORDINATOR_CRASHES, float(facts.own_crashes))
    readings.counts(metrics.COORDINATORS, {(key,): float(count) for key, count in facts.coordinators.items()})
    readings.put(metrics.LEADERS, float(facts.leaders))


def read_trainers(readings: Readings, facts: Facts) -> None:
    """Read the trainers that are known, and how often one crashed lately."""
    readings.counts(metrics.TRAINERS, _count((one.state,) for one in facts.trainers))
    for host in facts.hosts:
        if host.limit is not None:
            readings.put(metrics.TRAINERS_LIMIT, float(host.limit), host=host.name)
    for one in facts.trainers:
        name = one.row.name
        _moment(readings, metrics.TRAINER_LAST_SEEN, one.last_seen, trainer=name)
        readings.put(metrics.TRAINER_STARTS, float(facts.starts[name]), trainer=name)
        readings.put(metrics.TRAINER_CRASHES, float(facts.crashes[name]), trainer=name)
        if one.state is not TrainerState.LOST:
            blocked = one.row.blocked_since is not None
            readings.put(metrics.TRAINER_BLOCKED, float(blocked), trainer=name)


def _count(labels: Iterable[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    return Counter(labels)


def _read_running(readings: Readings, facts: Facts, job: JobFact, attempt: AttemptRow) -> None:
    cell = cell_labels(job)
    _moment(readings, metrics.RUNNING_JOB_STARTED, attempt.started, **cell)
    expected = facts.history.seconds(str(job.timeframe), job.rows)
    if expected is not None:
        readings.put(metrics.RUNNING_JOB_EXPECTED, expected, **cell)


def _read_checkpoints(readings: Readings, facts: Facts, run: RunFacts) -> None:
    # What an earlier attempt has saved is safe: nothing newer could be lost before this one began.
    safe = [
        max(run.saved[attempt.job_id], attempt.started) if attempt.job_id in run.saved else attempt.started
        for attempt in run.running
    ]
    _moment(readings, metrics.CHECKPOINT_TIMESTAMP, min(safe, default=None), kind="job")
    if run.row.state is RunState.RUNNING:
        # A file of an earlier run says nothing about this one, and there may be none yet.
        written = max(facts.progress_written or run.row.created, run.row.created)
        _moment(readings, metrics.CHECKPOINT_TIMESTAMP, written, kind="night")


def _moment(readings: Readings, metric: Metric, moment: datetime | None, **labels: str) -> None:
    if moment is not None:
        readings.put(metric, moment.timestamp(), **labels)
