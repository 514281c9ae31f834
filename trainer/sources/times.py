"""Times as sources write them: numbers in seconds to nanoseconds, or ISO 8601.

Numbers and timestamps are read without pandas, whose import costs a process a second; text and zones need it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trainer.candles.arrays import IntArray
from trainer.sources.buffers import numbers_of

if TYPE_CHECKING:
    import pandas as pd

_OFFSET = r"(?:Z|[+-]\d{2}:?\d{2})$"
_EPOCH = datetime(1970, 1, 1)

_PLAIN_NUMBER = re.compile(r"[0-9]{9,}(\.[0-9]+)?")
_PLAIN_MOMENT = re.compile(
    r"(19[89]|20[0-9])[0-9]-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z?"
)
"""What Arrow writes for a timestamp without a zone, or in UTC."""

NO_TIME = np.iinfo(np.int64).min
"""Stands for a time that is missing or cannot be read."""

UNITS: tuple[tuple[str, float, int, int], ...] = (
    ("seconds", 1e8, 1000, 1),
    ("milliseconds", 1e11, 1, 1),
    ("microseconds", 1e14, 1, 1000),
    ("nanoseconds", 1e17, 1, 1_000_000),
)
"""Unit, the least number that is read as it, and the factor and divisor that turn it into milliseconds.

