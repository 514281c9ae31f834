"""What a night came to, as the cells of one table and a few lines: whoever prints them lays them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from common.jobs import JobState
from common.results import JobResult, Results
from common.views import RefusalReason

LEGEND = "* promoted; otherwise the gate that the best horizon missed"

SHORT = {RefusalReason.SIGNIFICANCE: "chance"}
"""What a refusal is called where its name is too long for a cell."""


class Tone(StrEnum):
    """What a cell of the table is about, for those who can show it by colour."""

    PROMOTED = "promoted"
    PLAIN = "plain"
    FAILED = "failed"


@dataclass(frozen=True)
class SummaryCell:
    """One symbol at one timeframe: the AUC of its best horizon, or why there is none."""

    text: str
    tone: Tone = Tone.PLAIN


def title(results: Results) -> str:
    """Return what the table shows."""
    words = f"Night {results.run}: out-of-fold AUC of the best horizon"
    if results.synthetic:
        words += " (SYNTHETIC candles: nothing here says anything about a market)"
    return words


def rows(results: Results) -> list[tuple[str, tuple[SummaryCell, ...]]]:
    """Return each symbol with its cells, in the order of the configured timeframes."""
    places: dict[tuple[str, str], list[JobResult]] = {}
    for job in results.jobs:
        places.setdefault((job.symbol, job.timeframe), []).append(job)
    return [
        (symbol, tuple(_cell(places.get((symbol, timeframe), [])) for timeframe in results.config.timeframes))
        for symbol in results.config.symbols
    ]


def failures(jobs: Iterable[JobResult]) -> list[str]:
    """Return a line for each way in which cells failed."""
    failed = Counter((job.cause, job.message) for job in jobs if job.state is JobState.FAILED)
    return [
        f"failed ({cause}), {count} cell{'s' * (count > 1)}: {message}"
        for (cause, message), count in failed.items()
    ]


def totals(results: Results) -> str:
    """Return the night in figures, in one line."""
    sums = results.totals
    words = f"{sums.succeeded} of {sums.jobs} cells trained, {sums.promoted} promoted, {sums.failed} failed"
    words += f", {sums.cancelled} cancelled in {sums.wall_seconds:.0f} s"
    if sums.peak_memory_bytes:
        words += f"; largest job {sums.peak_memory_bytes / 2**20:.0f} MiB"
    return words


def best_horizon(jobs: Iterable[JobResult]) -> JobResult | None:
    """Return the promoted job with the highest AUC, or else the trained one with the highest, or None."""
    trained = [job for job in jobs if job.scores is not None and job.scores.auc is not None]
    return max(trained, key=lambda job: (job.promoted, job.scores.auc if job.scores else 0.0), default=None)


def _cell(jobs: list[JobResult]) -> SummaryCell:
    best = best_horizon(jobs)
    if best is not None and best.scores is not None:
        text = f"{best.scores.auc:.3f} H{best.horizon}"
        if best.promoted:
            return SummaryCell(f"{text} *", Tone.PROMOTED)
        missed = best.refused_by[0] if best.refused_by else None
        return SummaryCell(f"{text} {SHORT.get(missed, missed)}" if missed else text)
    cause = next((job.cause for job in jobs if job.state is JobState.FAILED), None)
    if cause is not None:
        return SummaryCell(f"failed: {cause}", Tone.FAILED)
    return SummaryCell("cancelled" if jobs else "")
