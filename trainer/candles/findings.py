"""The words of a survey: one function for each kind of finding, one sentence each.

A finding of a file has an empty timeframe; a finding of a series names its timeframe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from common.protocol.reports import Finding
from common.timeframes import Timeframe

_STEPS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"), (1, "millisecond"))


def moment(time_ms: int) -> str:
    """Write milliseconds since the epoch as ``2023-03-24 12:40 UTC``, with seconds where there are any."""
    time = datetime.fromtimestamp(time_ms / 1000, UTC)
    return time.strftime("%Y-%m-%d %H:%M UTC" if time_ms % 60_000 == 0 else "%Y-%m-%d %H:%M:%S UTC")


def duration(milliseconds: int) -> str:
    """Write a length of time in its largest whole unit: ``90 minutes``, ``1 day``."""
    step, name = next((step, name) for step, name in _STEPS if milliseconds % step == 0)
    return counted(milliseconds // step, name)


def counted(number: int, noun: str) -> str:
    """Write ``1 bar`` or ``1,440 bars``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Write a share with the digits that matter: ``12.3 %``, ``0.0076 %``."""
    return f"{100 * share:.1f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def unreadable(file: str, defect: str, why: str) -> Finding:
    """Report a file, or a member of an archive, that was left out."""
    return _of_file(defect, 1, "dropped", file, f"{file} was left out: {why}.")


def cut_line(file: str) -> Finding:
    """Report a text whose last line ends early."""
    detail = f"The last line of {file} ends early, so the file was probably cut; the line was dropped."
    return _of_file("cut_file", 1, "dropped", file, detail)


def bad_lines(file: str, count: int, first: int) -> Finding:
    """Report lines with too few or too many fields."""
    lines = f"{counted(count, 'line')} of {file}"
    detail = f"{lines} with too few or too many fields {_were(count)} dropped, first line {first}."
    return _of_file("bad_line", count, "dropped", file, detail)


def timeless(file: str, count: int) -> Finding:
    """Report rows without a time."""
    detail = f"{counted(count, 'row')} of {file} without a time that can be read {_were(count)} dropped."
    return _of_file("no_time", count, "dropped", file, detail)


def other_instruments(symbol: str, kind: str, left_out: str) -> Finding:
    """Tell of a symbol's files that are of another kind of instrument than the one that is read."""
    detail = f"{symbol} is trained on its {kind} candles alone; left out were {left_out}."
    return _of_file("other_instrument", 1, "dropped", symbol, detail)


def links_out(count: int, told: str) -> Finding:
    """Report links that lead out of the folder of candles; `told` says which and what to do."""
    return _of_file("link_out", count, "dropped", told.partition(" ")[0], f"{told}.")


def columns_told(file: str, note: str) -> Finding:
    """Tell how the columns of a file were read; `note` begins with ``its``."""
    return _of_file("columns", 1, "kept", file, f"{file}: {note}.")


def name_disagrees(file: str, named: str, timeframe: str) -> Finding:
    """Report a file whose name gives another timeframe than its rows."""
    says = f"says {named}" if named else "tells a timeframe that cannot be trained"
    detail = f"The name of {file} {says}, but its rows are {timeframe} apart; they were taken as {timeframe}."
    return _of_series("name_disagrees", timeframe, 1, "kept", file, detail)


def mixed_units(timeframe: str, file: str, units: Iterable[str]) -> Finding:
    """Report times in several units within one series."""
    named = " and ".join(sorted(units))
    detail = f"The times are written in {named}, changing first in {file}; each was read by its magnitude."
    return _of_series("mixed_time_units", timeframe, 1, "kept", file, detail)


def unsorted(timeframe: str, rows: int, files: int, file: str, newest_first: bool) -> Finding:
    """Report files whose rows are not in the order of time."""
    where = file if files == 1 else f"{files} files, first {file}"
    how = "run from new to old" if newest_first else f"are out of order at {counted(rows, 'place')}"
    detail = f"The rows {how} in {where}; they were sorted."
    return _of_series("unsorted", timeframe, rows, "sorted", file, detail)


