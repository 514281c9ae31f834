"""What a night came to, on a terminal: one table, symbol x timeframe, and a few lines."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common import summary
from common.results import Results
from common.summary import Tone

STYLES = {Tone.PROMOTED: "bold green", Tone.PLAIN: "", Tone.FAILED: "red"}


def print_summary(results: Results, console: Console) -> None:
    """Print the table (AUC of the best horizon, promoted or why not), the failures and the totals."""
    table = Table(title=summary.title(results), title_justify="left")
    for name in ("symbol", *results.config.timeframes):
        table.add_column(name, no_wrap=True)
    for symbol, cells in summary.rows(results):
        table.add_row(symbol, *(Text(cell.text, style=STYLES[cell.tone]) for cell in cells))
    console.print(table)
    console.print(summary.LEGEND, style="dim", highlight=False)
    for line in (*summary.failures(results.jobs), summary.totals(results)):
        console.print(line, highlight=False, soft_wrap=True)
