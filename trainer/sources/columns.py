"""The columns of a source as bars: chosen by name or by order, and their values as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.quoted import quoted
from trainer.candles.arrays import BoolArray, FloatArray, IntArray
from trainer.candles.bars import CLOSE, Bars
from trainer.sources.buffers import numbers_of
from trainer.sources.layouts import Choice, columns_by_order
from trainer.sources.named import columns_by_name, mapped_places
from trainer.sources.names import canonical, names_other_symbol
from trainer.sources.probe import ENOUGH, Asked, Probe, UnreadableError
from trainer.sources.times import NO_TIME, epoch_ms, milliseconds, with_clock, written_as
from trainer.sources.unpacked import reason

UNPRICED = 0.1
"""Share of the rows that may have a price of zero or less before the file is held to be no candles."""

REPEATED = 0.1
"""Share of the rows that may repeat a time with another close before the rows are held to be of several."""


def chosen_columns(names: Sequence[str] | None, probe: Probe, asked: Asked) -> Choice:
    """Tell which columns hold what; `names` is None where they have none.

    Raises
    ------
    UnreadableError
        It cannot be told.
    """
    if names is not None:
        return columns_by_name(names, probe, asked)
    return columns_by_order(probe, mapped_places(asked, (), len(probe.columns)), asked)


def bars_of(columns: Mapping[str, pa.ChunkedArray], asked: Asked) -> tuple[Bars, frozenset[str], int]:
    """Turn a source's columns into bars.

    Parameters
    ----------
    columns : mapping of pyarrow.ChunkedArray
        By field, with ``clock`` and ``symbol`` where the source has a time of day or a symbol in each row.
    asked : Asked
        The symbol; rows that name another are passed over.

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
        No row has a time, a column holds no numbers, or the rows are not those of one symbol.
    """
    if not len(columns["open_time"]):
        raise UnreadableError("it has no rows", "empty_file")
    if "symbol" in columns:
        rows = _rows_of_symbol(columns["symbol"], asked)
        if rows is not None:
            columns = {name: column.filter(pa.array(rows)) for name, column in columns.items()}
    elif asked.by_column:
        raise UnreadableError("neither its name nor a column of symbols tells whose candles it holds")
    times, units = _times(columns, asked)
    others = ("open_time", "clock", "symbol")
    bars = Bars.of(times, {name: _numbers(one, name) for name, one in columns.items() if name not in others})
    timed = times != NO_TIME
    _assert_prices(bars)
    if not timed.any():
        first = _first(columns["open_time"])
        raise asked.unsettled(
            f"no row has a time that can be read; the first is {quoted(first, 40)}", "time", "format"
        )
    bars = bars if timed.all() else bars.take(timed)
    _assert_one_series(bars, columns["open_time"].type, asked)
    return bars, units, int((~timed).sum())


def _rows_of_symbol(column: pa.ChunkedArray, asked: Asked) -> BoolArray | None:
    # Few files have such a column, and the import costs a second.
    import pandas as pd

    texts = pd.Series(column.cast(pa.string()).to_pandas(), dtype="string").fillna("")
    found = [text for text in texts.unique() if text.strip()]
    matching = [text for text in found if canonical(text) == asked.symbol]
    if matching:
        return None if len(found) == 1 else texts.isin(matching).to_numpy(dtype=bool)
    if len(found) > 1 or asked.by_column or any(names_other_symbol(text, asked.symbol) for text in found):
        shown = ", ".join(map(quoted, found[:5])) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise UnreadableError(f"its column of symbols names {shown} and not {asked.symbol}")
    return None


def _times(columns: Mapping[str, pa.ChunkedArray], asked: Asked) -> tuple[IntArray, frozenset[str]]:
    column, mapping = columns["open_time"], asked.mapping
    kind = column.type
    try:
        if "clock" in columns:
            column = with_clock(column, columns["clock"])
        elif (pa.types.is_integer(kind) or pa.types.is_floating(kind)) and mapping.format is None:
            return milliseconds(numbers_of(column))
        if mapping.format is not None:
            return written_as(column, mapping.format, mapping.zone), frozenset()
        return epoch_ms(column, mapping.zone), frozenset()
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise UnreadableError(f"its times cannot be read: {reason(error)}") from error


def _assert_prices(bars: Bars) -> None:
    if bars.values[: CLOSE + 1].min(initial=np.inf) > 0:
        return
    with np.errstate(invalid="ignore"):
        none = (bars.values[: CLOSE + 1] <= 0).any(axis=0)
    if len(bars) >= ENOUGH and none.mean() > UNPRICED:
        raise UnreadableError(
            f"{int(none.sum()):,} of its {len(bars):,} rows have a price that is not above zero, as a "
            "premium or a funding rate has and traded candles have not"
        )


def _assert_one_series(bars: Bars, kind: pa.DataType, asked: Asked) -> None:
    if bars.ascending:
        return
    order = np.argsort(bars.open_time, kind="stable")
    times, close = bars.open_time[order], bars.values[CLOSE][order]
    again = np.flatnonzero(np.diff(times) == 0)
    with np.errstate(all="ignore"):
        again = again[np.abs(close[again + 1] / close[again] - 1) > 1e-9]
    if not len(again) or len(times) < ENOUGH:
        return
    if len(again) > REPEATED * len(times):
        raise asked.unsettled(
            f"{len(again):,} of its {len(times):,} rows repeat a time with another close: it holds several "
            "series, or times without their hour",
            "time",
        )
    if not pa.types.is_integer(kind) and not pa.types.is_floating(kind) and asked.mapping.zone is None:
        import pandas as pd

        moments = pd.DatetimeIndex(times[again].astype("datetime64[ms]"))
        # The clock is set back on a Sunday of October or November, in the south of March or April.
        if (
            (moments.day_of_week == 6).all()
            and moments.month.isin([3, 4, 10, 11]).all()
            and (moments.hour < 4).all()
        ):
            raise asked.unsettled(
                f"the hour of {moments[0]:%Y-%m-%d %H}:00 is in it twice, as in local time when summer ends: "
                "write its times in UTC",
                "zone",
            )


def _first(column: pa.ChunkedArray) -> str:
    try:
        return str(column[0])
    except (OverflowError, ValueError):
        return f"out of range, {pc.cast(column, pa.int64())[0]}"


def _numbers(column: pa.ChunkedArray, field: str) -> FloatArray:
    try:
        return np.asarray(numbers_of(pc.cast(column, pa.float64())), dtype=np.float64)
    except pa.ArrowException as error:
        first = next((text for text in column.to_pylist() if text), "")
        commas = " with decimal commas" if re.fullmatch(r"-?\d+,\d+", str(first)) else ""
        raise UnreadableError(f"its column for {field} holds no numbers{commas}: {reason(error)}") from error
