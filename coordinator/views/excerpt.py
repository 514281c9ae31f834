"""Which symbols of a night a screen shows: a night may have thousands, and a screen has room for some."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Excerpt:
    """What is asked for: the symbols of these names, whose names hold `find`, and of them one page.

    `offset` symbols are skipped, and `limit` are shown at most; None: all.
    """

    symbols: tuple[str, ...] = ()
    find: str = ""
    offset: int = 0
    limit: int | None = None

    def leaves(self, symbol: str) -> bool:
        """Return whether a symbol is among those that are asked for, on whatever page."""
        if self.symbols and symbol not in self.symbols:
            return False
        return self.find.strip().upper() in symbol.upper()


EVERYTHING = Excerpt()


@dataclass(frozen=True)
class Shown:
    """What is shown: `symbols` are those from `offset` on, out of `total` that were asked for."""

    symbols: tuple[str, ...]
    offset: int = 0
    total: int = 0

    @property
    def is_part(self) -> bool:
        """Whether there are more than these."""
        return len(self.symbols) < self.total


def shown_of(offered: Sequence[str], excerpt: Excerpt, first: Collection[str] = ()) -> Shown:
    """Return the symbols that are shown; those of `first` come first where not all are.

    An offset beyond the last page shows the last page.
    """
    left = [symbol for symbol in offered if excerpt.leaves(symbol)]
    limit = excerpt.limit
    if limit is None or len(left) <= limit:
        return Shown(tuple(left), 0, len(left))
    left.sort(key=lambda symbol: symbol not in first)
    offset = min(excerpt.offset, (len(left) - 1) // limit * limit)
    return Shown(tuple(left[offset : offset + limit]), offset, len(left))