def impossible(timeframe: str, defect: str, words: str, count: int, first_ms: int) -> Finding:
    """Report bars whose numbers cannot be true; `words` says what is wrong, after ``3 bars with``."""
    detail = f"{counted(count, 'bar')} with {words} {_were(count)} dropped, first {moment(first_ms)}."
    return _of_series(defect, timeframe, count, "dropped", moment(first_ms), detail)


def jumps(timeframe: str, count: int, first_ms: int, before: float, after: float, factor: float) -> Finding:
    """Report bars that lie far above or below all of the bar before; `before` and `after` are closes."""
    detail = (
        f"The price jumps {factor:g}-fold or more from bar to bar at {counted(count, 'place')}, first "
        f"{moment(first_ms)} from {before:.6g} to {after:.6g}; kept as it is. It may be a split, another "
        "asset under the same name, or a wrong decimal point."
    )
    return _of_series("jump", timeframe, count, "kept", moment(first_ms), detail)


def wide(timeframe: str, count: int, first_ms: int, factor: float) -> Finding:
    """Report bars whose high is very many times their low."""
    detail = (
        f"{counted(count, 'bar')} with a high of more than {factor:,.0f} times the low {_were(count)} kept, "
        f"first {moment(first_ms)}. It may be a flash crash, or a wrong decimal point."
    )
    return _of_series("wide_range", timeframe, count, "kept", moment(first_ms), detail)


def bad_turnover(timeframe: str, count: int, first_ms: int) -> Finding:
    """Report bars whose quote volume alone cannot be true."""
    bars = f"{counted(count, 'bar')} with an impossible quote volume {_were(count)} kept"
    detail = f"{bars}, first {moment(first_ms)}; volume x close was counted instead."
    return _of_series("quote_volume", timeframe, count, "kept", moment(first_ms), detail)


def off_grid(timeframe: Timeframe, count: int, first_ms: int, offset_ms: int | None) -> Finding:
    """Report bars that open on no multiple of their length; `offset_ms` if all are off by the same."""
    where = f"not on a whole {timeframe}"
    if offset_ms == timeframe.milliseconds - 1:
        where = f"a millisecond before a whole {timeframe}, as closing times are,"
    elif offset_ms is not None:
        where = f"{duration(offset_ms)} after a whole {timeframe}"
    detail = f"{counted(count, 'bar')} opening {where} {_were(count)} dropped, first {moment(first_ms)}."
    return _of_series("off_grid", timeframe, count, "dropped", moment(first_ms), detail)


def duplicate_equal(timeframe: str, count: int, first_ms: int, file: str) -> Finding:
    """Report bars that one file holds more than once with equal values."""
    bars = counted(count, "repeated bar")
    detail = f"{bars} with equal values {_were(count)} dropped, first {moment(first_ms)} in {file}."
    return _of_series("duplicate_equal", timeframe, count, "dropped", moment(first_ms), detail)


def duplicate_unfinished(timeframe: str, count: int, first_ms: int, file: str) -> Finding:
    """Report bars that one file holds as they were while still open, and once more finished."""
    bars = f"{counted(count, 'bar')} {_are(count)} repeated"
    detail = f"{bars}, once unfinished and once finished, first {moment(first_ms)} in {file}; "
    detail += "the finished one is used."
    return _of_series("duplicate_unfinished", timeframe, count, "dropped", moment(first_ms), detail)


def duplicate_different(
    timeframe: str, count: int, first_ms: int, file: str, largest: float, refusal: str
) -> Finding:
    """Report bars that one file holds more than once with different values; `refusal` if too many."""
    bars = f"{counted(count, 'bar')} {_are(count)} repeated with other values, by up to {percent(largest)}"
    done = refusal or "the later of each is used"
    detail = f"{bars} apart, first {moment(first_ms)} in {file}; {done}."
    action = "refused" if refusal else "reported"
    return _of_series("duplicate_different", timeframe, count, action, moment(first_ms), detail)


