"""A unified difference, coloured on a terminal alone."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def print_difference(lines: Sequence[str]) -> None:
    """Print the lines of a difference as they are."""
    console = Console(markup=False, emoji=False, highlight=False)
    for line in lines:
        style = "bold" if line.startswith(("+++", "---")) else STYLES.get(line[:1], "")
        console.print(Text(line, style=style), soft_wrap=True)
