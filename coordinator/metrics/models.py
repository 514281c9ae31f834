"""The models of the night as metrics: promotions, and earlier runs to compare with."""

from __future__ import annotations

from statistics import fmean

from common.metrics import declarations as metrics
from common.metrics.exposition import Readings
from coordinator.metrics.facts import Facts, RunFacts


def read_models(readings: Readings, facts: Facts) -> None:
    """Read what was promoted, and what the run is measured by."""
    run = facts.run
    if run is None:
        return
    readings.put(metrics.RUN_PROMOTED_MODELS, float(run.book.promoted))
    refusals: dict[tuple[str, ...], float] = {
        (str(reason),): float(count) for reason, count in run.book.refusals.items()
    }
    readings.counts(metrics.RUN_REFUSED_MODELS, refusals)
    _read_measure(readings, run)


def _read_measure(readings: Readings, run: RunFacts) -> None:
    gate = run.view.config.promote_if
    limits = {"auc": gate.min_auc, "brier": gate.max_brier, "accuracy": gate.min_acc}
    for score, limit in limits.items():
        readings.put(metrics.PROMOTION_LIMIT, limit, score=score)
    readings.put(metrics.EARLIER_RUNS, float(len(run.earlier_aucs)))
    if run.earlier_aucs:
        readings.put(metrics.EARLIER_AUC, fmean(run.earlier_aucs))
