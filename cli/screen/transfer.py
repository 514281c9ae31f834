"""How far a database is copied, on a terminal, and how many rows of each table were found equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def transfer_bar(steps: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, which is gone at the end; elsewhere nothing.

    Parameters
    ----------
    steps : int
        How many there are: each row is written and compared.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("copied and compared", total=steps)
        yield lambda rows: progress.advance(task, rows)


def counts_table(rows: Mapping[str, int]) -> str:
    """Return a line for each table that has rows."""
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {count:>9,}" for name, count in rows.items() if count)
