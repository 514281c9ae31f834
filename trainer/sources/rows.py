"""How many rows a file may have: no more than its size bears out."""

from __future__ import annotations

from trainer.sources.probe import UnreadableError

ALWAYS_ROWS = 6_000_000
"""Any file may have so many: eleven years of minutes."""

MOST_ROWS_A_BYTE = 1.0
"""Beyond that a row takes some room: with gzip at its best 2.4 bytes where no price ever moves."""


def assert_rows(count: int, packed: int) -> None:
    """Refuse rows that no file of candles of that size holds.

    Parameters
    ----------
    count : int
        Rows so far, or those that the file says it has.
    packed : int
        Size of the file in bytes.

    Raises
    ------
    UnreadableError
        They are too many.
    """
    most = most_rows(packed)
    if count > most:
        raise UnreadableError(f"it holds more than {most:,} rows, as candles in a file of its size do not")


def most_rows(packed: int) -> int:
    """Return how many rows a file of a size may have."""
    return max(ALWAYS_ROWS, int(packed * MOST_ROWS_A_BYTE))
