"""The words of a survey: one function for each kind of finding, one clear sentence each.

A finding of a file has an empty timeframe; a finding of a series names its timeframe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from common.report import Finding
from trainer.candles import interval_ms_of

_STEPS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1000, "second"), (1, "millisecond"))


def moment(time_ms: int) -> str:
    """Write a time in milliseconds since the epoch as ``2023-03-24 12:40 UTC``, with seconds if any."""
    time = datetime.fromtimestamp(time_ms / 1000, UTC)
    return time.strftime("%Y-%m-%d %H:%M UTC" if time_ms % 60_000 == 0 else "%Y-%m-%d %H:%M:%S UTC")


def duration(milliseconds: int) -> str:
    """Write a length of time in its largest whole unit: ``90 minutes``, ``1 day``."""
    for step, name in _STEPS:
        if milliseconds % step == 0:
            return counted(milliseconds // step, name)
    return counted(milliseconds, "millisecond")


def counted(number: int, noun: str) -> str:
    """Write ``1 bar`` or ``1,440 bars``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float) -> str:
    """Write a share with the digits that tell something: ``12.3 %``, ``0.0076 %``."""
    return f"{100 * share:.{1 if share >= 0.01 else 2}g} %" if share < 0.1 else f"{100 * share:.1f} %"


def unreadable(file: str, defect: str, why: str) -> Finding:
    """Tell of a file, or a member of an archive, that was left out."""
    return _of_file(defect, 1, "dropped", file, f"{file} was left out: {why}.")


def cut_line(file: str) -> Finding:
    """Tell of a text whose last line ends early."""
    detail = f"The last line of {file} ends early, so the file was probably cut; the line was dropped."
    return _of_file("cut_file", 1, "dropped", file, detail)


def bad_lines(file: str, count: int, first: int) -> Finding:
    """Tell of lines with too few or too many fields."""
    detail = (
        f"{counted(count, 'line')} of {file} with too few or too many fields dropped, first line {first}."
    )
    return _of_file("bad_line", count, "dropped", file, detail)


def timeless(file: str, count: int) -> Finding:
    """Tell of rows without a time."""
    detail = f"{counted(count, 'row')} of {file} dropped, because no time could be read in them."
    return _of_file("no_time", count, "dropped", file, detail)


def name_disagrees(file: str, named: str, timeframe: str) -> Finding:
    """Tell of a file whose name tells another timeframe than its rows."""
    says = f"says {named}" if named else "tells a timeframe that cannot be trained"
    detail = f"The name of {file} {says}, but its rows are {timeframe} apart; they were taken as {timeframe}."
    return Finding(
        defect="name_disagrees", timeframe=timeframe, count=1, action="kept", first=file, detail=detail
    )


def mixed_units(timeframe: str, first: str, units: Iterable[str]) -> Finding:
    """Tell of times in several units within one series."""
    named = " and ".join(sorted(units))
    detail = f"The times are written in {named}, first in {first}; each was read by its own magnitude."
    return Finding(
        defect="mixed_time_units", timeframe=timeframe, count=1, action="kept", first=first, detail=detail
    )


def unsorted(timeframe: str, rows: int, files: int, first: str, newest_first: bool) -> Finding:
    """Tell of files whose rows are not in the order of time."""
    where = first if files == 1 else f"{files} files, first in {first}"
    how = "run from new to old" if newest_first else f"are out of order at {counted(rows, 'place')}"
    detail = f"The rows {how} in {where}; they were sorted."
    return Finding(
        defect="unsorted", timeframe=timeframe, count=rows, action="sorted", first=first, detail=detail
    )


def impossible(timeframe: str, defect: str, words: str, count: int, first_ms: int) -> Finding:
    """Tell of bars whose numbers cannot be true; `words` says what is wrong, after ``3 bars with``."""
    detail = f"{counted(count, 'bar')} with {words} dropped, first at {moment(first_ms)}."
    return _of_series(defect, timeframe, count, "dropped", first_ms, detail)


def off_grid(timeframe: str, count: int, first_ms: int, offset_ms: int | None) -> Finding:
    """Tell of bars that open on no multiple of their length; `offset_ms` if all are off by the same."""
    do = "does" if count == 1 else "do"
    detail = f"{counted(count, 'bar')} dropped that {do} not open on a whole {timeframe}"
    if offset_ms is not None and offset_ms == interval_ms_of(timeframe) - 1:
        detail += " but a millisecond before it, as closing times do"
    elif offset_ms is not None and count > 1:
        detail += f" but {duration(offset_ms)} after it"
    return _of_series(
        "off_grid", timeframe, count, "dropped", first_ms, f"{detail}, first at {moment(first_ms)}."
    )