def overlap(timeframe: str, common: int, first_ms: int, ours: str, theirs: str) -> Finding:
    """Report sources that have bars in common and agree on all of them."""
    bars = f"{counted(common, 'bar')} of {ours} {_are(common)}"
    detail = f"{bars} also in {theirs}, with equal values, first {moment(first_ms)}."
    return _of_series("overlap_equal", timeframe, common, "dropped", moment(first_ms), detail)


def disagreement(
    timeframe: str, count: int, common: int, first_ms: int, ours: str, theirs: str, largest: float, kept: str
) -> Finding:
    """Report sources that differ on `count` of the `common` bars that both have; `kept` is what was done."""
    bars = f"{count:,} of {counted(common, 'common bar')} {'differs' if count == 1 else 'differ'}"
    apart = f"by up to {percent(largest)}, first {moment(first_ms)}"
    detail = f"{bars} between {ours} and {theirs}, {apart}; {kept}."
    return _of_series("overlap_different", timeframe, count, "reported", moment(first_ms), detail)


def sources_disagree(
    timeframe: str, count: int, common: int, first_ms: int, ours: str, theirs: str, largest: float, why: str
) -> Finding:
    """Report sources that differ on so many bars that neither can be believed; `why` says what it may be."""
    bars = f"{count:,} of {counted(common, 'common bar')} differ between {ours} and {theirs}"
    detail = f"{bars}, by up to {percent(largest)}, first {moment(first_ms)}; {why}."
    return _of_series("sources_disagree", timeframe, count, "refused", moment(first_ms), detail)


def unfinished(timeframe: str, open_ms: int, file: str, why: str) -> Finding:
    """Report a newest bar that was still open when it was written."""
    detail = f"The newest bar, {moment(open_ms)} in {file}, was dropped as unfinished: {why}."
    return _of_series("unfinished", timeframe, 1, "dropped", moment(open_ms), detail)


def empty_bars(timeframe: str, count: int, first_ms: int) -> Finding:
    """Report rows that say that nothing was traded: no price and no volume."""
    rows = f"{counted(count, 'bar')} without prices and volume {_are(count)}"
    detail = f"{rows} taken for times without a trade, as if absent, first {moment(first_ms)}."
    return _of_series("empty_bar", timeframe, count, "dropped", moment(first_ms), detail)


def far_opens(timeframe: str, count: int, of: int, first_ms: int, far: float, refused: bool) -> Finding:
    """Report bars that open far from the close before them."""
    bars = (
        f"{count:,} of {counted(of, 'bar')} ({percent(count / of)}) open more than {percent(far)} from the "
    )
    bars += "last close"
    why = "these are not the bars of one market in their order" if refused else "kept as they are"
    detail = f"{bars}, first {moment(first_ms)}; {why}."
    return _of_series(
        "far_open", timeframe, count, "refused" if refused else "kept", moment(first_ms), detail
    )


def volatile(timeframe: str, count: int, of: int, first_ms: int, far: float, refused: bool) -> Finding:
    """Report moves that are larger and more frequent than those of a market that can be traded."""
    bars = f"{count:,} of {counted(of, 'bar')} ({percent(count / of)}) move by more than {percent(far)}"
    why = "the moves come back at once, as on a testnet or in a mixture of two markets"
    why = why if refused else "kept as they are. It may be a testnet, or hardly anything is traded"
    detail = f"{bars}, first {moment(first_ms)}; {why}."
    return _of_series(
        "volatile", timeframe, count, "refused" if refused else "kept", moment(first_ms), detail
    )


def zero_volume(timeframe: str, count: int, rows: int, first_ms: int) -> Finding:
    """Report bars in which nothing was traded."""
    bars = f"{count:,} of {counted(rows, 'bar')}"
    detail = (
        f"{bars} {'has' if count == 1 else 'have'} no volume, first {moment(first_ms)}; kept as they are."
    )
    return _of_series("zero_volume", timeframe, count, "kept", moment(first_ms), detail)


