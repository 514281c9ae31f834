"""Why a model was promoted or not: what it met, and what it missed in the words of the decision."""

from __future__ import annotations

from dataclasses import dataclass

from common.protocol.job_views import JobDetail, RefusalReason
from common.protocol.jobs import JobState
from common.protocol.reports import TrainingReport
from common.settings.grid import GridConfig
from coordinator.policy.championship import WORSE_LEVEL
from coordinator.policy.gates import CHANCE
from coordinator.policy.multiplicity import A_NIGHT, p_value_words

NO_CLAIM = "The former champion had no claim to its place left when the night was decided."
"""What is said where the comparison speaks for a champion that was demoted, or was of synthetic candles."""


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
    words += _gates(report, missed)
    if job.promoted is not None and RefusalReason.SIGNIFICANCE not in missed:
        rate = config.false_discovery_rate
        words.append(
            f"p-value {p_value_words(report.p_value)} is a discovery among the cells of its timeframe, at no "
            f"more than the {A_NIGHT * rate:g} that one night may spend of the false-discovery rate of "
            f"{rate:g}."
        )
    if job.promoted is not None and RefusalReason.CHAMPION not in missed:
        words.append(_against_champion(job, report))
    return words


def _gates(report: TrainingReport, missed: set[RefusalReason]) -> list[str]:
    gates, scores = report.gates, report.scores
    if gates is None:
        return []
    words, newest = [], gates.newest_fold
    if scores.log_loss < gates.base_rate_log_loss and RefusalReason.BASE_RATE not in missed:
        words.append(
            f"Log loss {scores.log_loss:.6f} is below the {gates.base_rate_log_loss:.6f} of always saying "
            "the share of rises that was known before."
        )
    if newest.auc is not None and newest.auc > CHANCE and RefusalReason.NEWEST_FOLD not in missed:
        words.append(f"AUC {newest.auc:.4f} in the newest fold ({newest.n:,} rows) is above {CHANCE:g}.")
    return words


def _against_champion(job: JobDetail, report: TrainingReport) -> str:
    found = report.champion
    if found is None:
        # Whose result is reused is perhaps the champion itself.
        other = "other " if job.reused_from is not None else ""
        return f"There was no {other}champion to be better than."
    if found.scores is None or found.challenger_scores is None:
        return f"Nothing speaks for the former champion: {found.detail}."
    after, p_value = found.retest, found.challenger_worse_p_value
    ours, theirs = found.challenger_scores.log_loss, found.scores.log_loss
    if after is None:
        # Of a night that an earlier version began: it compared, and tested nothing.
        if ours > theirs:
            return NO_CLAIM
        return (
            f"Log loss {ours:.5f} is not above the former champion's {theirs:.5f} on the same "
            f"{found.rows_compared:,} rows."
        )
    if p_value is None:
        return "Too few rows could be compared to tell whether it is worse than the former champion."
    if p_value <= WORSE_LEVEL:
        return NO_CLAIM
    rows = f"{found.challenger_worse_rows:,} rows compared"
    if after.scores and after.challenger_scores and found.challenger_worse_rows == after.rows:
        ours, theirs = after.challenger_scores.log_loss, after.scores.log_loss
        rows = f"{after.rows:,} rows after its training"
    return (
        f"Log loss {ours:.5f} is not significantly above the former champion's {theirs:.5f} on the {rows} "
        f"(p-value {p_value:.2g} of being worse)."
    )
