"""What a night came to: the cells of one table and a few lines, without their layout."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from cli.screen.candles import age_lines, finding_lines
from cli.screen.champions import best_of, champion_lines, champions_again, standing
from cli.screen.folds import fold_lines
from common.protocol.job_views import RefusalReason
from common.protocol.jobs import FINAL_STATES, Cause, JobState
from common.protocol.results import JobResult, Results

SHORT = {
    RefusalReason.SIGNIFICANCE: "chance",
    RefusalReason.BASE_RATE: "base rate",
    RefusalReason.NEWEST_FOLD: "newest fold",
}
"""What a refusal is called where its name is too long for a cell."""


WORTH_TELLING_TIES = 0.01
"""Ties are worth a line only above this share of a cell's rows."""

MOST_MODELS = 4
"""How many models have a line about their certificate at most; the others are counted."""


class Tone(StrEnum):
    """What a cell of the table is about, for those who can show it by colour."""

    PROMOTED = "promoted"
    DOUBTFUL = "doubtful"
    PLAIN = "plain"
    FAILED = "failed"


@dataclass(frozen=True)
class SummaryCell:
    """One symbol at one timeframe: the AUC of its best horizon, or why there is none."""

    text: str
    tone: Tone = Tone.PLAIN


def title(results: Results) -> str:
    """Return what the table shows."""
    tried = len(results.config.horizons)
    best = f" of the best of {tried} horizons" if tried > 1 else ""
    words = f"Night {results.run}: out-of-fold AUC{best} and gross edge"
    if results.config.label.kind != "direction":
        words += f", of moves beyond costs of {results.config.label.costs_bp:g} bp"
    if results.synthetic:
        words += " (SYNTHETIC candles: nothing here says anything about a market)"
    return words


def legend(results: Results) -> str:
    """Return what the signs of the table mean."""
    costs = f"{results.config.label.costs_bp:g}"
    return (
        "* promoted; *! promoted, but its trades lose before any costs; + an earlier champion stands; "
        "otherwise the gate that the best horizon missed. bp: what "
        f"its extreme tenths gain a trade, before costs of {costs} bp"
    )


def rows(results: Results) -> list[tuple[str, tuple[SummaryCell, ...]]]:
    """Return each symbol with its cells, in the order of the configured timeframes."""
    places, held = _places(results), standing(results)
    return [
        (
            symbol,
            tuple(
                _cell(places.get((symbol, timeframe), []), (symbol, timeframe) in held)
                for timeframe in results.config.timeframes
            ),
        )
        for symbol in results.config.symbols
    ]


def failures(jobs: Iterable[JobResult]) -> list[str]:
    """Return a line for each way in which cells failed, and then for each in which candles were refused."""
    failed = Counter((job.cause, job.message) for job in jobs if job.state is JobState.FAILED)
    lines = [
        f"failed ({cause}), {count} cell{'s' * (count > 1)}: {message}"
        for (cause, message), count in failed.items()
        if cause is not Cause.DATA
    ]
    return lines + [
        f"candles refused, {count} cell{'s' * (count > 1)}: {message}"
        for (cause, message), count in failed.items()
        if cause is Cause.DATA
    ]


def failed_checks(jobs: Iterable[JobResult]) -> list[str]:
    """Return a line for each model whose certificate is not valid, with the first check that failed.

    Beyond `MOST_MODELS` they are only counted.
    """
    uncertified = [(job, job.failed_checks[0]) for job in jobs if job.failed_checks]
    lines = [
        f"certificate of {job.symbol} {job.timeframe} H{job.horizon} not valid: {check.name}: {check.detail}"
        for job, check in uncertified[:MOST_MODELS]
    ]
    if folded := len(uncertified) - len(lines):
        models = f"model{'s' * (folded > 1)}"
        lines.append(f"{folded} more {models} without a valid certificate: see the results")
    return lines


def lines(results: Results) -> list[str]:
    """Return what stands below the table: failures, certificates, findings, edges, ties and the figures."""
    return [
        *failures(results.jobs),
        *failed_checks(results.jobs),
        *finding_lines(results),
        *age_lines(results),
        *edges(results),
        *ties(results),
        *fold_lines(results),
        *best_of(filter(None, map(best_horizon, _places(results).values()))),
        *champion_lines(results),
        totals(results),
    ]


