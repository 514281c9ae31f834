"""Why a model was promoted or not: what it met, and what it missed in the words of the decision."""

from __future__ import annotations

from dataclasses import dataclass

from common.protocol.job_views import JobDetail, RefusalReason
from common.protocol.jobs import JobState
from common.protocol.reports import TrainingReport
from common.settings.grid import GridConfig


@dataclass(frozen=True)
class Point:
    """One condition in a sentence, and whether it is met; None where that is not decided yet."""

    met: bool | None
    words: str


@dataclass(frozen=True)
class Verdict:
    """What was decided on a model, in a sentence, and the points that it rests on."""

    words: str
    points: tuple[Point, ...]


def verdict_of(job: JobDetail, config: GridConfig) -> Verdict | None:
    """Return the verdict on a trained cell; None for a job without a model.

    Parameters
    ----------
    job : JobDetail
        The job.
    config : GridConfig
        The configuration of its night.
    """
    report = job.report
    if report is None or job.state is not JobState.SUCCEEDED:
        return None
    met = tuple(Point(True, words) for words in _met(job, report, config))
    missed = tuple(Point(False, words) for words in job.reasons) if job.promoted is False else ()
    if job.promoted is None:
        return Verdict("Models are decided on when all cells of the night are done.", met)
    if job.promoted:
        return Verdict("Promoted: it met every condition.", met)
    count = len(missed)
    return Verdict(
        f"Not promoted: it missed {'one condition' if count == 1 else f'{count} conditions'}.", missed + met
    )


def _met(job: JobDetail, report: TrainingReport, config: GridConfig) -> list[str]:
    """Return in words the conditions that a model is known to meet."""
    missed, asked, scores = set(job.refused_by), config.promote_if, report.scores
    words = []
    if report.certificate.valid and RefusalReason.CERTIFICATE not in missed:
        checks = len(report.certificate.checks)
        words.append(f"Its certificate is valid: {checks} of {checks} checks passed.")
    if scores.auc is not None and scores.auc >= asked.min_auc and RefusalReason.AUC not in missed:
        words.append(f"AUC {scores.auc:.4f} is at least {asked.min_auc:g}.")
    if scores.brier <= asked.max_brier and RefusalReason.BRIER not in missed:
        words.append(f"Brier score {scores.brier:.4f} is at most {asked.max_brier:g}.")
    if scores.accuracy >= asked.min_acc and RefusalReason.ACCURACY not in missed:
        words.append(f"Accuracy {scores.accuracy:.4f} is at least {asked.min_acc:g}.")
    if job.promoted is not None and RefusalReason.SIGNIFICANCE not in missed:
        share = "what a night may spend on its timeframe"
        rate = f"{share} of the false-discovery rate of {config.false_discovery_rate:g}"
        words.append(f"p-value {report.p_value:.3g} is within {rate}.")
    gates = report.manifest.gates
    if gates is not None and job.promoted is not None:
        if RefusalReason.BASE_RATE not in missed:
            words.append("Its log loss is below that of the base rate known before each fold.")
        if RefusalReason.NEWEST_FOLD not in missed:
            words.append("It ranks better than a coin in the newest fold.")
    if job.promoted is not None and RefusalReason.CHAMPION not in missed:
        words.append(_against_champion(report))
    return words


def _against_champion(report: TrainingReport) -> str:
    found = report.champion
    if found is None:
        return "There was no champion to be better than."
    if found.scores is None or found.challenger_scores is None:
        return f"Nothing speaks for the former champion: {found.detail}."
    ours, theirs = found.challenger_scores.log_loss, found.scores.log_loss
    return (
        f"Log loss {ours:.5f} against the former champion's {theirs:.5f} on the same {found.rows_compared:,} "
        "rows: not significantly worse on newer ones."
    )
