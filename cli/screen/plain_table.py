"""What a night came to, as plain lines: for a container, a log, a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cli.screen import summary
from common.protocol.results import Results

GAP = "   "


def lines(results: Results, width: int | None = None) -> Iterator[str]:
    """Yield a plain table, symbol x timeframe, then failures, findings and the totals.

    What stands below the table is broken to the width of the terminal, or not at all without one.
    """
    yield summary.title(results)
    yield ""
    rows = [(symbol, *(cell.text for cell in cells)) for symbol, cells in summary.rows(results)]
    yield from _table([("symbol", *results.config.timeframes), *rows])
    yield ""
    yield summary.legend(results)
    for line in summary.lines(results):
        yield summary.wrapped(line, width)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
