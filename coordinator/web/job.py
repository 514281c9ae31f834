"""A job with all that is known of it: attempts, folds, curves, certificate, verdict and log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from common.protocol.job_views import JobDetail, Outcome
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.reports import FoldResult, Manifest
from common.protocol.runs import RunState, RunView
from coordinator.api.access import JobId, PartsOf
from coordinator.html.plots.coefficients import Coefficient, coefficients_plot
from coordinator.html.plots.curves import reliability_plot, roc_plot
from coordinator.html.plots.density import density_plot
from coordinator.html.plots.folds import folds_plot
from coordinator.policy.multiplicity import p_value_words
from coordinator.views.job_log import job_log, printable
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router
from coordinator.web.verdict import verdict_of

router = page_router()

SHOWN_COEFFICIENTS = 24
STATES = {
    JobState.QUEUED: ("○", "waits", ""),
    JobState.LEASED: ("◐", "running", "run"),
    JobState.SUCCEEDED: ("✓", "done", "good"),
    JobState.FAILED: ("✗", "failed", "bad"),
    JobState.CANCELLED: ("⊘", "cancelled", ""),
}
OUTCOMES = {
    Outcome.RUNNING: ("running", "run"),
    Outcome.SUCCEEDED: ("succeeded", "good"),
    Outcome.FAILED: ("failed", "bad"),
    Outcome.RELEASED: ("given back", ""),
    Outcome.EXPIRED: ("lost", "warn"),
    Outcome.CANCELLED: ("cancelled", ""),
}
"""How an attempt ended, in a word and as a class of the style sheet."""
UNTRAINABLE = ("∅", "not trainable", "")
"""Of a job that failed because its candles cannot be trained on: nothing has broken."""


@dataclass(frozen=True)
class Offer:
    """Something that can be done to a job: the last part of its address, its words, and a kind of button."""

    deed: str
    words: str
    kind: str = "plain"


def job(job: JobId, parts: PartsOf) -> Show:
    """Show a job."""

    def show() -> Page:
        found = parts.job_listing.detail(job)
        run = parts.run_listing.view(found.run_id)
        content = {
            "job": found,
            "name": name_of(found),
            "state": UNTRAINABLE if found.cause is Cause.DATA else STATES[found.state],
            "offers": offers_of(found, run),
            "outcomes": OUTCOMES,
            "run": run,
            "is_training": found.kind is JobKind.TRAINING,
            "verdict": verdict_of(found, run.config),
            "plots": _plots(found),
            "folds": _folds(found),
            "folds_plot": folds_plot(_folds(found)) if _folds(found) else "",
            "log": job_log(parts.out.coordinator_log, found, name_of(found)),
            "printable": printable,
        }
        return Page("job.html", name_of(found), content)

    return show


add_screen(router, "/jobs/{job}", job)


def offers_of(found: JobDetail, run: RunView) -> tuple[Offer, ...]:
    """Return what an operator can do to a job now."""
    certified = found.report is not None and found.report.certificate.valid
    if found.state is JobState.SUCCEEDED:
        # A model is decided on by hand at any time, also before its night is, and after it.
        return (Offer("promote", "Promote by hand"),) if certified and not found.promoted else ()
    if run.state is not RunState.RUNNING or run.ended_early is not None:
        return ()
    if found.state is JobState.QUEUED:
        return Offer("next", "Run it next"), Offer("cancel", "Cancel", "danger")
    if found.state is JobState.LEASED:
        return (Offer("cancel", "Cancel", "danger"),)
    return (Offer("retry", "Try it again"),)


def name_of(found: JobDetail) -> str:
    """Return what people call a job: `BTCUSDT_1h_H3` or `survey of BTCUSDT`."""
    if found.kind is JobKind.SURVEY:
        return f"survey of {found.symbol}"
    return f"{found.symbol}_{found.timeframe}_H{found.horizon}"


def _folds(found: JobDetail) -> Sequence[FoldResult]:
    if found.report is not None:
        return found.report.folds
    return found.checkpoint.folds if found.checkpoint is not None else ()


def _plots(found: JobDetail) -> list[tuple[str, str, Markup, str]]:
    """Return what is drawn of a model: its kind, a heading, the drawing, and how to read it."""
    report = found.report
    if report is None:
        return []
    drawn: list[tuple[str, str, Markup, str]] = []
    curves = report.curves
    if curves is not None:
        if curves.roc:
            words = "Above the dashed diagonal the model ranks rises before the others more often than not."
            drawn.append(("roc", "ROC", roc_plot(curves.roc, report.scores.auc), words))
        words = "On the dashed line predicted probabilities come true; whiskers span 95 %."
        drawn.append(("reliability", "Reliability", reliability_plot(curves.reliability), words))
        if curves.null is not None:
            words = (
                f"How the AUC is distributed if nothing can be predicted. The share beyond the observed "
                f"one is the p-value, {p_value_words(report.p_value)}."
            )
            drawn.append(("null", "Significance", density_plot(curves.null, report.p_value), words))
    every = coefficients_of(report.manifest)
    words = "Of standardised features: green raises the probability of a rise. Whiskers span the folds."
    if len(every) > SHOWN_COEFFICIENTS:
        words += f" The largest {SHOWN_COEFFICIENTS} of {len(every)}; the manifest has all."
    drawn.append(("coefficients", "Coefficients", coefficients_plot(every[:SHOWN_COEFFICIENTS]), words))
    return drawn


def coefficients_of(manifest: Manifest) -> list[Coefficient]:
    """Return a model's coefficients with the range that they had in its folds, the largest first."""
    found = []
    for place, (feature, value) in enumerate(zip(manifest.features, manifest.coefficients, strict=True)):
        of_folds = [fold.coefficients[place] for fold in manifest.fold_models] or [value]
        found.append(Coefficient(feature, value, min(of_folds), max(of_folds)))
    return sorted(found, key=lambda one: -abs(one.value))
