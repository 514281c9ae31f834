"""The columns of a source: which of them are the candle's fields, and their values as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from trainer.candles.arrays import FloatArray, IntArray
from trainer.candles.bars import FIELDS, Bars
from trainer.sources.times import NO_TIME, epoch_ms, milliseconds

NAMES: dict[str, tuple[str, ...]] = {
    "open_time": (
        *("open_time", "opentime", "date", "datetime", "timestamp", "time", "unix"),
        "__index_level_0__",  # what pandas calls an index without a name
    ),
    "open": ("open", "open_price"),
    "high": ("high", "high_price"),
    "low": ("low", "low_price"),
    "close": ("close", "close_price"),
    "volume": ("volume", "base_volume", "vol"),
    "quote_volume": ("quote_volume", "quote_asset_volume", "quotevolume", "quote_vol", "turnover"),
}
"""Names of each field in sources, the most telling first; compared in lower case with ``_`` for spaces."""

OPTIONAL = frozenset({"quote_volume"})

BINANCE_COLUMNS = 11
"""A row without names that has so many columns is a Binance dump, whose eighth column is the quote volume."""


class UnreadableError(Exception):
    """A source that holds no candles that can be read; says why, without the source's name.

    `defect` is the slug of the finding: ``empty_file``, ``cut_file`` or ``unreadable_file``.
    """

    def __init__(self, why: str, defect: str = "unreadable_file") -> None:
        super().__init__(why)
        self.defect = defect


def columns_by_name(names: Sequence[str]) -> dict[str, int]:
    """Return the place of each field among named columns.

    Raises
    ------
    UnreadableError
        A field has no column.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(name.strip().lower().replace(" ", "_"), place)
    chosen: dict[str, int] = {}
    for field, known in NAMES.items():
        matching = [places[name] for name in known if name in places]
        if matching:
            chosen[field] = matching[0]
        elif field not in OPTIONAL:
            raise UnreadableError(
                f"it has no column for {field}; its columns are {', '.join(names) or 'none'}"
            )
    return chosen


def columns_by_order(count: int) -> dict[str, int]:
    """Return the place of each field among `count` columns without names: time, prices, volume.

    Raises
    ------
    UnreadableError
        There are fewer than six columns.
    """
    if count < 6:
        raise UnreadableError(
            f"its rows have {count} fields where time, open, high, low, close, volume were due"
        )
    chosen = {"open_time": 0, **{field: 1 + place for place, field in enumerate(FIELDS[:5])}}
    if count >= BINANCE_COLUMNS:
        chosen["quote_volume"] = 7
    return chosen


def bars_of(columns: Mapping[str, pa.ChunkedArray]) -> tuple[Bars, frozenset[str], int]:
    """Turn a source's columns into bars.

    Parameters
    ----------
    columns : mapping of pyarrow.ChunkedArray
        By field.

    Returns
    -------
    bars : Bars
        The rows with a time, in the source's order; a price that is no number is NaN.
    units : frozenset of str
        Units in which numeric times were written.
    timeless : int
        Rows that were left out because their time is missing or cannot be read.

    Raises
    ------
    UnreadableError
        No row has a time, or a column holds no numbers.
    """
    times, units = _times(columns["open_time"])
    numbers = {field: _numbers(column, field) for field, column in columns.items() if field != "open_time"}
    if not len(times):
        raise UnreadableError("it has no rows", "empty_file")
    bars = Bars.of(times, numbers)
    timed = times != NO_TIME
    if timed.all():
        return bars, units, 0
    if not timed.any():
        first = _first(columns["open_time"])
        raise UnreadableError(f"no row has a time that can be read; the first is {first}")
    return bars.take(timed), units, int((~timed).sum())


def _times(column: pa.ChunkedArray) -> tuple[IntArray, frozenset[str]]:
    kind = column.type
    try:
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return milliseconds(np.asarray(column.to_numpy()))
        return epoch_ms(column), frozenset()
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise UnreadableError(f"its times cannot be read: {first_line(error)}") from error


def _first(column: pa.ChunkedArray) -> str:
    try:
        return str(column[0])
    except (OverflowError, ValueError):
        return f"out of range, {pc.cast(column, pa.int64())[0]}"


def _numbers(column: pa.ChunkedArray, field: str) -> FloatArray:
    try:
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(), dtype=np.float64)
    except pa.ArrowException as error:
        raise UnreadableError(f"its column for {field} holds no numbers: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, without its full stop."""
    return str(error).partition("\n")[0].rstrip(".")
