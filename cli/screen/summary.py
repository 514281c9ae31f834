"""What a night came to: the cells of one table and a few lines, without their layout."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from cli.screen.champions import best_of, champion_lines, standing
from cli.screen.folds import fold_lines
from common.protocol.job_views import RefusalReason
from common.protocol.jobs import FINAL_STATES, Cause, JobState
from common.protocol.reports import Finding, Span, SurveyReport
from common.protocol.results import JobResult, Results
from common.timeframes import Timeframe

SHORT = {
    RefusalReason.SIGNIFICANCE: "chance",
    RefusalReason.BASE_RATE: "base rate",
    RefusalReason.NEWEST_FOLD: "newest fold",
}
"""What a refusal is called where its name is too long for a cell."""


QUIET = frozenset(
    {"duplicate_equal", "filled", "mixed_time_units", "overlap_equal", "unfinished", "unsorted"}
)
"""Everyday findings that lose nothing; they are in the results, and not worth a line."""

WORTH_TELLING = {"gap": 0.01, "zero_volume": 0.05}
"""Findings that are worth a line only above this share of the bars."""

WORTH_TELLING_TIES = 0.01
"""Ties are worth a line only above this share of a cell's rows."""

ACTIONS = ("refused", "dropped", "reported", "kept")
"""What was done about a finding, the worst first."""

MOST_SYMBOLS = 8
"""How many symbols have a line of findings at most; the others are counted."""

OLD = timedelta(days=3)
"""Candles that end so long before the night are worth fetching newer ones."""

APART = timedelta(days=1)
"""Symbols whose candles end so far apart are named."""

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


def findings(results: Results) -> list[str]:
    """Return a line for each symbol whose candles have something that a person should know about.

    A line has the worst finding in words and the others as counts. Left out are findings that lose nothing
    (`QUIET`), gaps and idle bars of a small share (`WORTH_TELLING`), and refusals that the failures already
    give as their reason. The symbols with the worst findings come first, and beyond `MOST_SYMBOLS` the others
    are only counted.
    """
    given = [job.message for job in results.jobs if job.state is JobState.FAILED]
    told: list[tuple[Finding, str]] = []
    for survey in results.surveys:
        known = _worth_a_line(survey.report, given) if survey.report else []
        if known:
            told.append((known[0], f"candles of {survey.symbol}: {_in_words(known)}"))
    lines = [line for _, line in sorted(told, key=lambda one: _rank(one[0]))]
    if len(lines) <= MOST_SYMBOLS:
        return lines
    folded = len(lines) - MOST_SYMBOLS
    return [
        *lines[:MOST_SYMBOLS],
        f"candles of {folded} more symbol{'s' * (folded > 1)} have findings too: see the results",
    ]


def lines(results: Results) -> list[str]:
    """Return what stands below the table: failures, certificates, findings, edges, ties and the figures."""
    return [
        *failures(results.jobs),
        *failed_checks(results.jobs),
        *findings(results),
        *age(results),
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


def age(results: Results) -> list[str]:
    """Return a line on how old the newest candles were, with what to do if that is worth it.

    Synthetic ones have no age, and neither have candles that no survey could read.
    """
    ends = {
        survey.symbol: max(one.span.end for one in survey.report.series if one.span)
        for survey in results.surveys
        if survey.report and any(one.span for one in survey.report.series)
    }
    if results.synthetic or not ends:
        return []
    newest, oldest = max(ends.values()), min(ends, key=lambda symbol: ends[symbol])
    words = f"candles end {newest:%Y-%m-%d %H:%M} UTC, {_before(results.started - newest)} the night began"
    if newest - ends[oldest] > APART:
        words += f"; those of {oldest} end {ends[oldest]:%Y-%m-%d %H:%M} UTC"
    if results.started - ends[oldest] > OLD:
        words += ": fetch newer ones, such as by nighttrain data download --update"
    return [words]


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
            most.append(f"{timeframe} {edge.edge_bp:.1f} ± {edge.standard_error_bp:.2g} ({of})")
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
    words = f"{sums.succeeded} of {sums.jobs} cells trained, {sums.promoted} promoted, "
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


def _before(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    if hours < 0:
        return "after"
    return f"{hours:.0f} h before" if hours < 72 else f"{hours / 24:.0f} days before"


def _worth_a_line(report: SurveyReport, given: list[str]) -> list[Finding]:
    """Return the findings that a person should know about, the worst first."""
    known: list[Finding] = []
    of_share: dict[str, list[tuple[float, Finding]]] = {}
    for finding in report.findings:
        if finding.defect in WORTH_TELLING:
            of_share.setdefault(finding.defect, []).append((_share(finding, report), finding))
        elif finding.action == "refused":
            sentence = finding.detail.rstrip(".")
            known += [] if any(sentence in message for message in given) else [finding]
        elif finding.defect not in QUIET:
            known.append(finding)
    for defect, same in of_share.items():
        # A gap is one of each coarser timeframe too, so that these must not be added up.
        share, finding = max(same, key=lambda one: one[0])
        known += [finding] if share > WORTH_TELLING[defect] else []
    return sorted(known, key=_rank)


def _share(finding: Finding, report: SurveyReport) -> float:
    series = {str(one.timeframe): one for one in report.series if one.span}
    own = series.get(finding.timeframe)
    if own and own.refusal:
        return 0.0  # the refusal reports it
    # Candles that were only resampled from have no series, but they reach as far as what came of them.
    spans = [one.span for one in ([own] if own else series.values()) if one.span]
    longest = max(map(_seconds, spans), default=0.0)
    return finding.count * Timeframe(finding.timeframe).seconds / longest if longest else 0.0


def _seconds(span: Span) -> float:
    return (span.end - span.start).total_seconds()


def _rank(finding: Finding) -> tuple[int, bool, bool, int]:
    action = ACTIONS.index(finding.action) if finding.action in ACTIONS else len(ACTIONS)
    return action, finding.defect in WORTH_TELLING, bool(finding.timeframe), -finding.count


def _in_words(known: list[Finding]) -> str:
    worst = known[0]
    words = f"{worst.timeframe}: {worst.detail}" if worst.timeframe else worst.detail
    kinds: dict[str, list[Finding]] = {}
    for finding in known[1:]:
        kinds.setdefault(finding.defect, []).append(finding)
    others = [
        f"{sum(one.count for one in same):,} {defect}"
        + (f" ({', '.join(one.timeframe for one in same)})" if same[0].timeframe else "")
        for defect, same in kinds.items()
    ]
    return f"{words} Also: {', '.join(others)}." if others else words
