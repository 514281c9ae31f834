"""Requirements as a list: state, what was found, and what to do; coloured on a terminal alone."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}

Line = tuple[str, str, str, str]
"""State, name, what was found, what to do."""


def print_checklist(lines: Sequence[Line]) -> None:
    """Print one line for each requirement, and one below it where something is to be done."""
    console = Console(markup=False, emoji=False, highlight=False)
    width = max(len(name) for _, name, _, _ in lines)
    for state, name, found, todo in lines:
        line = Text(f"{state:<7}", style=STYLES[state])
        line.append(f"  {name:<{width}}  {found}", style="default")
        console.print(line, soft_wrap=True)
        if todo:
            console.print(Text(f"{'':<{width + 11}}-> {todo}", style="dim"), soft_wrap=True)
