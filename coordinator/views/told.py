"""What the results tell of a training's report, read without the models that it holds.

A night's results are made of all its reports at once while everybody waits for its end; most of a report is
coefficients, which they do not tell.
"""

from __future__ import annotations

from pydantic import ConfigDict

from common.bounds import Count
from common.frozen import Frozen
from common.protocol.jobs import JobKind, JobState
from common.protocol.reports import Certificate, Edge, FoldResult, GateScores, Recalibration, Span, Ties
from coordinator.store.database import Transaction
from coordinator.store.documents import read_document
from coordinator.store.rows import JobRow
from coordinator.views.jobs import REPORT


class ToldFold(FoldResult):
    """A fold without its model."""

    model_config = ConfigDict(extra="ignore")


class Told(Frozen):
    """Those fields of `TrainingReport`."""

    model_config = ConfigDict(extra="ignore")

    rows: Count
    span: Span
    folds: tuple[ToldFold, ...]
    certificate: Certificate
    ties: Ties | None = None
    edge: Edge | None = None
    gates: GateScores | None = None
    recalibration: Recalibration | None = None


def told_of(tx: Transaction, job: JobRow) -> Told | None:
    """Return what is told of a training job's report; None for any other job, and before it succeeded."""
    if job.kind is not JobKind.TRAINING or job.state is not JobState.SUCCEEDED:
        return None
    document = REPORT.on(tx.connection, {"job": job.id}).scalar_one()
    return read_document(Told, document, f"the report of {job.name}")
