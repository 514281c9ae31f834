"""The cells of a night for its report: what each scored, with its interval, and what it cost.

Reports of a thousand cells are megabytes. Of each only a few values are shown, so they are read and not
validated: what a trainer brings was checked when it came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from sqlalchemy import select

from common.protocol.curves import NullDistribution, ReliabilityBin
from common.protocol.jobs import JobKind, JobState
from coordinator.policy.confidence import interval_of
from coordinator.store.database import Transaction
from coordinator.store.rows import AttemptRow, JobRow
from coordinator.store.tables import reports
from coordinator.views.jobs import attempts_of, jobs_of

CHUNK = 500
"""So many reports are read at a time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is shown of a training's report; None and empty where an earlier version did not measure it.

    `interval` holds the AUC with 95 %. `edge_bp` is with its standard error. `stages` are seconds by the name
    of a stage.
    """

    interval: tuple[float, float] | None
    reliability: tuple[ReliabilityBin, ...]
    edge_bp: float | None
    edge_error_bp: float | None
    stages: dict[str, float]

    @property
    def calibration_error(self) -> float | None:
        """Mean distance of the predicted probability from the share that rose, weighted by rows."""
        rows = sum(one.rows for one in self.reliability)
        if not rows:
            return None
        return sum(one.rows * abs(one.predicted - one.observed) for one in self.reliability) / rows


@dataclass(frozen=True, slots=True)
class ReportedJob:
    """A job of a night with its attempts; `measured` is None for a survey and before it was trained."""

    job: JobRow
    attempts: tuple[AttemptRow, ...]
    measured: Measured | None

    @property
    def seconds(self) -> float | None:
        """How long its last attempt took."""
        return self.attempts[-1].seconds if self.attempts else None

    @property
    def peak_bytes(self) -> int | None:
        """The most memory that one of its attempts took."""
        return max((one.peak_memory_bytes for one in self.attempts if one.peak_memory_bytes), default=None)

    @property
    def auc(self) -> float | None:
        """Its AUC out of fold."""
        return self.job.auc

    @property
    def is_sure(self) -> bool:
        """Whether the whole interval of its AUC lies above that of a coin."""
        return (
            self.measured is not None
            and self.measured.interval is not None
            and self.measured.interval[0] > 0.5
        )


def reported_jobs(tx: Transaction, run_id: int) -> tuple[ReportedJob, ...]:
    """Return all jobs of a night, surveys too, in the order of the grid."""
    found = jobs_of(tx, run_id)
    history = attempts_of(tx, [job.id for job in found])
    trained = [job.id for job in found if job.kind is JobKind.TRAINING and job.state is JobState.SUCCEEDED]
    measured = _measured(tx, trained)
    return tuple(ReportedJob(job, tuple(history[job.id]), measured.get(job.id)) for job in found)


def _measured(tx: Transaction, job_ids: Sequence[int]) -> dict[int, Measured]:
    found = {}
    for start in range(0, len(job_ids), CHUNK):
        wanted = job_ids[start : start + CHUNK]
        query = select(reports.c.job_id, reports.c.document).where(reports.c.job_id.in_(wanted))
        for job_id, document in tx.connection.execute(query):
            found[job_id] = _read(from_json(document))
    return found


def _read(document: dict[str, Any]) -> Measured:
    curves, edge = document.get("curves") or {}, document.get("edge") or {}
    null = curves.get("null")
    return Measured(
        interval=interval_of(NullDistribution.model_validate(null)) if null else None,
        reliability=tuple(ReliabilityBin.model_validate(one) for one in curves.get("reliability", ())),
        edge_bp=edge.get("edge_bp"),
        edge_error_bp=edge.get("standard_error_bp"),
        stages=dict(document.get("stage_seconds", {})),
    )
