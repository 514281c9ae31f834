"""What is worth a line about the candles of a night: defects that cost something, and how old they are."""

from __future__ import annotations

from datetime import timedelta

from common.protocol.jobs import JobState
from common.protocol.reports import Finding, Span, SurveyReport
from common.protocol.results import Results
from common.timeframes import Timeframe

QUIET = frozenset(
    {"duplicate_equal", "filled", "mixed_time_units", "overlap_equal", "unfinished", "unsorted"}
)
"""Everyday findings that lose nothing; they are in the results, and not worth a line."""

WORTH_TELLING = {"gap": 0.01, "zero_volume": 0.05}
"""Findings that are worth a line only above this share of the bars."""

ACTIONS = ("refused", "dropped", "reported", "kept")
"""What was done about a finding, the worst first."""

MOST_SYMBOLS = 8
"""How many symbols have a line of findings at most; the others are counted."""

OLD = timedelta(days=3)
"""Candles that end so long before the night are worth fetching newer ones."""

APART = timedelta(days=1)
"""Symbols whose candles end so far apart are named."""

NAMED = 3
"""So many are, those that end first."""


def finding_lines(results: Results) -> list[str]:
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


def age_lines(results: Results) -> list[str]:
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
    newest = max(ends.values())
    behind = sorted((end, symbol) for symbol, end in ends.items() if newest - end > APART)
    words = f"candles end {newest:%Y-%m-%d %H:%M} UTC, {_before(results.started - newest)} the night began"
    if behind:
        (end, symbol), *others = behind[:NAMED]
        words += f"; those of {symbol} end {end:%Y-%m-%d %H:%M} UTC"
        words += "".join(f", of {symbol} {end:%Y-%m-%d %H:%M} UTC" for end, symbol in others)
        words += f", and of {len(behind) - NAMED} more" if len(behind) > NAMED else ""
    if results.started - min(ends.values()) > OLD:
        words += ": fetch newer ones, such as by nighttrain data download --update"
    return [words]


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
        f"{sum(one.count for one in same):,} {defect.replace('_', ' ')}"
        + (f" ({', '.join(one.timeframe for one in same)})" if same[0].timeframe else "")
        for defect, same in kinds.items()
    ]
    return f"{words} Also: {', '.join(others)}." if others else words
