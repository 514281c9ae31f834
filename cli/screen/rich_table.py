"""What a night came to, on a terminal: one table, symbol x timeframe, and a few lines."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.screen import summary
from cli.screen.summary import Tone
from common.protocol.results import Results

STYLES = {Tone.PROMOTED: "bold green", Tone.DOUBTFUL: "yellow", Tone.PLAIN: "", Tone.FAILED: "red"}


def print_summary(results: Results, console: Console) -> None:
    """Print the table (AUC of the best horizon, promoted or why not), failures, findings and the totals."""
    table = Table(title=summary.title(results), title_justify="left")
    rows = summary.rows(results)
    # On a narrow terminal the words of a cell go below each other; half a symbol would be worth nothing.
    table.add_column("symbol", no_wrap=True, min_width=max((len(symbol) for symbol, _ in rows), default=0))
    for name in results.config.timeframes:
        table.add_column(name)
    for symbol, cells in rows:
        table.add_row(symbol, *(Text(cell.text, style=STYLES[cell.tone]) for cell in cells))
    console.print(table)
    console.print(summary.legend(results), style="dim", highlight=False)
    width = console.width if console.is_terminal else None
    for line in summary.lines(results):
        # A message is no markup: it may well have brackets, of a list or in a file's name.
        console.print(Text(summary.wrapped(line, width)), soft_wrap=True)
