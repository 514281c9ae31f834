"""Frozen rows: what a transaction has read, by name and with types.

A row may have been written by an earlier version, which believed more of what it was told: numbers are held
to their bounds, and a document that cannot be read counts as none, so that one bad row takes nothing along.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Row, Select, Table, literal_column, select

from common.bounds import MOST_BYTES, MOST_ROWS, MOST_SECONDS, MOST_TURNOVER, clamped
from common.errors import NotFoundError
from common.protocol.job_views import Outcome, RefusalReason
from common.protocol.jobs import Cause, Cell, JobKind, JobState
from common.protocol.reports import Scores
from common.protocol.runs import RunState
from common.protocol.steering import Hold
from common.protocol.trainers import LimitKind, Progress
from common.timeframes import Timeframe
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.tables import attempts, jobs, runs, trainers


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A row of `runs` without its configuration, which is as long as the grid has symbols."""

    id: int
    state: RunState
    synthetic: bool
    created: datetime
    decided: datetime | None
    finished: datetime | None
    results_path: str
    paused: datetime | None = None
    paused_by: str = ""
    paused_reason: str = ""
    pause_gives_back: bool = False
    ended_early: datetime | None = None
    ended_early_by: str = ""
    ended_early_reason: str = ""
    report_path: str = ""
    retrain: bool = False

    @property
    def pause(self) -> Hold | None:
        """Who has paused it, or None."""
        if self.paused is None:
            return None
        return Hold(since=self.paused, by=self.paused_by, reason=self.paused_reason)

    @property
    def early_end(self) -> Hold | None:
        """Who has ended it before all was done, or None."""
        if self.ended_early is None:
            return None
        return Hold(since=self.ended_early, by=self.ended_early_by, reason=self.ended_early_reason)

    @property
    def held_back(self) -> str:
        """Why an operator wants none of its jobs to be handed out, in words; empty if nobody does."""
        if self.early_end is not None:
            return f"the night is ended early {self.early_end.words}"
        return f"the night is paused {self.pause.words}" if self.pause is not None else ""

    @property
    def wanted_back(self) -> str:
        """Why an operator wants its running jobs to be given back, in words; empty if nobody does."""
        return self.held_back if self.early_end is not None or self.pause_gives_back else ""

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> Self:
        """Read the row."""
        return cls(**{**row._mapping, "state": RunState(row.state)})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow(RunHead):
    """A row of `runs`."""

    config: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """A row of `jobs`."""

    id: int
    run_id: int
    ordinal: int
    kind: JobKind
    symbol: str
    timeframe: Timeframe | None
    horizon: int | None
    state: JobState
    cause: Cause | None
    message: str
    rows: int | None
    waiting_since: datetime | None
    not_before: datetime | None
    oom_room_bytes: int | None
    created: datetime
    started: datetime | None
    finished: datetime | None
    changed: datetime
    auc: float | None
    p_value: float | None
    promoted: bool | None
    spec: str | None
    scores: Scores | None
    refused_by: tuple[RefusalReason, ...]
    reasons: tuple[str, ...]
    forgiven: int
    wanted_next: datetime | None
    volume: float
    revision: int
    program: str
    reused_from: int | None
    reused_run: int | None
    again: str

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> Self:
        """Read the row."""
        values = dict(row._mapping)
        values["kind"] = JobKind(row.kind)
        values["timeframe"] = Timeframe(row.timeframe) if row.timeframe else None
        values["state"] = JobState(row.state)
        values["cause"] = Cause(row.cause) if row.cause else None
        values["scores"] = scores_of(row.scores)
        values["refused_by"] = tuple(map(RefusalReason, _listed(row.refused_by)))
        values["reasons"] = tuple(_listed(row.reasons))
        return cls(**_within(values, _JOB_BOUNDS))

    @property
    def cell(self) -> Cell:
        """The cell of a training job."""
        assert self.timeframe is not None and self.horizon is not None
        return Cell(symbol=self.symbol, timeframe=self.timeframe, horizon=self.horizon)

    @property
    def name(self) -> str:
        """What people call the job: ``BTCUSDT_1h_H3`` or ``survey of BTCUSDT``."""
        return job_name(self.kind, self.symbol, self.timeframe, self.horizon)