def duplicate_equal(timeframe: str, count: int, first_ms: int, file: str) -> Finding:
    """Tell of bars that one file holds more than once with equal values."""
    detail = (
        f"{counted(count, 'repeated bar')} with equal values dropped, first at {moment(first_ms)} in {file}."
    )
    return _of_series("duplicate_equal", timeframe, count, "dropped", first_ms, detail)


def duplicate_different(timeframe: str, count: int, first_ms: int, file: str, largest: float) -> Finding:
    """Tell of bars that one file holds more than once with different values."""
    detail = (
        f"{counted(count, 'bar')} repeated with different values (by up to {percent(largest)}), "
        f"first at {moment(first_ms)} in {file}; which is right cannot be told."
    )
    return _of_series("duplicate_different", timeframe, count, "refused", first_ms, detail)


def overlap(timeframe: str, common: int, first_ms: int, ours: str, theirs: str) -> Finding:
    """Tell of sources that have bars in common and agree on all of them."""
    detail = (
        f"{counted(common, 'bar')} of {ours} again in {theirs}, with equal values, first {moment(first_ms)}."
    )
    return _of_series("overlap_equal", timeframe, common, "dropped", first_ms, detail)


def disagreement(
    timeframe: str, count: int, common: int, first_ms: int, ours: str, theirs: str, largest: float
) -> Finding:
    """Tell of sources that differ on `count` of the `common` bars that both have."""
    detail = (
        f"{_of(count, common)} in common differ between {ours} and {theirs}, by up to {percent(largest)}, "
        f"first at {moment(first_ms)}; the first-named is used."
    )
    return _of_series("overlap_different", timeframe, count, "reported", first_ms, detail)


def unfinished(timeframe: str, open_ms: int, file: str, why: str) -> Finding:
    """Tell of a newest bar that was still open when it was written."""
    detail = f"The newest bar, {moment(open_ms)} in {file}, was dropped as unfinished: {why}."
    return _of_series("unfinished", timeframe, 1, "dropped", open_ms, detail)


def zero_volume(timeframe: str, count: int, rows: int, first_ms: int) -> Finding:
    """Tell of bars in which nothing was traded."""
    detail = f"{_of(count, rows)} without any volume kept, first at {moment(first_ms)}."
    return _of_series("zero_volume", timeframe, count, "kept", first_ms, detail)


def gaps(
    timeframe: str, missing: int, expected: int, openings: Sequence[int], lengths: Sequence[int], why: str
) -> Finding:
    """Tell of missing bars.

    Parameters
    ----------
    timeframe : str
        What they are bars of.
    missing, expected : int
        Missing bars, and bars that there would be without gaps.
    openings, lengths : sequence of int
        For each gap the opening of its first bar in milliseconds since the epoch, and the number of its bars.
    why : str
        What makes a bar count as missing where that is not plain, or empty.
    """
    longest = max(range(len(lengths)), key=lengths.__getitem__)
    share, number = percent(missing / expected), counted(len(lengths), "gap")
    detail = f"{_of(missing, expected)} ({share}) missing in {number}, "
    if len(lengths) == 1:
        detail += f"from {moment(openings[0])}"
    else:
        detail += f"first {counted(lengths[0], 'bar')} from {moment(openings[0])}"
    if lengths[longest] > lengths[0]:
        detail += f", at most {counted(lengths[longest], 'bar')} from {moment(openings[longest])}"
    detail += f"; {why}." if why else "."
    return _of_series("gap", timeframe, missing, "kept", openings[0], detail)


def filled(timeframe: str, count: int, first_ms: int, lacking: str, source: str) -> Finding:
    """Tell of bars that the preferred source lacks and that were resampled from another."""
    bars = counted(count, "bar")
    detail = f"{bars} lacking in {lacking} resampled from {source} candles, first {moment(first_ms)}."
    return _of_series("filled", timeframe, count, "resampled", first_ms, detail)


def refused(timeframe: str, defect: str, count: int, first_ms: int, detail: str) -> Finding:
    """Tell of a series that is refused; `detail` is the sentence that says why."""
    return _of_series(defect, timeframe, count, "refused", first_ms, detail)


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
            detail = f"{first.detail} The same is true of {names}{more}."
            first = first.model_copy(update={"count": sum(f.count for f in same), "detail": detail})
        merged.append(first)
    return merged


def _of(part: int, whole: int) -> str:
    return f"{part:,} of {counted(whole, 'bar')}"


def _of_file(defect: str, count: int, action: str, file: str, detail: str) -> Finding:
    return Finding(defect=defect, timeframe="", count=count, action=action, first=file, detail=detail)


def _of_series(defect: str, timeframe: str, count: int, action: str, first_ms: int, detail: str) -> Finding:
    return Finding(
        defect=defect, timeframe=timeframe, count=count, action=action, first=moment(first_ms), detail=detail
    )
