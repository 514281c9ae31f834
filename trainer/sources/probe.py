"""A look at a source before it is read: some of its rows as text, and what was asked for."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pyarrow as pa

from common.settings.sections import ColumnMapping
from trainer.candles.arrays import FloatArray, IntArray
from trainer.sources.times import times_of

ENOUGH = 20
"""Rows from which content proves something; fewer may agree by chance."""


class UnreadableError(Exception):
    """A source that holds no candles that can be read; says why, without the source's name.

    `defect` is the slug of the finding: ``empty_file``, ``cut_file`` or ``unreadable_file``.
    """

    def __init__(self, why: str, defect: str = "unreadable_file") -> None:
        super().__init__(why)
        self.defect = defect


@dataclass(frozen=True)
class Asked:
    """What is wanted of a source: the symbol in its canonical spelling, and the user's word on its columns.

    `glob` is a pattern that names the source, for messages that propose a mapping. `by_column` says that only
    a column of symbols can tell which rows are the symbol's, since no name does.
    """

    symbol: str
    glob: str = "*"
    mapping: ColumnMapping = field(default_factory=ColumnMapping)
    by_column: bool = False

    @classmethod
    def of(
        cls, symbol: str, path: str, mappings: Mapping[str, ColumnMapping], by_column: bool = False
    ) -> Asked:
        """Find the mapping of a path below the data folder: that of the longest pattern that fits it."""
        name = path.rpartition("/")[2]
        fitting = [
            glob for glob in mappings if fnmatch.fnmatchcase(path, glob) or fnmatch.fnmatchcase(name, glob)
        ]
        if not fitting:
            return cls(symbol, name, by_column=by_column)
        glob = max(fitting, key=lambda one: (len(one), one))
        return cls(symbol, glob, mappings[glob], by_column)

    def unsettled(self, why: str, *keys: str) -> UnreadableError:
        """Return the error of what cannot be told; `keys` are those of the mapping that would settle it."""
        settle = ", ".join(f"{key}: ..." for key in keys)
        return UnreadableError(f'{why}; say what is right by data.columns: {{"{self.glob}": {{{settle}}}}}')


@dataclass(frozen=True)
class Probe:
    """Some rows of a source; `columns` are the texts of each column, all of one length."""

    columns: tuple[tuple[str, ...], ...]
    decimal: str = "."

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[str]], count: int, decimal: str = ".") -> Probe:
        """Take the rows that have `count` fields."""
        whole = [row for row in rows if len(row) == count]
        return cls(tuple(zip(*whole, strict=True)) if whole else ((),) * count, decimal)

    @classmethod
    def of_columns(cls, columns: Iterable[pa.ChunkedArray]) -> Probe:
        """Take the first, the middle and the last rows of columns of one length."""
        return cls(tuple(_few(column) for column in columns))

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def numbers(self, place: int) -> FloatArray:
        """Return a column's numbers, NaN where there is none."""
        texts = self.columns[place]
        try:
            # Mostly all are numbers, and to try each takes three times as long.
            found = list(map(float, texts))
        except ValueError:
            found = [_number(text, self.decimal) for text in texts]
        return np.array(found, dtype=np.float64)

    def times(self, place: int) -> IntArray:
        """Return a column's times in milliseconds since the epoch, `NO_TIME` where there is none."""
        return times_of(self.columns[place])


def _few(column: pa.ChunkedArray) -> tuple[str, ...]:
    rows, step = len(column), 100
    starts = sorted({0, max(0, rows // 2 - step // 2), max(0, rows - step)})
    # Slices and not places: for an array of places Arrow would import pandas, which takes a second.
    spans = zip(starts, [*starts[1:], rows], strict=True)
    return tuple(chain(*(_texts(column.slice(start, min(step, end - start))) for start, end in spans)))


def _texts(column: pa.ChunkedArray) -> tuple[str, ...]:
    if pa.types.is_timestamp(column.type):
        try:
            column = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.string())
        except pa.ArrowException:
            return ("",) * len(column)
    try:
        return tuple("" if value is None else str(value) for value in column.to_pylist())
    except (OverflowError, ValueError):
        return ("",) * len(column)


def _number(text: str, decimal: str) -> float:
    try:
        return float(text.replace(",", ".") if decimal == "," else text)
    except ValueError:
        return float("nan")
