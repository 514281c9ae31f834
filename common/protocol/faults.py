"""What is wrong with a result by itself, or beside the specification and the survey.

Whether the numbers are those of the candles only a training can tell, and its certificate does. Here is what
everybody can tell who has no candles: lengths, orders, sums, and what must be the same in two places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from common.protocol.jobs import SurveySpec, TrainingSpec
from common.protocol.reports import (
    CHECKPOINT_SCHEMA,
    MANIFEST_SCHEMA,
    Checkpoint,
    FoldModel,
    FoldReport,
    Manifest,
    Span,
    SurveyReport,
    TrainingReport,
)


def model_fault(manifest: Manifest) -> str:
    """Return what is wrong with a model by itself; empty if nothing is, and it can be computed with."""
    columns = len(manifest.features)
    if manifest.version != MANIFEST_SCHEMA:
        return f"the manifest is of the format {manifest.version}, not {MANIFEST_SCHEMA}"
    if not columns or len(set(manifest.features)) != columns:
        return "the manifest has no feature, or one twice"
    models: list[tuple[str, Manifest | FoldModel]] = [("the manifest", manifest)]
    models += [(f"the model of fold {place + 1}", fold) for place, fold in enumerate(manifest.fold_models)]
    for name, model in models:
        lengths = {len(model.means), len(model.scales), len(model.coefficients)}
        if lengths != {columns}:
            return f"{name} has {columns} features, but means, scales or coefficients of other lengths"
    moments = [fold.trained_until for fold in manifest.fold_models]
    if moments != sorted(moments):
        return "the models of the folds are not in order of time"
    return "" if _is_span(manifest.trained_span) else "the manifest's span ends before it starts"


def checkpoint_fault(checkpoint: Checkpoint, spec: TrainingSpec) -> str:
    """Return what is wrong with the saved folds of a job; empty if they can be gone on from."""
    if checkpoint.version != CHECKPOINT_SCHEMA:
        return f"it is of the format {checkpoint.version}, not {CHECKPOINT_SCHEMA}"
    if not checkpoint.inputs:
        return "it does not say what it was computed from"
    if len(checkpoint.folds) > spec.n_splits:
        return f"it has {len(checkpoint.folds)} folds, the specification {spec.n_splits}"
    return next(_faults_of_folds(checkpoint.folds, spec), "")


def survey_fault(report: SurveyReport, spec: SurveySpec) -> str:
    """Return what is wrong with the report of a survey; empty if nothing is."""
    if tuple(series.timeframe for series in report.series) != spec.timeframes:
        return "its series are not the timeframes of the specification"
    for series in report.series:
        span, bar = series.span, timedelta(seconds=series.timeframe.seconds)
        if series.refusal:
            # Nothing is trained on it, and what it was refused for may be its times.
            continue
        if (span is None) != (series.rows == 0):
            return f"{series.timeframe}: rows without a time, or a time without rows"
        if span is not None and (span.end - span.start < series.rows * bar):
            return f"{series.timeframe}: {series.rows} bars are more than their time has"
    return ""


def report_fault(report: TrainingReport, spec: TrainingSpec, rows: int | None, surveyed: Span | None) -> str:
    """Return what is wrong with the result of a training; empty if nothing is.

    Parameters
    ----------
    report : TrainingReport
        The result with its manifest.
    spec : TrainingSpec
        What was asked for.
    rows : int or None
        Bars of the cell's series by its survey; None where that is not known.
    surveyed : Span or None
        Their time, likewise.
    """
    return next(_faults_of_report(report, spec, rows, surveyed), "")


def _faults_of_report(
    report: TrainingReport, spec: TrainingSpec, rows: int | None, surveyed: Span | None
) -> Iterator[str]:
    manifest = report.manifest
    if fault := model_fault(manifest):
        yield fault
    for name in ("scores", "p_value", "certificate", "edge", "gates", "recalibration"):
        if getattr(report, name) != getattr(manifest, name):
            yield f"report and manifest differ in {name}"
    if (manifest.label, manifest.embargo_minutes) != (spec.label, spec.embargo_minutes):
        yield "label or embargo are not those of the specification"
    if manifest.C not in spec.Cs:
        yield f"C = {manifest.C:g} is none of the specification"
    if report.rows != manifest.trained_rows or (rows is not None and report.rows > rows):
        known = "unknown" if rows is None else str(rows)
        yield f"{report.rows} rows are told, {manifest.trained_rows} were trained on, the survey has {known}"
    bounds = surveyed or Span(start=report.span.start, end=manifest.trained_span.end)
    if not (_is_within(report.span, manifest.trained_span) and _is_within(manifest.trained_span, bounds)):
        yield "the rows' time is not within that of the survey"
    yield from _faults_of_folds(report.folds, spec)
    yield from _faults_of_split(report, spec)
    yield from _faults_of_models(report, spec)
    yield from _faults_of_numbers(report, spec)


def _faults_of_folds(folds: Sequence[FoldReport], spec: TrainingSpec) -> Iterator[str]:
    columns = len(folds[0].means) if folds else 0
    bar, embargo = timedelta(seconds=spec.cell.timeframe.seconds), timedelta(minutes=spec.embargo_minutes)
    for place, fold in enumerate(folds):
        name = f"fold {place + 1}"
        if fold.index != place:
            yield f"{name} says that it is fold {fold.index + 1}"
        paths = {len(fold.log_losses), len(fold.coefficients), len(fold.intercepts)}
        if paths != {len(spec.Cs)} or fold.C not in spec.Cs:
            yield f"{name} is not of the {len(spec.Cs)} C of the specification"
        widths = {len(fold.means), len(fold.scales), *map(len, fold.coefficients)}
        if widths != {columns} or not columns:
            yield f"{name} has means, scales or coefficients of other lengths"
        earlier = tuple(one for one in range(place) if one in fold.C_chosen_from)
        if earlier != fold.C_chosen_from:
            yield f"{name} says that its C was chosen by folds that are not before it"
        if fold.train_rows < spec.min_train_rows or fold.test_rows < spec.min_test_rows:
            yield f"{name} has fewer rows than the specification asks for"
        if fold.scores.n != fold.test_rows:
            yield f"{name} has scores of {fold.scores.n} rows, but {fold.test_rows} were tested"
        if not (_is_span(fold.train_span) and _is_span(fold.test_span)):
            yield f"{name} has a span that ends before it starts"
        if fold.last_train_label_end + embargo > fold.test_span.start + bar:
            yield f"{name} has training labels that end within the embargo"
    for one, next_one in pairwise(folds):
        if one.test_span.end > next_one.test_span.start or one.train_rows > next_one.train_rows:
            yield f"folds {one.index + 1} and {next_one.index + 1} are not one after the other"


def _faults_of_split(report: TrainingReport, spec: TrainingSpec) -> Iterator[str]:
    """Compare the folds with those that an expanding walk-forward makes of so many rows."""
    if len(report.folds) != spec.n_splits or not 0 <= report.resumed_folds <= spec.n_splits:
        yield f"there are {len(report.folds)} folds, the specification has {spec.n_splits}"
        return
    edges = [part * report.rows // (spec.n_splits + 1) for part in range(spec.n_splits + 2)]
    for fold, (start, stop) in zip(report.folds, pairwise(edges[1:]), strict=True):
        if fold.test_rows != stop - start or fold.train_rows > start:
            yield f"fold {fold.index + 1} is longer or shorter than {report.rows} rows make it"
        if not (_is_within(fold.train_span, report.span) and _is_within(fold.test_span, report.span)):
            yield f"fold {fold.index + 1} is not within the rows' time"
    if report.scores.n != report.rows - edges[1]:
        yield f"the scores are of {report.scores.n} rows, but {report.rows - edges[1]} were tested"


def _faults_of_models(report: TrainingReport, spec: TrainingSpec) -> Iterator[str]:
    """Compare the models that are kept for later nights with those that the folds have tested."""
    manifest = report.manifest
    if len(manifest.fold_models) != len(report.folds):
        yield f"the manifest has {len(manifest.fold_models)} models of folds, there are {len(report.folds)}"
        return
    for fold, model in zip(report.folds, manifest.fold_models, strict=True):
        place = spec.Cs.index(fold.C) if fold.C in spec.Cs else 0
        slope = fold.recalibration.slope if fold.recalibration else 1.0
        coefficients = tuple(slope * each for each in fold.coefficients[place])
        kept = (fold.last_train_label_end, fold.means, fold.scales, coefficients, fold.intercepts[place])
        if (model.trained_until, model.means, model.scales, model.coefficients, model.intercept) != kept:
            yield f"the manifest's model of fold {fold.index + 1} is not the one that was tested"


def _faults_of_numbers(report: TrainingReport, spec: TrainingSpec) -> Iterator[str]:
    tested, edge, ties, gates = report.scores.n, report.edge, report.ties, report.gates
    if gates is not None and gates.newest_fold != report.folds[-1].scores:
        yield "the scores of the newest fold are not that fold's"
    if edge is not None and not (tested <= edge.rows and 2 * edge.tenth_rows <= edge.rows):
        yield "the edge is not of the rows that were tested"
    if edge is not None and edge.costs_bp != spec.label.costs_bp:
        yield "the edge counts other costs than the specification"
    if ties is not None and abs(ties.share * (report.rows + ties.rows) - ties.rows) > 0.5:
        yield "the share of ties is not that of their rows"
    drawn = [report.recalibration, *(fold.recalibration for fold in report.folds)]
    if any(one is not None and not set(one.measured_on) <= set(range(spec.n_splits)) for one in drawn):
        yield "a recalibration is measured on folds that there are not"
    names = [check.name for check in report.certificate.checks]
    if len(set(names)) != len(names) or any(
        one.passed and not one.checked for one in report.certificate.checks
    ):
        yield "the certificate has a check twice, or one that passed on nothing"
    against = report.champion
    if against is not None and max(against.rows_compared, against.challenger_worse_rows) > tested:
        yield "the champion is compared on more rows than were tested"


def _is_span(span: Span) -> bool:
    return span.start <= span.end


def _is_within(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start <= inner.end <= outer.end
