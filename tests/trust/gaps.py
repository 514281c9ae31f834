"""Gaps cost what they must and no more: their own bars, and the rows whose window reaches across."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from common.protocol.results import JobResult
from tests.trust.nights import night
from tests.trust.outcome import Outcome, Setup
from tests.trust.walks import MINUTE, START_MS, Columns, coarser, rows_of, walk, without, write

HORIZON = 1
DAY = 1440


def gaps(setup: Setup) -> Iterator[Outcome]:
    """A folder of minutes, each symbol with a gap of its own kind, and a night over them."""
    minutes = (48 if setup.small else 200) * DAY
    timeframes = ("15m", "1h") if setup.small else ("15m", "1h", "4h")
    for symbol, (_, _, make) in KINDS.items():
        make(setup, symbol, minutes)
    setup.say(f"a night of {len(KINDS) * len(timeframes)} cells")
    found = night(setup.folder, list(KINDS), timeframes, (HORIZON,))
    for symbol, (words, share, _) in KINDS.items():
        cells = [(found.cell(symbol, one), found.cell("WHOLEUSDT", one)) for one in timeframes]
        kept = min(_rows(cell) / max(_rows(whole), 1) for cell, whole in cells)
        yield Outcome(
            f"gaps: {words}",
            f"all cells trained, on {share:.0%} of the rows or more",
            f"{sum(cell.scores is not None for cell, _ in cells)} trained, on {min(kept, 1.0):.0%} or more",
            f"{len(cells)} cells, {sum(_rows(whole) for _, whole in cells):,} rows",
            kept >= share and all(cell.scores for cell, _ in cells),
        )


def _rows(cell: JobResult) -> int:
    # A row that stands still was left out for that, not for a gap.
    return (cell.rows or 0) + (cell.ties.rows if cell.ties else 0)


def _whole(setup: Setup, symbol: str, minutes: int) -> None:
    _write(setup, symbol, walk(setup.draw(symbol), minutes, MINUTE))


def _lost(setup: Setup, symbol: str, minutes: int) -> None:
    draw = setup.draw(symbol)
    columns = walk(draw, minutes, MINUTE)
    _write(setup, symbol, without(columns, draw.integers(1, minutes - 1, 1)))


def _paged(setup: Setup, symbol: str, minutes: int) -> None:
    draw = setup.draw(symbol)
    start = int(draw.integers(minutes // 3, minutes // 2))
    hole = np.arange(start, start + minutes // 1000)
    _write(setup, symbol, without(walk(draw, minutes, MINUTE), hole))


def _quiet(setup: Setup, symbol: str, minutes: int) -> None:
    draw = setup.draw(symbol)
    absent = np.flatnonzero(draw.random(minutes) < 0.12)
    absent = absent[(absent > 0) & (absent < minutes - 1)]
    _write(setup, symbol, without(walk(draw, minutes, MINUTE), absent))


def _split(setup: Setup, symbol: str, minutes: int) -> None:
    hole = np.arange(minutes * 40 // 100, minutes * 55 // 100)
    _write(setup, symbol, without(walk(setup.draw(symbol), minutes, MINUTE), hole))


def _older(setup: Setup, symbol: str, minutes: int) -> None:
    draw = setup.draw(symbol)
    columns = walk(draw, minutes, MINUTE)
    quarters = coarser(columns, 15 * MINUTE)
    recent = quarters["open_time"] >= START_MS + minutes // 4 * MINUTE
    write(setup.folder / "candles", symbol, "15m", rows_of(quarters, recent))
    older = np.arange(minutes // 2)
    lost = older[draw.random(len(older)) < 0.3]
    _write(setup, symbol, rows_of(without(columns, lost), slice(0, len(older) - len(lost))))


KINDS: dict[str, tuple[str, float, Callable[[Setup, str, int], None]]] = {
    "WHOLEUSDT": ("none", 1.0, _whole),
    "LOSTUSDT": ("one lost minute", 1.0, _lost),
    # A daily bar goes with it, and with that the trend of 20 days that each row reads.
    "PAGEUSDT": ("a page of 0.1 % lost", 0.8, _paged),
    "QUIETUSDT": ("12 % of minutes without a trade, not written", 1.0, _quiet),
    "SPLITUSDT": ("a hole of 15 % of the span", 0.6, _split),
    "OLDERUSDT": ("older minutes, 30 % lost, beside three quarters of whole 15m", 0.7, _older),
}
"""What is wrong with a symbol's candles, what share of the rows it may leave at least, and how it is made."""


def _write(setup: Setup, symbol: str, columns: Columns) -> None:
    write(setup.folder / "candles", symbol, "1m", columns)
