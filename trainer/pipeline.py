"""Training one cell, from candles to a certified model, in the order in which a job passes through.

Nothing here knows of a network: what is read and kept is asked of the functions that `train` is given.
Nothing global is set either; the process that trains sets ``OPENBLAS_NUM_THREADS=1`` (and
``OMP_NUM_THREADS=1``) in its environment before numpy is imported, since one thread a trainer is what the
machine is divided by and what makes sums repeatable.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np

from common.errors import DataError
from common.frozen import build_all
from common.protocol.faults import checkpoint_fault
from common.protocol.jobs import TrainingSpec
from common.protocol.reports import (
    CHECKPOINT_SCHEMA,
    Checkpoint,
    FoldReport,
    GateScores,
    Manifest,
    Span,
    TrainingReport,
)
from common.timeframes import Timeframe
from trainer.candles.arrays import FloatArray
from trainer.candles.candles import Candles, lost_rows
from trainer.candles.moments import moment_of
from trainer.evidence.certificate import certify
from trainer.evidence.champion import compare
from trainer.evidence.curves import curves
from trainer.evidence.known import Known
from trainer.features.indicators import FEATURE_VERSION, WARM_UP
from trainer.features.labels import LABEL_VERSION, require_moves
from trainer.features.matrix import FeatureMatrix, open_features, versions
from trainer.learning.base_rate import base_rate_log_loss
from trainer.learning.crossval import WALK_FORWARD_VERSION, CrossValidation, FoldFit
from trainer.learning.fold_reports import fit_of, fold_model, fold_report, recalibrated
from trainer.learning.recalibration import RECALIBRATION_VERSION, Forecast, recalibrations, rescaled
from trainer.learning.scores import Ordered, score_ties
from trainer.learning.splits import require_trainable
from trainer.learning.training_set import TrainingSet
from trainer.program import program_digest

# The fork server imports this once, and a child is forked for each cell.
build_all()
program_digest()
logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]

_VERSIONS = versions() | {"scipy": version("scipy"), "scikit-learn": version("scikit-learn")}
"""Read once, with the import: to ask for them takes longer than a fold of a small cell."""


def train(
    spec: TrainingSpec,
    candles: Callable[[Timeframe], Candles | None],
    cache_dir: Path,
    load_checkpoint: Callable[[], Checkpoint | None],
    save_checkpoint: Callable[[Checkpoint], None],
    champion: Manifest | None,
    progress: Progress,
) -> TrainingReport:
    """Train one cell.

    Parameters
    ----------
    spec : TrainingSpec
        What to train.
    candles : callable
        Gives the candles of the cell's symbol at a timeframe, or None.
    cache_dir : Path
        Where feature matrices are kept.
    load_checkpoint : callable
        Gives the folds of an earlier attempt, or None; used if it was computed from the same inputs.
    save_checkpoint : callable
        Called after every fold with all finished ones.
    champion : Manifest or None
        The cell's promoted model, to be compared.
    progress : callable
        Called as ``progress(stage, steps done, steps in all)``.

    Returns
    -------
    TrainingReport
        Equal candles, specification and versions give equal scores and coefficients to the last digit,
        whether or not the job was resumed.

    Raises
    ------
    DataError
        The candles cannot be trained on; trying again cannot help.
    StorageError
        The feature matrix could not be written.
    """
    stages = _Stages(progress, spec.n_splits)
    horizon, Cs = spec.cell.horizon, spec.Cs
    with stages.enter("features"):
        own = _surveyed(spec, candles, spec.cell.timeframe)
        coarser = [name for name in spec.cell.timeframe.context if name in spec.data_digests]
        context = [_surveyed(spec, candles, name) for name in coarser]
        matrix = open_features(cache_dir, own, context)
    with stages.enter("labels"):
        data = TrainingSet.of(
            own, context, matrix, horizon, spec.n_splits, spec.embargo_minutes * 60_000, spec.label
        )
        require_moves(data.labels, spec.cell.name)
        least = spec.min_train_rows, spec.min_test_rows
        lost = partial(lost_rows, own.open_time, own.interval_ms, WARM_UP + horizon)
        require_trainable(data.folds, data.labels.y, *least, spec.cell.name, lost)
    inputs = inputs_digest(spec, matrix)
    reports = _finished(load_checkpoint(), inputs, spec, data)
    resumed = len(reports)
    with stages.enter("folds", resumed):
        fits = [fit_of(report, fold, Cs) for report, fold in zip(reports, data.folds, strict=False)]
        crossval = CrossValidation(data.design, data.labels.y, data.folds, Cs, fits)
        judged = [_judged(crossval, fit, data) for fit in fits]
    for _ in data.folds[resumed:]:
        with stages.enter("folds"):
            fit = crossval.fit_next()
            judged.append(_judged(crossval, fit, data))
            reports.append(fold_report(fit, judged[-1][0], data, Cs))
            save_checkpoint(Checkpoint(inputs=inputs, folds=tuple(reports)))
    with stages.enter("final"):
        choice, fitted = crossval.final()
    with stages.enter("recalibration"):
        forecasts = [
            Forecast.of(p, data.labels.y[fit.fold.test_start : fit.fold.test_stop], fit.model.intercept)
            for fit, (p, _) in zip(crossval.fits, judged, strict=True)
        ]
        in_time = [each.first(fold.known) for each, fold in zip(forecasts, data.folds, strict=True)]
        *of_folds, recalibration = recalibrations(in_time, horizon)
        tested = [each.drawn(one.slope) for each, one in zip(forecasts, of_folds, strict=True)]
        tied = [
            Forecast.of(p, p, each.intercept).drawn(one.slope)
            for (_, p), each, one in zip(judged, forecasts, of_folds, strict=True)
        ]
        reports = [recalibrated(*each) for each in zip(reports, of_folds, forecasts, tested, strict=True)]
        known = Known()
        for report, forecast, said in list(zip(reports, forecasts, tested, strict=True))[resumed:]:
            known.keep_scores(said, forecast.y, report.scores)
        model = rescaled(fitted, recalibration.slope)
    with stages.enter("significance"):
        p, y = np.concatenate(tested), data.labels.y[data.first_test_row :]
        ordered = Ordered.of(p, y)
        scores, test = known.scores_and_test(p, y, horizon, data.memory, ordered)
        ties = score_ties(ordered, np.concatenate(tied), len(data.labels.tie), data.labels.tie_share)
        drawn = curves(ordered, test)
        del ordered
        p_value = 1.0 if test is None else test.p_value
        # A slope leaves a fold's predictions in their order, which is all that the tenths are chosen by.
        outcomes = [data.outcome(fold, *said) for fold, said in zip(data.folds, judged, strict=True)]
        gained = known.edge(outcomes, horizon, spec.label.costs_bp)
        base_rates = [float(data.labels.y[: fold.train_stop].mean()) for fold in data.folds]
        constant = base_rate_log_loss(base_rates, [each.y for each in forecasts])
        gates = GateScores(base_rate_log_loss=constant, newest_fold=reports[-1].scores)
        # Their room is what the certificate takes for its own.
        del forecasts, in_time
    with stages.enter("certificate"):
        claimed = scores, p_value, gained, recalibration, gates
        certificate = certify(data, reports, Cs, (Cs[choice], model), *claimed, known)
    with stages.enter("champion"):
        compared = champion and compare(champion, spec.cell, data, p, known)
    span = data.span(0, len(data))
    manifest = Manifest(
        cell=spec.cell,
        label=spec.label,
        synthetic=spec.synthetic or own.synthetic,
        features=matrix.names,
        feature_version=FEATURE_VERSION,
        means=tuple(model.means.tolist()),
        scales=tuple(model.scales.tolist()),
        coefficients=tuple(model.coefficients.tolist()),
        intercept=model.intercept,
        C=Cs[choice],
        fold_models=tuple(fold_model(report, Cs) for report in reports),
        embargo_minutes=spec.embargo_minutes,
        trained_rows=len(data),
        trained_span=Span(start=span.start, end=moment_of(data.labels.end[-1])),
        scores=scores,
        edge=gained,
        gates=gates,
        recalibration=recalibration,
        p_value=p_value,
        certificate=certificate,
        lineage=_lineage(spec, matrix, inputs),
        label_version=LABEL_VERSION,
        pickle_sha256="",
    )
    stages.finish()
    return TrainingReport(
        cell=spec.cell,
        rows=len(data),
        span=span,
        scores=scores,
        folds=tuple(reports),
        p_value=p_value,
        certificate=certificate,
        champion=compared,
        manifest=manifest,
        stage_seconds=stages.seconds,
        resumed_folds=resumed,
        ties=ties,
        edge=gained,
        gates=gates,
        recalibration=recalibration,
        curves=drawn,
        program=program_digest(),
    )


def inputs_digest(spec: TrainingSpec, matrix: FeatureMatrix) -> str:
    """Return the SHA-256 of all that a fold depends on: specification, features, labels, versions."""
    parts = {
        "spec": spec.model_dump(mode="json"),
        "features": [matrix.digest, FEATURE_VERSION, *matrix.names],
        "labels": LABEL_VERSION,
        "folds": WALK_FORWARD_VERSION,
        "versions": _VERSIONS,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Stages:
    def __init__(self, progress: Progress, folds: int) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._done = 0
        self._total = folds + 7

    @contextmanager
    def enter(self, stage: str, steps: int = 1) -> Iterator[None]:
        self._progress(stage, self._done, self._total)
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
        self._done += steps

    def finish(self) -> None:
        self._progress("report", self._total, self._total)


def _surveyed(
    spec: TrainingSpec, candles: Callable[[Timeframe], Candles | None], timeframe: Timeframe
) -> Candles:
    where = f"{spec.cell.symbol} {timeframe}"
    found = candles(timeframe)
    if found is None:
        raise DataError(f"{where}: the surveyed candles are not in the cache", "run again with --fresh")
    if found.digest != spec.data_digests.get(timeframe):
        raise DataError(f"{where}: candles changed since the survey", "run again with --fresh")
    return found


def _finished(
    checkpoint: Checkpoint | None, inputs: str, spec: TrainingSpec, data: TrainingSet
) -> list[FoldReport]:
    if checkpoint is None or checkpoint.version != CHECKPOINT_SCHEMA or checkpoint.inputs != inputs:
        return []
    fault = checkpoint_fault(checkpoint, spec)
    for report, fold in zip(checkpoint.folds, data.folds, strict=False):
        lengths = (report.train_rows, report.test_rows, len(report.means))
        if lengths != (fold.train_stop, fold.test_stop - fold.test_start, len(data.matrix.names)):
            fault = fault or f"fold {report.index + 1} is of other rows or columns"
    if fault:
        logger.warning("%s: its checkpoint is malformed and counts as none: %s", spec.cell.name, fault)
        return []
    return list(checkpoint.folds)


def _judged(crossval: CrossValidation, fit: FoldFit, data: TrainingSet) -> tuple[FloatArray, FloatArray]:
    """Return what a fold's chosen model says of its test rows, and of the ties between them."""
    fold, stretch, said = fit.fold, crossval.stretch(fit.fold), crossval.predictions(fit)
    tested = stretch.at(said, data.labels.row[fold.test_start : fold.test_stop])
    return tested, stretch.at(said, data.ties_of(fold))


def _lineage(spec: TrainingSpec, matrix: FeatureMatrix, inputs: str) -> dict[str, str]:
    read = (spec.cell.timeframe, *matrix.contexts)
    return {
        **{f"candles_{timeframe}": spec.data_digests[timeframe] for timeframe in read},
        "features": matrix.digest,
        "recalibration": RECALIBRATION_VERSION,
        "configuration": hashlib.sha256(spec.model_dump_json().encode()).hexdigest(),
        "inputs": inputs,
        **_VERSIONS,
    }