def job_name(kind: JobKind, symbol: str, timeframe: str | None, horizon: int | None) -> str:
    """Return what people call a job: ``BTCUSDT_1h_H3`` or ``survey of BTCUSDT``."""
    return f"{symbol}_{timeframe}_H{horizon}" if kind is JobKind.TRAINING else f"survey of {symbol}"


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A row of `attempts`."""

    id: int
    job_id: int
    number: int
    lease_id: str
    boot_id: str
    trainer: str
    host: str
    alone: bool
    memory_limit_bytes: int
    deadline_seconds: float
    started: datetime
    renewed: datetime
    expires: datetime
    progress: str | None
    artifact_sha256: str | None
    outcome: Outcome
    cause: Cause | None
    charged: bool
    message: str
    evidence: str
    retry_in_seconds: float | None
    ended: datetime | None
    seconds: float | None
    peak_memory_bytes: int | None
    resumed_folds: int | None

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> Self:
        """Read the row."""
        values = dict(row._mapping)
        values["outcome"] = Outcome(row.outcome)
        values["cause"] = Cause(row.cause) if row.cause else None
        return cls(**_within(values, _ATTEMPT_BOUNDS))

    @property
    def reported(self) -> Progress | None:
        """The progress that was last reported of it."""
        return progress_of(self.progress)


@dataclass(frozen=True, slots=True)
class TrainerRow:
    """A row of `trainers`."""

    boot_id: str
    name: str
    host: str
    limit_kind: LimitKind
    memory_limit_bytes: int
    version: str
    registered: datetime
    last_seen: datetime
    superseded: datetime | None
    memory_total_bytes: int
    memory_available_bytes: int
    cpu_ratio: float
    note: str
    disk_folder: str
    disk_free_bytes: int | None
    disk_problem: str
    blocked_since: datetime | None
    paused_until: datetime | None
    paused_by: str
    load: str | None
    load_seen: datetime | None

    @classmethod
    def of(cls, row: Row[*tuple[Any, ...]]) -> Self:
        """Read the row."""
        values = {**row._mapping, "limit_kind": LimitKind(row.limit_kind)}
        return cls(**_within(values, _TRAINER_BOUNDS))


_JOB_BOUNDS = {
    "rows": MOST_ROWS,
    "oom_room_bytes": MOST_BYTES,
    "auc": 1.0,
    "p_value": 1.0,
    "volume": MOST_TURNOVER,
}
_ATTEMPT_BOUNDS = {
    "memory_limit_bytes": MOST_BYTES,
    "deadline_seconds": MOST_SECONDS,
    "retry_in_seconds": MOST_SECONDS,
    "seconds": MOST_SECONDS,
    "peak_memory_bytes": MOST_BYTES,
    "resumed_folds": MOST_ROWS,
}
_TRAINER_BOUNDS = {
    "memory_limit_bytes": MOST_BYTES,
    "memory_total_bytes": MOST_BYTES,
    "memory_available_bytes": MOST_BYTES,
    "cpu_ratio": 1.0,
    "disk_free_bytes": MOST_BYTES,
}
"""The most that each number of a row can be; none is below 0."""


def _listed(document: str) -> Sequence[str]:
    # Until its run is decided a job has neither.
    return () if document == "[]" else json.loads(document)


def _within(values: dict[str, Any], bounds: dict[str, Any]) -> dict[str, Any]:
    """Hold the numbers of a row to their bounds, and return it."""
    for name, most in bounds.items():
        value = values[name]
        # Nearly all are; a number that is none of either kind is within no bounds.
        if value is not None and not (type(value) is type(most) and 0 <= value <= most):
            values[name] = clamped(value, type(most)(0), most)
    return values


def progress_of(document: str | None) -> Progress | None:
    """Return the progress that a document tells of; None if there is none, or it cannot be read."""
    try:
        return Progress.model_validate_json(document) if document else None
    except ValidationError:
        return None


def scores_of(document: str | None) -> Scores | None:
    """Return the scores that a document tells of; None if there is none, or it cannot be read."""
    try:
        return Scores.model_validate_json(document) if document else None
    except ValidationError:
        return None


def all_of(table: Table) -> Select[Any]:
    """Return the query of whole rows of a table."""
    return select(*table.c)


# Ordered by the bare number, SQLite would read the attempts of all nights instead of the few in the index.
_BY_ID: ColumnElement[int] = literal_column("attempts.id + 0")
OPEN_ATTEMPTS = all_of(attempts).where(attempts.c.ended.is_(None)).order_by(_BY_ID)
PRESENT_TRAINERS = all_of(trainers).where(trainers.c.superseded.is_(None)).order_by(trainers.c.name)
JOBS = all_of(jobs)
HEADS = select(*(column for column in runs.c if column.name != "config"))
# Written out, since there is an index of it: see `coordinator.store.prepared`.
_IS_RUNNING = runs.c.state == literal_column(f"'{RunState.RUNNING}'")
_RUNNING_HEAD = Prepared(HEADS.where(_IS_RUNNING))
_RUNNING = all_of(runs).where(_IS_RUNNING)
_RUNNING_LOCKED = _RUNNING.with_for_update()
_UNLOCKED = Prepared(_RUNNING)
_NEWEST = Prepared(all_of(runs).order_by(runs.c.id.desc()).limit(1))


def running_run(tx: Transaction, lock: bool = False) -> RunRow | None:
    """Return the unfinished run, of which there is one at most; `lock` keeps others from changing it."""
    asked = tx.connection.execute(_RUNNING_LOCKED) if lock else _UNLOCKED.on(tx.connection)
    row = asked.first()
    return None if row is None else RunRow.of(row)


def running_head(tx: Transaction) -> RunHead | None:
    """Return the unfinished run without its configuration."""
    row = _RUNNING_HEAD.on(tx.connection).first()
    return None if row is None else RunHead.of(row)


def newest_run(tx: Transaction) -> RunRow | None:
    """Return the run that was made last."""
    row = _NEWEST.on(tx.connection).first()
    return None if row is None else RunRow.of(row)


def find_run(tx: Transaction, run_id: int) -> RunRow:
    """Return a run by its id.

    Raises
    ------
    NotFoundError
        There is no such run.
    """
    row = tx.connection.execute(all_of(runs).where(runs.c.id == run_id).with_for_update()).first()
    if row is None:
        raise NotFoundError(f"there is no night {run_id}")
    return RunRow.of(row)
