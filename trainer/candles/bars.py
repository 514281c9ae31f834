"""Bars as they come from a source: a time and six numbers each, not yet known to be possible or in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from trainer.candles.arrays import FloatArray, IntArray

FIELDS = ("open", "high", "low", "close", "volume", "quote_volume")
OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME = range(len(FIELDS))

Rows = npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of one source.

    Parameters
    ----------
    open_time : ndarray of int64, shape (n,)
        Opening of each bar in milliseconds since the epoch, UTC, in the source's order.
    values : ndarray of float64, shape (6, n)
        One row for each name in `FIELDS`. `quote_volume` is NaN where the source has none.
    """

    open_time: IntArray
    values: FloatArray

    @classmethod
    def of(cls, open_time: IntArray, columns: dict[str, FloatArray]) -> Bars:
        """Make bars from columns by name, each of shape (n,); a missing `quote_volume` becomes NaN."""
        values = np.empty((len(FIELDS), len(open_time)))
        for row, name in enumerate(FIELDS):
            values[row] = columns.get(name, np.nan)
        return cls(open_time, values)

    @classmethod
    def joined(cls, parts: Sequence[Bars]) -> Bars:
        """Put the bars of several sources one behind the other."""
        if len(parts) == 1:
            return parts[0]
        open_time = np.concatenate([np.empty(0, np.int64), *(part.open_time for part in parts)])
        values = np.concatenate([np.empty((len(FIELDS), 0)), *(part.values for part in parts)], axis=1)
        return cls(open_time, values)

    def __len__(self) -> int:
        return len(self.open_time)

    def take(self, rows: Rows) -> Bars:
        """Return the bars of a mask, of indices or of a slice."""
        return Bars(self.open_time[rows], self.values[:, rows])

    @property
    def ascending(self) -> bool:
        """Whether each bar opens after the one before it."""
        return bool((self.open_time[1:] > self.open_time[:-1]).all())

    @property
    def spacing_ms(self) -> int | None:
        """The most frequent distance between neighbours in time, in milliseconds; None below two times.

        Missing bars do not change it as long as single steps are the most frequent, which holds for bars
        missing at random however many they are.
        """
        steps = np.diff(self.open_time if self.ascending else np.unique(self.open_time))
        if not len(steps):
            return None
        lengths, counts = np.unique(steps, return_counts=True)
        return int(lengths[np.argmax(counts)])

    @property
    def turnover(self) -> float:
        """Sum of `turnovers`."""
        return float(self.turnovers.sum())

    @cached_property
    def turnovers(self) -> FloatArray:
        """Traded amount of each bar in the quote currency: `quote_volume`, or volume x close without one."""
        quote: FloatArray = self.values[QUOTE_VOLUME]
        known = np.isfinite(quote)
        return quote if known.all() else np.where(known, quote, self.values[VOLUME] * self.values[CLOSE])


def largest_difference(ours: FloatArray, theirs: FloatArray) -> FloatArray:
    """Return the largest relative difference of each bar's prices and volume.

    Parameters
    ----------
    ours, theirs : ndarray of float64, shape (6, n)
        Values of the same bars by two sources.

    Returns
    -------
    ndarray of float64, shape (n,)
        max over open, high, low, close, volume of |a - b| / max(|a|, |b|); 0 where both are 0.
    """
    a, b = ours[:QUOTE_VOLUME], theirs[:QUOTE_VOLUME]
    scale = np.maximum(np.abs(a), np.abs(b))
    difference = np.divide(np.abs(a - b), scale, out=np.zeros_like(a), where=scale > 0)
    return np.asarray(difference.max(axis=0, initial=0.0), dtype=np.float64)
