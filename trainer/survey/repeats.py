"""Bars that come more than once, within a file or between files: which one is used.

Where one of two covers the other (same open, as high, as low, as much volume), the other was written while
the bar was still open, and the finished one is used. Else the one written later is used: the later row of a
file, and of two files the row of the one that reaches further. Where both reach as
far, the first-named is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.protocol.reports import Finding
from common.timeframes import Timeframe
from trainer.candles import findings
from trainer.candles.arrays import FloatArray, IntArray
from trainer.candles.bars import HIGH, LOW, OPEN, VOLUME, Bars, largest_difference
from trainer.sources.files import Source
from trainer.survey.agreement import EQUAL, MANY_BARS, Side, compared, disagreement

Mask = npt.NDArray[np.bool_]

SAME_OPEN = 1e-6
"""Relative difference up to which two rows of a bar began at the same price."""


@dataclass(frozen=True)
class _Pairs:
    """Rows of the same bar, compared two by two: `against` is the row that was used until `row` came."""

    row: IntArray
    against: IntArray
    difference: FloatArray
    explained: Mask


def repeats(
    bars: Bars, origin: IntArray, sources: Sequence[Source], timeframe: Timeframe, max_share: float
) -> tuple[Mask, list[Finding], str]:
    """Find the rows that are not used because another row of the same bar is.

    Parameters
    ----------
    bars : Bars
        Sorted by time, rows of the same bar in the order in which they were read.
    origin : ndarray of int64, shape (n,)
        Place in `sources` of each row's source.
    sources : sequence of Source
        Where the rows come from.
    timeframe : Timeframe
        What they are bars of.
    max_share : float
        Share of the bars that a file may repeat with other values that nothing explains.

    Returns
    -------
    dropped : ndarray of bool, shape (n,)
        Rows that have to go.
    findings : list of Finding
        What was repeated.
    refusal : str
        Why the series must not be used, or empty.
    """
    dropped = np.zeros(len(bars), dtype=np.bool_)
    repeated = np.flatnonzero(bars.open_time[1:] == bars.open_time[:-1]) + 1
    if not len(repeated):
        return dropped, [], ""
    pairs = _settled(bars, origin, sources, repeated, dropped)
    same_file = origin[pairs.row] == origin[pairs.against]
    distinct = len(bars) - len(repeated)
    names = [source.name for source in sources]
    found, refusal = _within(bars, origin, names, timeframe, pairs, same_file, max_share * distinct)
    if not same_file.all():
        of_files, between = _between(bars, origin, names, timeframe, pairs, ~same_file)
        found += of_files
        refusal = refusal or between
    return dropped, found, refusal


def _settled(
    bars: Bars, origin: IntArray, sources: Sequence[Source], repeated: IntArray, dropped: Mask
) -> _Pairs:
    """Compare the rows of each bar, one after the other, with the one that is used so far; marks the rest."""
    is_repeat = np.zeros(len(bars), dtype=np.bool_)
    is_repeat[repeated] = True
    first = np.maximum.accumulate(np.where(is_repeat, 0, np.arange(len(bars))))
    reach = np.array([int(source.bars.open_time.max(initial=0)) for source in sources])
    newest_first = np.array([_newest_first(source.bars.open_time) for source in sources])
    used = np.arange(len(bars))
    depth = repeated - first[repeated]
    parts: list[_Pairs] = []
    for level in range(1, int(depth.max()) + 1):
        row = repeated[depth == level]
        against = used[first[row]]
        ours, theirs = bars.values[:, against], bars.values[:, row]
        difference = largest_difference(ours, theirs)
        later = np.where(
            origin[row] == origin[against],
            ~newest_first[origin[row]],
            reach[origin[row]] > reach[origin[against]],
        )
        more, less = _covers(theirs, ours), _covers(ours, theirs)
        wins = np.where(more != less, more, later) & (difference > EQUAL)
        used[first[row]] = np.where(wins, row, against)
        dropped[np.where(wins, against, row)] = True
        parts.append(_Pairs(row, against, difference, more != less))
    order = np.argsort(np.concatenate([part.row for part in parts]), kind="stable")
    return _Pairs(
        *(
            np.concatenate([getattr(part, name) for part in parts])[order]
            for name in ("row", "against", "difference", "explained")
        )
    )


def _newest_first(times: IntArray) -> bool:
    return bool((np.diff(times) < 0).sum() > len(times) / 2)


def _covers(whole: FloatArray, part: FloatArray) -> Mask:
    """Whether the first is the bar that the second would have become; equal bars cover each other."""
    same_open = np.abs(whole[OPEN] - part[OPEN]) <= SAME_OPEN * part[OPEN]
    wider = (whole[HIGH] >= part[HIGH]) & (whole[LOW] <= part[LOW])
    return np.asarray(same_open & wider & (whole[VOLUME] >= part[VOLUME]))


def _within(
    bars: Bars,
    origin: IntArray,
    names: Sequence[str],
    timeframe: Timeframe,
    pairs: _Pairs,
    same_file: Mask,
    allowed: float,
) -> tuple[list[Finding], str]:
    found: list[Finding] = []
    equal = pairs.row[same_file & (pairs.difference <= EQUAL)]
    if len(equal):
        first_ms, file = int(bars.open_time[equal[0]]), names[origin[equal[0]]]
        found.append(findings.duplicate_equal(timeframe, len(equal), first_ms, file))
    different = same_file & (pairs.difference > EQUAL)
    finished = pairs.row[different & pairs.explained]
    if len(finished):
        first_ms, file = int(bars.open_time[finished[0]]), names[origin[finished[0]]]
        found.append(findings.duplicate_unfinished(timeframe, len(finished), first_ms, file))
    unexplained = different & ~pairs.explained
    rows = pairs.row[unexplained]
    if not len(rows):
        return found, ""
    refusal = ""
    if len(rows) >= MANY_BARS and len(rows) > allowed:
        refusal = (
            "too many for the later to be believed, so the file is of more than one market or clock: split it"
        )
    found.append(
        findings.duplicate_different(
            timeframe,
            len(rows),
            int(bars.open_time[rows[0]]),
            names[origin[rows[0]]],
            float(pairs.difference[unexplained].max()),
            refusal,
        )
    )
    return found, found[-1].detail.rstrip(".") if refusal else ""


def _between(
    bars: Bars,
    origin: IntArray,
    names: Sequence[str],
    timeframe: Timeframe,
    pairs: _Pairs,
    shared: Mask,
) -> tuple[list[Finding], str]:
    rows, against, difference = pairs.row[shared], pairs.against[shared], pairs.difference[shared]
    explained = pairs.explained[shared]
    ours, theirs = np.minimum(origin[against], origin[rows]), np.maximum(origin[against], origin[rows])
    code = ours * len(names) + theirs
    unexplained = (difference > EQUAL) & ~explained
    codes, counts = np.unique(code[unexplained], return_counts=True)
    for pair in codes[counts >= MANY_BARS].tolist():
        sides = [_side(bars, origin, names, place, timeframe) for place in divmod(pair, len(names))]
        excused = bars.open_time[rows[(code == pair) & explained]]
        refused = disagreement(timeframe, sides[0], sides[1], excused)
        if refused:
            return [refused], refused.detail.rstrip(".")
    others = len(np.unique(code)) - 1
    more = f" (and {findings.counted(others, 'other pair')} of files)" if others else ""
    finding = compared(
        timeframe,
        bars.open_time[rows],
        difference,
        names[ours[0]],
        f"{names[theirs[0]]}{more}",
        "the finished one is used, or that of the file that reaches further",
    )
    return [finding], ""


def _side(bars: Bars, origin: IntArray, names: Sequence[str], place: int, timeframe: Timeframe) -> Side:
    own = bars.take(origin == place)
    own = own.take(np.append(own.open_time[1:] != own.open_time[:-1], True))
    return Side(names[place], own, own, timeframe)
