"""The live picture of a night: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from common.protocol.runs import RunView
from common.protocol.status import ScoreView, StatusDocument

PLAIN_SECONDS = 5.0
"""How often a plain line is printed at most while counts change."""

QUIET_SECONDS = 60.0
"""How often while they do not."""


class Display(Protocol):
    """What shows how far the night is."""

    def show(self, status: StatusDocument) -> None:
        """Show a new state of the night."""

    def say(self, text: str) -> None:
        """Show one line that stays."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def display_for(console: Console) -> Display:
    """Return the display that fits the console."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


class LiveDisplay:
    """A progress bar with the night's figures, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=min(40, console.width // 8)),
            TextColumn("{task.fields[cells]}"),
            TextColumn("{task.fields[figures]}", table_column=Column(ratio=1, no_wrap=True)),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("night", total=None, cells="", figures="starting")
        self._live = Live(self._progress, console=console, refresh_per_second=4)
        self._live.start()

    def show(self, status: StatusDocument) -> None:
        """Redraw the bar."""
        run = status.run
        if run is None:
            return
        self._progress.update(
            self._task,
            description=_title(run),
            completed=run.training.final,
            total=run.training.total,
            cells=f"{run.training.final}/{run.training.total}",
            figures=_figures(status, run),
        )

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._live.console.print(text, highlight=False)

    def close(self) -> None:
        """Stop redrawing."""
        self._live.stop()


class PlainDisplay:
    """One line each time something changed, but not more often than every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last_counts: object = None
        self._last_time = -math.inf
        self._complete = False

    def show(self, status: StatusDocument) -> None:
        """Print a line if something changed."""
        run = status.run
        if run is None:
            return
        line = progress_line(status, run)
        complete = run.training.final == run.training.total
        counts = (run.training, run.surveys)
        silence = time.monotonic() - self._last_time
        due = silence >= (PLAIN_SECONDS if counts != self._last_counts else QUIET_SECONDS)
        if due or (complete and not self._complete):
            self._last_counts, self._last_time, self._complete = counts, time.monotonic(), complete
            self.say(line)

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing to restore."""


def progress_line(status: StatusDocument, run: RunView) -> str:
    """Return how far a run is, in one line."""
    return f"{_title(run)}: {run.training.final}/{run.training.total} cells, {_figures(status, run)}"


def _title(run: RunView) -> str:
    return f"night {run.id}{' (synthetic candles)' if run.synthetic else ''}"


def _figures(status: StatusDocument, run: RunView) -> str:
    at_work = status.night.open and run.training.final < run.training.total
    # First, since a narrow terminal shows no more than the beginning.
    parts = [f"ETA {_eta(status)}"] if at_work else []
    parts.append(f"trained {run.training.succeeded}{run.of_these_reused}")
    parts.append(f"running {run.training.leased + run.surveys.leased}")
    parts.append(f"failed {run.broken}")
    if run.untrainable:
        parts.append(f"not trainable {run.untrainable}")
    if run.paused is not None:
        parts.append(f"paused by {run.paused.by} (nighttrain resume)")
    if run.ended_early is not None:
        parts.append(f"ended early by {run.ended_early.by}")
    if not status.night.open:
        parts.append(f"night closed{f', opens {_clock(status.night.opens)}' if status.night.opens else ''}")
    elif at_work and run.surveys.final < run.surveys.total:
        parts.append(f"surveyed {run.surveys.final}/{run.surveys.total} symbols")
    if status.best:
        parts.append(f"best {_score(status.best)}")
    if status.last:
        parts.append(f"last {_score(status.last)}")
    return ", ".join(parts)


def _eta(status: StatusDocument) -> str:
    if status.eta.p50 is None:
        return "once it is resumed" if status.eta.paused else "not known yet"
    text = f"in {_span(status.eta.p50 - status.time)}"
    return text if status.eta.p90 is None else f"{text} (P90 {_span(status.eta.p90 - status.time)})"


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M")


def _score(score: ScoreView) -> str:
    auc = "-" if score.scores.auc is None else f"{score.scores.auc:.3f}"
    return f"{score.symbol} {score.timeframe} H{score.horizon} AUC {auc}"