Any moment from March 1973 to the year 5138 falls into one unit's range only, so the unit is read off each
number by itself, and a series may change it anywhere.
"""


def milliseconds(numbers: npt.NDArray[np.generic]) -> tuple[IntArray, frozenset[str]]:
    """Turn numbers since the epoch into milliseconds.

    Parameters
    ----------
    numbers : ndarray of integers or floats, shape (n,)
        Seconds, milliseconds, microseconds or nanoseconds, each by its own magnitude.

    Returns
    -------
    times : ndarray of int64, shape (n,)
        Milliseconds since the epoch, parts of one cut off; `NO_TIME` for what is no time since March 1973.
    units : frozenset of str
        Names of the units that occur.
    """
    whole = np.issubdtype(numbers.dtype, np.integer)
    values = np.asarray(numbers).astype(np.int64 if whole else np.float64, copy=False)
    times = np.full(len(values), NO_TIME, dtype=np.int64)
    units: set[str] = set()
    uppers = [*(lower for _, lower, _, _ in UNITS[1:]), 1e20]
    for (unit, lower, factor, divisor), upper in zip(UNITS, uppers, strict=True):
        rows = (values >= lower) & (values < upper)
        if whole and rows.all() and len(values):
            return np.asarray(values * factor // divisor, dtype=np.int64), frozenset({unit})
        if rows.any():
            units.add(unit)
            scaled = values[rows] * factor
            times[rows] = (scaled if whole else np.rint(scaled)).astype(np.int64) // divisor
    return times, frozenset(units)


def epoch_ms(column: pa.ChunkedArray, zone: str | None = None) -> IntArray:
    """Turn a column of dates, timestamps or ISO 8601 text into milliseconds since the epoch, shape (n,).

    A time without a zone or offset is of `zone`, or UTC. `NO_TIME` stands for what is null, cannot be read,
    or is no moment that numbers could tell either.
    """
    return _told(_moments(column, zone))


def times_of(texts: Sequence[str]) -> IntArray:
    """Turn a few texts into milliseconds since the epoch, shape (n,), as `epoch_ms` does with a column."""
    filled = [text.strip() for text in texts if text]
    if all(_PLAIN_NUMBER.fullmatch(text) for text in filled):
        known = milliseconds(np.array([float(text) for text in filled], dtype=np.float64))[0].tolist()
    elif all(_PLAIN_MOMENT.fullmatch(text) for text in filled):
        try:
            moments = [datetime.fromisoformat(text[:23].rstrip("Z")) for text in filled]
        except ValueError:
            return epoch_ms(pa.chunked_array([pa.array(texts, pa.string())]))
        known = [(moment - _EPOCH) // timedelta(milliseconds=1) for moment in moments]
    else:
        return epoch_ms(pa.chunked_array([pa.array(texts, pa.string())]))
    times = np.full(len(texts), NO_TIME, dtype=np.int64)
    times[[bool(text) for text in texts]] = known
    return _told(times)


def written_as(column: pa.ChunkedArray, form: str, zone: str | None = None) -> IntArray:
    """Turn text that is written in a form of strptime into milliseconds since the epoch, shape (n,)."""
    import pandas as pd

    text = pd.Series(column.cast(pa.string()).to_pandas(), dtype="string").str.strip()
    if zone is not None and "%z" not in form:
        moments = pd.to_datetime(text, format=form, errors="coerce")
        return _told(_in_zone(pd.DatetimeIndex(moments), zone))
    return _told(_stamps(pd.to_datetime(text, utc=True, format=form, errors="coerce")))


def with_clock(dates: pa.ChunkedArray, clocks: pa.ChunkedArray) -> pa.ChunkedArray:
    """Put a column of dates and one of times of day together, as text."""
    import pandas as pd

    day = pd.Series(dates.cast(pa.string()).to_pandas(), dtype="string").str.strip()
    clock = pd.Series(clocks.cast(pa.string()).to_pandas(), dtype="string").str.strip()
    day = day.str.replace(r"[T ]00:00(:00(\.0+)?)?$", "", regex=True)
    # 93000 is half past nine to whoever wrote numbers; one digit of an hour is no ISO 8601.
    clock = clock.str.replace(r"^(\d):", r"0\1:", regex=True)
    whole = (day + " " + clock).astype("string")
    return pa.chunked_array([pa.array(whole.to_list(), pa.string(), from_pandas=True)])


def _told(times: IntArray) -> IntArray:
    _, (_, least, _, _), (_, beyond, _, _), _ = UNITS
    return np.where((times >= least) & (times < beyond), times, NO_TIME)


def _moments(column: pa.ChunkedArray, zone: str | None) -> IntArray:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _parsed(column, zone)
    own = kind.tz if pa.types.is_timestamp(kind) else None
    stamps = pc.cast(column, pa.timestamp("ms", own), safe=False)
    if zone is not None and own is None:
        import pandas as pd

        return _in_zone(pd.DatetimeIndex(stamps.to_pandas()), zone)
    numbers = pc.cast(stamps, pa.int64())
    if numbers.null_count:
        numbers = pc.fill_null(numbers, NO_TIME)
    return np.asarray(numbers_of(numbers), dtype=np.int64)


def _in_zone(moments: pd.DatetimeIndex, zone: str) -> IntArray:
    import pandas as pd

    # The hour that is there twice is told by its order where it can be, and is no time where it cannot.
    try:
        local = moments.tz_localize(zone, ambiguous="infer", nonexistent="NaT")
    except ValueError:
        local = moments.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    return _stamps(pd.Series(local.tz_convert("UTC")))


def _stamps(moments: pd.Series[pd.Timestamp]) -> IntArray:
    stamps = moments.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[ms]")
    return np.where(np.isnat(stamps), NO_TIME, stamps.astype(np.int64))


def _parsed(column: pa.ChunkedArray, zone: str | None) -> IntArray:
    import pandas as pd

    text = pd.Series(column.to_pandas(), dtype="string").str.strip()
    text = text.str.replace(r"\s*(UTC|GMT)$", "", regex=True, case=False)
    text = text.str.replace(r"^(\d{4})[./](\d{2})[./](\d{2})", r"\1-\2-\3", regex=True)
    is_number = text.str.fullmatch(r"\d{9,}(\.\d+)?").fillna(False).to_numpy(dtype=bool)
    times = np.full(len(text), NO_TIME, dtype=np.int64)
    if is_number.any():
        times[is_number] = milliseconds(text[is_number].to_numpy(dtype=np.float64))[0]
    if not is_number.all():
        rest = text[~is_number]
        if zone is not None and not rest.str.contains(_OFFSET).any():
            naive = pd.to_datetime(rest, format="ISO8601", errors="coerce")
            times[~is_number] = _in_zone(pd.DatetimeIndex(naive), zone)
        else:
            times[~is_number] = _stamps(pd.to_datetime(rest, utc=True, format="ISO8601", errors="coerce"))
    return times
