"""A night in ten lines of plain text, for chats and mails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from common.protocol.job_views import RefusalReason
from common.protocol.jobs import JobKind
from common.protocol.nights import NightDigest
from common.protocol.retests import Verdict
from common.protocol.runs import RunState
from coordinator.html.values import duration, some
from coordinator.report.contents import Contents
from coordinator.views.candles import HARMLESS
from coordinator.views.cells import ReportedJob
from coordinator.views.failures import FailureGroup

NAMED = 4
"""So many cells, symbols or conditions are named in a line; the others are counted."""
LONGEST = 240
"""Characters of a line at most: what is longer is cut, for chats show a few lines only."""

CONDITIONS = {
    RefusalReason.AUC: "AUC too low",
    RefusalReason.BRIER: "Brier score too high",
    RefusalReason.ACCURACY: "accuracy too low",
    RefusalReason.BASE_RATE: "no better than the base rate",
    RefusalReason.NEWEST_FOLD: "newest fold no better than a coin",
    RefusalReason.SIGNIFICANCE: "not significant",
    RefusalReason.CERTIFICATE: "certificate not valid",
    RefusalReason.CHAMPION: "no better than the champion",
}
"""What a model missed, in a few words."""


STATES = {RunState.RUNNING: " so far", RunState.CANCELLED: " was cancelled", RunState.DONE: ""}
"""What the subject says of a night's state."""


def digest_of(found: Contents, address: str) -> NightDigest:
    """Return a night in at most ten lines.

    Parameters
    ----------
    found : Contents
        What the report says.
    address : str
        Where people reach the coordinator, without a slash at the end.
    """
    lines = [
        _cells(found),
        _promoted(found),
        _refusals(found),
        _scores(found),
        _champions(found),
        _failures(found),
        _candles(found),
        _time(found),
        _faster(found),
        f"Report: {address}/nights/{found.run.id}/report",
    ]
    return NightDigest(
        run=found.run.id,
        state=found.run.state,
        time=found.ended,
        subject=_line(_subject(found)),
        lines=tuple(_line(line) for line in lines if line),
    )


def _subject(found: Contents) -> str:
    state = {RunState.RUNNING: " so far", RunState.CANCELLED: " was cancelled", RunState.DONE: ""}[
        found.run.state
    ]
    parts = [f"{found.night.promoted} promoted{_new(found)}", f"{found.failed} failed"]
    parts.append(duration(found.seconds))
    synthetic = " (synthetic candles)" if found.run.synthetic else ""
    return f"Night {found.run.id}{state}: {', '.join(parts)}{synthetic}"


def _cells(found: Contents) -> str:
    cells = found.night.cells
    reused = f" ({found.night.reused} reused)" if found.night.reused else ""
    parts = [f"{cells.succeeded} of {some(cells.total, 'cell')} trained{reused}"]
    parts += [f"{found.failed} failed"] if found.failed else []
    parts += [f"{found.refused} without usable candles"] if found.refused else []
    parts += [f"{cells.cancelled} cancelled"] if cells.cancelled else []
    parts += [f"{cells.queued + cells.leased} not done yet"] if cells.queued + cells.leased else []
    end = f"to {found.ended:%H:%M} UTC" if found.is_over else "UTC until now"
    ended_early = found.run.early_end
    early = f"; ended early {ended_early.words}" if ended_early is not None else ""
    return f"{', '.join(parts)}, from {found.run.created:%Y-%m-%d %H:%M} {end}{early}."


def _promoted(found: Contents) -> str:
    if not found.is_over:
        return "Promoted: decided when all cells are done."
    if not found.promoted:
        return "Promoted: none."
    return f"Promoted: {_some_of([_with_auc(one) for one in found.promoted])}."


def _new(found: Contents) -> str:
    """Return how many of the promoted models are new, where others were champions before."""
    tested = {(one.symbol, one.timeframe, one.horizon) for one in found.champion_tests if not one.replaced}
    # Whose cell promoted a model that did not replace it is that model.
    kept = sum((one.job.symbol, one.job.timeframe, one.job.horizon) in tested for one in found.promoted)
    return f" ({len(found.promoted) - kept or 'none'} new)" if kept else ""


