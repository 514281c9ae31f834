"""Candles of one symbol at one timeframe: columns in memory or mapped from the cache.

A bar is named by its opening and is known at its close: `close_time` is the moment from which its values
may be used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.timeframes import Timeframe
from trainer.candles.arrays import FloatArray, IntArray

PRICES = ("open", "high", "low", "close")
COLUMNS = ("open_time", *PRICES, "volume")
"""The columns in the order in which they are digested and cached; the first is int64, the rest float64."""

DTYPES = {name: np.dtype("<i8" if name == "open_time" else "<f8") for name in COLUMNS}
"""How each column is stored and digested."""

DIGEST_SCHEMA = b"nighttrain.candles/1"


@dataclass(frozen=True, eq=False)
class Candles:
    """The candles of one symbol at one timeframe.

    Parameters
    ----------
    symbol : str
        Canonical spelling, for example ``BTCUSDT``.
    timeframe : Timeframe
        Length of a bar.
    open_time : ndarray of int64, shape (n,)
        Opening of each bar in milliseconds since the epoch, UTC; strictly ascending multiples of the bar's
        length. Missing bars are absent.
    open, high, low, close : ndarray of float64, shape (n,)
        Prices in the quote currency, finite and positive, low <= open, close <= high.
    volume : ndarray of float64, shape (n,)
        Traded amount in the base currency, finite and not negative.
    digest : str
        SHA-256 over timeframe, columns and `synthetic`, in hex; independent of the symbol. The digest of
        a cut is derived from that of the whole and the row, so that equal digests still mean equal candles.
    synthetic : bool
        Whether the candles were simulated.

    Notes
    -----
    The arrays may be read-only memory maps. `Candles.of` checks and digests; the constructor trusts its
    caller.
    """

    symbol: str
    timeframe: Timeframe
    open_time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    digest: str
    synthetic: bool

    @classmethod
    def of(
        cls,
        symbol: str,
        timeframe: Timeframe,
        columns: dict[str, npt.NDArray[np.generic]],
        synthetic: bool = False,
    ) -> Candles:
        """Make candles from columns, and digest them.

        Parameters
        ----------
        symbol : str, timeframe : Timeframe
            What the candles are of.
        columns : dict of ndarray, shape (n,)
            One array for each name in `COLUMNS`.
        synthetic : bool
            Whether the candles were simulated.

        Raises
        ------
        ValueError
            The columns differ in length, or the times are not strictly ascending multiples of the bar's
            length.
        """
        open_time = np.ascontiguousarray(columns["open_time"], dtype=np.int64)
        floats = {name: np.ascontiguousarray(columns[name], dtype=np.float64) for name in COLUMNS[1:]}
        for name, values in floats.items():
            if values.shape != open_time.shape or values.ndim != 1:
                raise ValueError(f"{name} has shape {values.shape}, open_time {open_time.shape}")
        if (open_time % timeframe.milliseconds).any():
            raise ValueError(f"open_time has values that are no multiples of {timeframe}")
        if (open_time[1:] <= open_time[:-1]).any():
            raise ValueError("open_time is not strictly ascending")
        digest = _digest(timeframe, [open_time, *floats.values()], synthetic)
        return cls(symbol, timeframe, open_time, **floats, digest=digest, synthetic=synthetic)

    def __len__(self) -> int:
        return len(self.open_time)

    @property
    def interval_ms(self) -> int:
        """Length of one bar in milliseconds."""
        return self.timeframe.milliseconds

    @property
    def close_time(self) -> IntArray:
        """The moment at which each bar is known, in milliseconds since the epoch, shape (n,)."""
        return self.open_time + self.interval_ms

    @property
    def columns(self) -> dict[str, npt.NDArray[np.generic]]:
        """The arrays by name, in the order of `COLUMNS`."""
        return {name: getattr(self, name) for name in COLUMNS}

    def until(self, row: int) -> Candles:
        """Return the bars before `row` only; the arrays are views."""
        if not 0 <= row <= len(self):
            raise IndexError(f"row {row} of {len(self)} candles")
        digest = hashlib.sha256(f"{self.digest}[:{row}]".encode()).hexdigest()
        return Candles(
            symbol=self.symbol,
            timeframe=self.timeframe,
            open_time=self.open_time[:row],
            open=self.open[:row],
            high=self.high[:row],
            low=self.low[:row],
            close=self.close[:row],
            volume=self.volume[:row],
            digest=digest,
            synthetic=self.synthetic,
        )

    def segments(self) -> list[tuple[int, int]]:
        """Return the half-open row ranges (first, end) within which no bar is missing, in order."""
        if len(self) == 0:
            return []
        breaks = np.flatnonzero(np.diff(self.open_time) != self.interval_ms) + 1
        starts = [0, *breaks.tolist()]
        return list(zip(starts, [*starts[1:], len(self)], strict=True))


def lost_rows(open_time: IntArray, interval_ms: int, window: int) -> tuple[int, int]:
    """Count the rows that gaps cost, where a row needs `window` other bars without a gap.

    Parameters
    ----------
    open_time : ndarray of int64, shape (n,)
        Openings of the bars in milliseconds since the epoch, ascending.
    interval_ms : int
        Length of a bar in milliseconds.
    window : int
        Bars beside its own that a row needs.

    Returns
    -------
    lost, possible : int
        Rows that there would be without gaps and are not, and rows that there would be without gaps.
    """
    edges = np.flatnonzero(np.diff(open_time) != interval_ms) + 1
    lengths = np.diff(np.concatenate([[0], edges, [len(open_time)]]))
    possible = max(len(open_time) - window, 0)
    return possible - int(np.maximum(lengths - window, 0).sum()), possible


def _digest(timeframe: Timeframe, arrays: list[npt.NDArray[np.generic]], synthetic: bool) -> str:
    head = f"{timeframe} {len(arrays[0])} {'synthetic' if synthetic else 'real'}"
    digest = hashlib.sha256(DIGEST_SCHEMA + b"\n" + head.encode() + b"\n")
    for array, stored in zip(arrays, DTYPES.values(), strict=True):
        digest.update(array.astype(stored, copy=False).data)
    return digest.hexdigest()
