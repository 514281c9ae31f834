"""How far a command is that takes its time: on a terminal alone, and gone when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)


class Waiting:
    """One line that changes."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def say(self, words: str) -> None:
        """Show these words."""
        self._progress.update(self._task, description=words)


@contextmanager
def waiting() -> Iterator[Waiting]:
    """Show how far it is on stderr until the block ends."""
    console = Console(stderr=True, markup=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Waiting(progress)


class FilesBar:
    """Files done of those asked for, with the bytes that have come."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=0, size=0)
        self._size = 0

    def more(self, files: int) -> None:
        """Add files to those asked for."""
        self._progress.update(self._task, total=(self._progress.tasks[0].total or 0) + files)

    def done(self) -> None:
        """Count one file."""
        self._progress.advance(self._task)

    def arrived(self, size: int) -> None:
        """Count bytes; may be called from any thread."""
        self._size += size
        self._progress.update(self._task, description=f"{self._size / 1e6:.1f} MB")


@contextmanager
def files_bar() -> Iterator[FilesBar]:
    """Show a progress bar of files on stderr until the block ends."""
    console = Console(stderr=True, markup=False)
    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield FilesBar(progress)
