"""What is told of each timeframe below the table: AUC by fold, what was recalibrated, what held up."""

from __future__ import annotations

from collections.abc import Sequence

from common.protocol.reports import Recalibration
from common.protocol.results import JobResult, Results
from common.protocol.retests import ChampionResult


def fold_lines(results: Results) -> list[str]:
    """Return a line for each timeframe that was trained, in the order of the configuration."""
    lines = []
    for timeframe in results.config.timeframes:
        trained = [job for job in results.jobs if job.timeframe == timeframe and job.folds]
        if trained:
            champions = [one for one in results.champions if one.timeframe == timeframe]
            told = _by_fold(trained) + _recalibrated(trained) + _held_up(champions)
            lines.append(f"{timeframe}: {told}")
    return lines


def in_words(recalibration: Recalibration) -> str:
    """Return how a model was recalibrated."""
    if recalibration.slope == 1.0:
        return "as it was fitted"
    first, last = recalibration.measured_on[0] + 1, recalibration.measured_on[-1] + 1
    return f"slope {recalibration.slope:.2f} from folds {first}-{last}"


def _by_fold(trained: Sequence[JobResult]) -> str:
    most = max(len(job.folds) for job in trained)
    means = []
    for index in range(most):
        known = [job.folds[index].scores.auc for job in trained if index < len(job.folds)]
        seen = [auc for auc in known if auc is not None]
        means.append(f"{sum(seen) / len(seen):.3f}" if seen else "none")
    newest = [job.folds[-1].scores.auc for job in trained]
    above = sum(auc is not None and auc > 0.5 for auc in newest)
    return f"AUC by fold {' '.join(means)}, above 0.5 in the newest in {above} of {len(trained)}"


def _recalibrated(trained: Sequence[JobResult]) -> str:
    used = [job for job in trained if job.recalibration is not None and job.recalibration.slope != 1.0]
    words = [
        f"{job.symbol} H{job.horizon} {in_words(job.recalibration)}" for job in used if job.recalibration
    ]
    return f"; recalibrated: {', '.join(words)}" if words else ""


def _held_up(champions: Sequence[ChampionResult]) -> str:
    pairs = [
        (one.promised_auc, one.new_scores.auc)
        for one in champions
        if one.lost_p_value is not None and one.promised_auc and one.new_scores and one.new_scores.auc
    ]
    if not pairs:
        return ""
    promised, later = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    return f"; earlier nights promised {promised:.3f}, later rows gave {later:.3f} ({len(pairs)} champions)"
