"""The models of the night as metrics: scores, promotions, earlier runs."""

from __future__ import annotations

from collections import Counter
from statistics import fmean

from common.metrics import declarations as metrics
from common.metrics.exposition import Readings
from common.protocol.jobs import JobKind
from coordinator.metrics.facts import Facts, RunFacts, cell_labels
from coordinator.store.rows import JobRow


def read_models(readings: Readings, facts: Facts) -> None:
    """Read each cell's scores, what was promoted, and what the run is measured by."""
    run = facts.run
    if run is None:
        return
    trained = [job for job in run.jobs.values() if job.kind is JobKind.TRAINING]
    for job in trained:
        _read_cell(readings, job)
    promoted = sum(bool(job.promoted) for job in trained)
    readings.put(metrics.RUN_PROMOTED_MODELS, float(promoted))
    refusals: Counter[tuple[str, ...]] = Counter((reason,) for job in trained for reason in job.refused_by)
    readings.counts(metrics.RUN_REFUSED_MODELS, refusals)
    _read_measure(readings, run)


def _read_cell(readings: Readings, job: JobRow) -> None:
    cell = cell_labels(job)
    if job.scores is not None:
        if job.scores.auc is not None:
            readings.put(metrics.CELL_AUC, job.scores.auc, **cell)
        readings.put(metrics.CELL_BRIER, job.scores.brier, **cell)
        readings.put(metrics.CELL_ACCURACY, job.scores.accuracy, **cell)
    if job.promoted is not None:
        readings.put(metrics.CELL_PROMOTED, float(job.promoted), **cell)


def _read_measure(readings: Readings, run: RunFacts) -> None:
    gate = run.view.config.promote_if
    limits = {"auc": gate.min_auc, "brier": gate.max_brier, "accuracy": gate.min_acc}
    for score, limit in limits.items():
        readings.put(metrics.PROMOTION_LIMIT, limit, score=score)
    readings.put(metrics.EARLIER_RUNS, float(len(run.earlier_aucs)))
    if run.earlier_aucs:
        readings.put(metrics.EARLIER_AUC, fmean(run.earlier_aucs))