def wrapped(line: str, width: int | None) -> str:
    """Return a line broken between words to a terminal's width, or whole where there is none."""
    if width is None:
        return line
    return textwrap.fill(
        line, max(width, 20), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def edges(results: Results) -> list[str]:
    """Return how many models gain more than a trade costs, and the highest edge of each timeframe."""
    measured = [(job.edge, job) for job in results.jobs if job.edge]
    if not measured:
        return []
    costs = results.config.label.costs_bp
    above = [edge for edge, _ in measured if edge.edge_bp > costs]
    clearly = sum(edge.edge_bp - 2 * edge.standard_error_bp > costs for edge in above)
    words = [
        f"edge: {len(above)} of {len(measured)} models gain more than the costs of {costs:g} bp a trade, "
        f"{clearly} by more than two standard errors"
    ]
    most, poor = [], []
    for timeframe in results.config.timeframes:
        own = [one for one in measured if one[1].timeframe == timeframe]
        if own:
            edge, job = max(own, key=lambda one: one[0].edge_bp)
            of = f"{job.symbol} H{job.horizon}, {edge.beyond_costs_share:.0%}"
            error = edge.standard_error_bp
            shown = f"{error:.2g}" if error < 100 else f"{error:.0f}"
            most.append(f"{timeframe} {edge.edge_bp:.1f} ± {shown} ({of})")
            poor += [timeframe] * (edge.edge_bp <= costs)
    promoted = [(edge, job) for edge, job in measured if job.promoted]
    lose = [(edge, job) for edge, job in promoted if edge.edge_bp <= 0]
    if lose:
        edge, worst = min(lose, key=lambda one: one[0].edge_bp)
        words.append(
            f"of {len(promoted)} promoted {len(lose)} lose before any costs, most {worst.symbol} "
            f"{worst.timeframe} H{worst.horizon} ({edge.edge_bp:.1f} bp)"
        )
    if poor:
        words.append(f"none of {', '.join(poor)} does")
    shown = f"highest edge in bp, and the share of moves beyond the costs: {', '.join(most)}"
    return ["; ".join(words), shown]


def ties(results: Results) -> list[str]:
    """Return a line on the rows that stand still, if any cell has a share of them worth a line."""
    counted = [(job.ties.share, job) for job in results.jobs if job.ties]
    many = [(share, job) for share, job in counted if share > WORTH_TELLING_TIES]
    if not many:
        return []
    share, worst = max(many, key=lambda one: one[0])
    where = f"{worst.symbol} {worst.timeframe} H{worst.horizon} ({share:.1%})"
    return [
        f"ties: {len(many)} of {len(counted)} cells leave out more than {WORTH_TELLING_TIES:.0%} "
        f"of their rows, whose close did not move; most in {where}"
    ]


def totals(results: Results) -> str:
    """Return the night in figures, in one line."""
    sums = results.totals
    refused = sum(job.state is JobState.FAILED and job.cause is Cause.DATA for job in results.jobs)
    reused = f" ({sums.reused} reused)" if sums.reused else ""
    kept = champions_again(results)
    new = f" ({sums.promoted - kept or 'none'} new)" if kept else ""
    words = f"{sums.succeeded} of {sums.jobs} cells trained{reused}, {sums.promoted} promoted{new}, "
    words += f"{sums.failed - refused} failed"
    words += f", {refused} had no candles to be trained on" if refused else ""
    words += f", {sums.cancelled} cancelled in {sums.wall_seconds:.0f} s"
    if sums.peak_memory_bytes:
        words += f"; largest job {sums.peak_memory_bytes / 2**20:.0f} MiB"
    return words


def best_horizon(jobs: Iterable[JobResult]) -> JobResult | None:
    """Return the promoted job with the highest AUC, or else the trained one with the highest, or None."""
    trained = [job for job in jobs if job.scores is not None and job.scores.auc is not None]
    return max(trained, key=lambda job: (job.promoted, job.scores.auc if job.scores else 0.0), default=None)


def _places(results: Results) -> dict[tuple[str, str], list[JobResult]]:
    places: dict[tuple[str, str], list[JobResult]] = {}
    for job in results.jobs:
        places.setdefault((job.symbol, job.timeframe), []).append(job)
    return places


def _cell(jobs: list[JobResult], held: bool) -> SummaryCell:
    """Return what stands for these jobs; `held` says that an earlier champion stands among them."""
    cell = _tonight(jobs)
    return replace(cell, text=f"{cell.text} +".lstrip()) if held else cell


def _tonight(jobs: list[JobResult]) -> SummaryCell:
    best = best_horizon(jobs)
    if best is not None and best.scores is not None:
        text = f"{best.scores.auc:.3f} H{best.horizon}"
        if best.edge is not None:
            text += f" {best.edge.edge_bp:.1f}bp"
        if best.promoted and best.edge is not None and best.edge.edge_bp <= 0:
            return SummaryCell(f"{text} *!", Tone.DOUBTFUL)
        if best.promoted:
            return SummaryCell(f"{text} *", Tone.PROMOTED)
        missed = best.refused_by[0] if best.refused_by else None
        if missed is RefusalReason.CERTIFICATE and best.failed_checks:
            return SummaryCell(f"{text} {missed}: {best.failed_checks[0].name}", Tone.FAILED)
        return SummaryCell(f"{text} {SHORT.get(missed, missed)}" if missed else text)
    cause = next((job.cause for job in jobs if job.state is JobState.FAILED), None)
    if cause is Cause.DATA:
        return SummaryCell("candles refused")
    if cause is not None:
        return SummaryCell(f"failed: {cause}", Tone.FAILED)
    if any(job.state not in FINAL_STATES for job in jobs):
        return SummaryCell("...")
    return SummaryCell("cancelled" if jobs else "")
