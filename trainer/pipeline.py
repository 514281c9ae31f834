"""Training one cell, from candles to a certified model, in the order in which a job passes through.

Nothing here knows of a network: what is read and kept is asked of the functions that `train` is given.
Nothing global is set either; the process that trains sets ``OPENBLAS_NUM_THREADS=1`` (and
``OMP_NUM_THREADS=1``) in its environment before numpy is imported, since one thread a trainer is what the
machine is divided by and what makes sums repeatable.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np

from common.errors import DataError
from common.protocol.jobs import TrainingSpec
from common.protocol.reports import (
    CHECKPOINT_SCHEMA,
    Certificate,
    Checkpoint,
    FoldModel,
    FoldReport,
    Manifest,
    Span,
    TrainingReport,
)
from common.timeframes import Timeframe
from trainer.candles.candles import Candles, FloatArray
from trainer.evidence.certificate import check_choice, check_features, check_labels, check_scalers, moment_of
from trainer.evidence.champion import compare
from trainer.evidence.significance import auc_p_value
from trainer.features.indicators import FEATURE_VERSION
from trainer.features.labels import Labels, rise_labels
from trainer.features.matrix import FeatureMatrix, open_features, versions
from trainer.learning.crossval import CrossValidation, FoldFit
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_path import LogisticPath
from trainer.learning.scores import score
from trainer.learning.splits import Fold, require_trainable, walk_forward

Progress = Callable[[str, int, int], None]


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
    embargo_ms = spec.embargo_minutes * 60_000
    with stages.enter("features"):
        own = _surveyed(spec, candles, spec.cell.timeframe)
        coarser = [name for name in spec.cell.timeframe.context if name in spec.data_digests]
        context = [_surveyed(spec, candles, name) for name in coarser]
        matrix = open_features(cache_dir, own, context)
        context = [bars for bars in context if bars.timeframe in matrix.contexts]
    with stages.enter("labels"):
        labels = rise_labels(own, matrix.bar, spec.cell.horizon)
        design = DesignMatrix(matrix.values, labels.row)
        folds = walk_forward(labels.close_time, labels.end, spec.n_splits, embargo_ms)
        require_trainable(folds, labels.y, spec.min_train_rows, spec.min_test_rows, spec.cell.name)
    inputs = inputs_digest(spec, matrix)
    reports = _finished(load_checkpoint(), inputs)
    resumed = len(reports)
    with stages.enter("folds", resumed):
        fits = [_fit_of(report, fold, spec.Cs) for report, fold in zip(reports, folds, strict=False)]
        crossval = CrossValidation(design, labels.y, folds, spec.Cs, fits)
        tested = [_tested(fit, design) for fit in fits]
    for _ in folds[resumed:]:
        with stages.enter("folds"):
            fit = crossval.fit_next()
            tested.append(_tested(fit, design))
            reports.append(_fold_report(fit, tested[-1], labels, own.interval_ms, spec.Cs))
            save_checkpoint(Checkpoint(inputs=inputs, folds=tuple(reports)))
    with stages.enter("final"):
        choice, model = crossval.final()
    with stages.enter("significance"):
        first = folds[0].test_start
        p, y = np.concatenate(tested), labels.y[first:]
        scores = score(p, y)
        p_value = auc_p_value(p, y, spec.cell.horizon)
    with stages.enter("certificate"):
        bar = matrix.bar[labels.row]
        horizon = spec.cell.horizon
        scalers = check_scalers(design, own, bar, horizon, reports, (model.means, model.scales), embargo_ms)
        certificate = Certificate(
            checks=(
                check_features(matrix, own, context),
                check_labels(own, bar, labels, horizon, reports, embargo_ms),
                scalers,
                check_choice(reports, spec.Cs, spec.Cs[choice]),
            )
        )
    with stages.enter("champion"):
        compared = champion and compare(
            champion, spec.cell, matrix.names, design, labels.close_time, labels.y, first, p
        )
    span = Span(start=moment_of(labels.close_time[0] - own.interval_ms), end=moment_of(labels.close_time[-1]))
    manifest = Manifest(
        cell=spec.cell,
        synthetic=spec.synthetic or own.synthetic,
        features=matrix.names,
        feature_version=FEATURE_VERSION,
        means=tuple(model.means.tolist()),
        scales=tuple(model.scales.tolist()),
        coefficients=tuple(model.coefficients.tolist()),
        intercept=model.intercept,
        C=spec.Cs[choice],
        fold_models=tuple(_fold_model(report, spec.Cs) for report in reports),
        embargo_minutes=spec.embargo_minutes,
        trained_rows=len(labels),
        trained_span=Span(start=span.start, end=moment_of(labels.end[-1])),
        scores=scores,
        p_value=p_value,
        certificate=certificate,
        lineage=_lineage(spec, matrix, inputs),
        pickle_sha256="",
    )
    stages.finish()
    return TrainingReport(
        cell=spec.cell,
        rows=len(labels),
        span=span,
        scores=scores,
        folds=tuple(reports),
        p_value=p_value,
        certificate=certificate,
        champion=compared,
        manifest=manifest,
        stage_seconds=stages.seconds,
        resumed_folds=resumed,
    )


def inputs_digest(spec: TrainingSpec, matrix: FeatureMatrix) -> str:
    """Return the SHA-256 of all that a fold depends on: specification, features, versions."""
    parts = {
        "spec": spec.model_dump(mode="json"),
        "features": [matrix.digest, FEATURE_VERSION, *matrix.names],
        "versions": _versions(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Stages:
    def __init__(self, progress: Progress, folds: int) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        self._done = 0
        self._total = folds + 6

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


def _finished(checkpoint: Checkpoint | None, inputs: str) -> list[FoldReport]:
    if checkpoint is None or checkpoint.version != CHECKPOINT_SCHEMA or checkpoint.inputs != inputs:
        return []
    return list(checkpoint.folds)


def _fit_of(report: FoldReport, fold: Fold, Cs: Sequence[float]) -> FoldFit:
    path = LogisticPath(
        means=np.asarray(report.means),
        scales=np.asarray(report.scales),
        coefficients=np.asarray(report.coefficients),
        intercepts=np.asarray(report.intercepts),
        passes=report.iterations,
    )
    return FoldFit(fold, path, report.log_losses, Cs.index(report.C), report.C_chosen_from)


def _tested(fit: FoldFit, design: DesignMatrix) -> FloatArray:
    return fit.model.predict(design, fit.fold.test_start, fit.fold.test_stop)


def _fold_report(
    fit: FoldFit, p: FloatArray, labels: Labels, interval_ms: int, Cs: Sequence[float]
) -> FoldReport:
    fold, path = fit.fold, fit.path
    opens = labels.close_time - interval_ms
    return FoldReport(
        index=fold.index,
        train_rows=fold.train_stop,
        test_rows=fold.test_stop - fold.test_start,
        train_span=Span(start=moment_of(opens[0]), end=moment_of(labels.close_time[fold.train_stop - 1])),
        test_span=Span(
            start=moment_of(opens[fold.test_start]), end=moment_of(labels.close_time[fold.test_stop - 1])
        ),
        last_train_label_end=moment_of(labels.end[fold.train_stop - 1]),
        C=Cs[fit.choice],
        C_chosen_from=fit.chosen_from,
        log_losses=fit.log_losses,
        means=tuple(path.means.tolist()),
        scales=tuple(path.scales.tolist()),
        coefficients=tuple(map(tuple, path.coefficients.tolist())),
        intercepts=tuple(path.intercepts.tolist()),
        iterations=path.passes,
        scores=score(p, labels.y[fold.test_start : fold.test_stop]),
    )


def _fold_model(report: FoldReport, Cs: Sequence[float]) -> FoldModel:
    position = Cs.index(report.C)
    return FoldModel(
        trained_until=report.last_train_label_end,
        means=report.means,
        scales=report.scales,
        coefficients=report.coefficients[position],
        intercept=report.intercepts[position],
    )


def _versions() -> dict[str, str]:
    return versions() | {"scipy": version("scipy"), "scikit-learn": version("scikit-learn")}


def _lineage(spec: TrainingSpec, matrix: FeatureMatrix, inputs: str) -> dict[str, str]:
    read = (spec.cell.timeframe, *matrix.contexts)
    return {
        **{f"candles_{timeframe}": spec.data_digests[timeframe] for timeframe in read},
        "features": matrix.digest,
        "configuration": hashlib.sha256(spec.model_dump_json().encode()).hexdigest(),
        "inputs": inputs,
        **_versions(),
    }