def no_trade(timeframe: str, count: int, first_ms: int, filled: bool) -> Finding:
    """Report absent bars in which, by all that can be seen, nothing was traded."""
    bars = f"{counted(count, 'absent bar')} {_are(count)} taken for times without a trade"
    done = "filled with the close before" if filled else "not counted against coarser bars, and not filled"
    detail = f"{bars}, first {moment(first_ms)}; {done}, as missing is {'no_trade' if filled else 'skip'}."
    return _of_series("no_trade", timeframe, count, "filled" if filled else "kept", moment(first_ms), detail)


def left_out(
    timeframe: str, count: int, missing: int, expected: int, first_ms: int, allowed: float
) -> Finding:
    """Report bars of spans in which too many are missing, so that they are not used."""
    bars = f"{counted(count, 'bar')} of a span that lacks {missing:,} of {counted(expected, 'bar')}"
    share = f"{percent(missing / expected)}; max_missing_share allows {percent(allowed)}"
    detail = f"{bars} ({share}) {_were(count)} left out, first {moment(first_ms)}."
    return _of_series("span_left_out", timeframe, count, "dropped", moment(first_ms), detail)


def gaps(
    timeframe: str,
    missing: int,
    expected: int,
    openings: Sequence[int],
    lengths: Sequence[int],
    lost: tuple[int, int],
    why: str,
) -> Finding:
    """Report missing bars.

    Parameters
    ----------
    timeframe : str
        What they are bars of.
    missing, expected : int
        Missing bars, and bars that there would be without gaps.
    openings, lengths : sequence of int
        For each gap the opening of its first bar in milliseconds since the epoch, and the number of its bars.
    lost : tuple of int
        How many bars get no features because of the gaps, and how many would have some without gaps.
    why : str
        What makes a bar count as missing where that is not plain, or empty.
    """
    share = percent(missing / expected)
    bars = f"{missing:,} of {counted(expected, 'bar')} ({share}) {_are(missing)}"
    detail = f"{bars} missing in {counted(len(lengths), 'gap')}, first {moment(openings[0])}"
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    if len(lengths) > 1:
        detail += f" ({counted(lengths[0], 'bar')})"
    if lengths[longest] > lengths[0]:
        detail += f", longest {moment(openings[longest])} ({counted(lengths[longest], 'bar')})"
    if lost[0] > 0.01 * lost[1]:
        detail += f"; windows do not reach across them, which costs {percent(lost[0] / lost[1])} of the rows"
    detail += f"; {why}." if why else "."
    return _of_series("gap", timeframe, missing, "kept", moment(openings[0]), detail)


def filled(timeframe: str, count: int, first_ms: int, lacking: str, source: str) -> Finding:
    """Report bars that the preferred source lacks and that were resampled from another."""
    bars = f"{counted(count, 'bar')} not among {lacking} {_were(count)}"
    detail = f"{bars} resampled from {source}, first {moment(first_ms)}."
    return _of_series("filled", timeframe, count, "resampled", moment(first_ms), detail)


def refused(timeframe: str, defect: str, count: int, first_ms: int, detail: str) -> Finding:
    """Report a series that is refused; `detail` is the sentence that says why."""
    return _of_series(defect, timeframe, count, "refused", moment(first_ms), detail)


def grouped(found: Iterable[Finding]) -> list[Finding]:
    """Merge findings of the same kind about several files into one that names the first three."""
    kinds: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in found:
        kinds.setdefault((finding.defect, finding.timeframe, finding.action), []).append(finding)
    merged: list[Finding] = []
    for same in kinds.values():
        first, others = same[0], same[1:]
        if others:
            names = ", ".join(finding.first for finding in others[:2])
            more = f" and {len(others) - 2} more" if len(others) > 2 else ""
            detail = f"{first.detail} Likewise {names}{more}."
            first = first.model_copy(update={"count": sum(f.count for f in same), "detail": detail})
        merged.append(first)
    return merged


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _of_file(defect: str, count: int, action: str, file: str, detail: str) -> Finding:
    return _of_series(defect, "", count, action, file, detail)


def _of_series(defect: str, timeframe: str, count: int, action: str, first: str, detail: str) -> Finding:
    return Finding(defect=defect, timeframe=timeframe, count=count, action=action, first=first, detail=detail)