def _with_auc(one: ReportedJob) -> str:
    interval = one.measured.interval if one.measured else None
    spread = f" ± {(interval[1] - interval[0]) / 2:.3f}" if interval else ""
    return f"{one.job.name} (AUC {one.auc:.3f}{spread})" if one.auc is not None else one.job.name


def _refusals(found: Contents) -> str:
    refused = sum(one.job.promoted is False for one in found.trained)
    if not refused:
        return ""
    missed = [f"{count} {CONDITIONS[reason]}" for reason, count in found.refused_by]
    return f"Not promoted: {some(refused, 'model')}; {_some_of(missed)}."


def _scores(found: Contents) -> str:
    scored = [one for one in found.trained if one.auc is not None]
    if not scored:
        return ""
    best = max(scored, key=lambda one: one.auc or 0.0)
    words = f"AUC: {found.night.mean_auc:.4f} on average, best {best.auc:.3f} ({best.job.name})"
    comparison = found.comparison
    if comparison is None or comparison.mean_gain is None:
        return f"{words}; no earlier night to compare with."
    gains = [cell.gain for cell in comparison.cells if cell.gain is not None]
    better, worse = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
    return (
        f"{words}; {comparison.mean_gain:+.4f} against night {comparison.before.id}, "
        f"{some(better, 'cell')} better, {worse} worse."
    )


def _champions(found: Contents) -> str:
    if not found.champion_tests:
        return ""
    verdicts = Counter(one.verdict for one in found.champion_tests if not one.replaced)
    replaced = sum(one.replaced for one in found.champion_tests)
    counts = [(verdicts[Verdict.STANDS], "stand"), (replaced, "replaced")]
    counts += [(verdicts[Verdict.DEMOTED], "demoted"), (verdicts[Verdict.EXPIRED], "expired")]
    return f"Champions: {', '.join(f'{count} {words}' for count, words in counts if count)}."


def _failures(found: Contents) -> str:
    if not found.failures:
        return "Failed: nothing."
    return f"Failed: {_groups(found.failures)}."


def _groups(groups: Sequence[FailureGroup]) -> str:
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.cause.replace("_", " ")] += len(group.jobs)
    causes = ", ".join(f"{some(count, 'job')} ({cause})" for cause, count in counts.most_common())
    return f"{causes}; most often: {groups[0].message.rstrip('.')}"


def _candles(found: Contents) -> str:
    symbols = found.candles.symbols
    lost = Counter(
        finding.defect.replace("_", " ")
        for one in symbols
        if one.report
        for finding in one.report.findings
        if finding.action not in HARMLESS
    )
    missing = sum(bool(one.missing) for one in symbols)
    parts = []
    if found.refusals:
        parts.append(f"{found.refusals[0].message.rstrip('.')} ({_some_of(_refused(found))})")
    if lost:
        kinds = [f"{defect} in {count} series" for defect, count in lost.most_common()]
        parts.append(f"found {_some_of(kinds)}")
    if missing:
        parts.append(f"{some(missing, 'symbol')} with missing bars")
    return f"Data: {'; '.join(parts)}." if parts else "Data: nothing was found wrong."


def _refused(found: Contents) -> list[str]:
    """Return the symbols whose candles were refused, or the cells where only a series of theirs was."""
    refused = [job for group in found.refusals for job in group.jobs]
    symbols = [job.name.removeprefix("survey of ") for job in refused if job.kind is JobKind.SURVEY]
    return symbols or [job.name for job in refused]


def _time(found: Contents) -> str:
    timed = [one for one in found.cells if one.seconds is not None]
    words = f"Time: {some(len(found.load.lanes), 'trainer')} at work {found.load.busy_ratio:.0%} of it"
    if timed:
        longest = max(timed, key=lambda one: one.seconds or 0.0)
        words += f"; longest {longest.job.name} {duration(longest.seconds)}"
    if found.load.largest_peak_bytes:
        words += f"; most memory {found.load.largest_peak_bytes / 2**20:.0f} MiB"
    return f"{words}."


def _faster(found: Contents) -> str:
    if not found.hints:
        return ""
    hint = found.hints[0]
    return f"Faster by up to {duration(hint.seconds)}: {hint.words}"


def _some_of(words: Sequence[str]) -> str:
    named = ", ".join(words[:NAMED])
    return f"{named} and {len(words) - NAMED} more" if len(words) > NAMED else named


def _line(words: str) -> str:
    """Return words as one printable line of bounded length: messages come from outside."""
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
