"""What a night came to, in words and one table: symbol x timeframe, and where the files are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.jobs import JobState
from common.results import JobResult, Results


def print_summary(results: Results, console: Console) -> None:
    """Print the table (AUC of the best horizon, promoted or why not), the failures and the totals."""
    title = f"Night {results.run}: out-of-fold AUC of the best horizon"
    if results.synthetic:
        title += " (SYNTHETIC candles: nothing here says anything about a market)"
    console.print(title, style="bold", highlight=False, soft_wrap=True)
    table = Table()
    table.add_column("symbol", no_wrap=True)
    for timeframe in results.config.timeframes:
        table.add_column(timeframe, no_wrap=True)
    cells = _by_place(results.jobs)
    for symbol in results.config.symbols:
        row = [_cell_text(cells.get((symbol, timeframe), [])) for timeframe in results.config.timeframes]
        table.add_row(symbol, *row)
    console.print(table)
    console.print("* promoted; otherwise the gate that the best horizon missed", style="dim", highlight=False)
    for line in _failures(results.jobs):
        console.print(line, highlight=False, soft_wrap=True)
    totals = results.totals
    console.print(
        f"{totals.succeeded} of {totals.jobs} cells trained, {totals.promoted} promoted, "
        f"{totals.failed} failed, {totals.cancelled} cancelled in {totals.wall_seconds:.0f} s"
        + (f"; largest job {totals.peak_memory_bytes / 2**20:.0f} MiB" if totals.peak_memory_bytes else ""),
        highlight=False,
        soft_wrap=True,
    )


def _by_place(jobs: Iterable[JobResult]) -> dict[tuple[str, str], list[JobResult]]:
    places: dict[tuple[str, str], list[JobResult]] = {}
    for job in jobs:
        places.setdefault((job.symbol, job.timeframe), []).append(job)
    return places


def best_horizon(jobs: list[JobResult]) -> JobResult | None:
    """Return the promoted job with the highest AUC, or else the trained one with the highest, or None."""
    trained = [job for job in jobs if job.scores is not None and job.scores.auc is not None]
    return max(trained, key=lambda job: (job.promoted, job.scores.auc if job.scores else 0.0), default=None)


def _cell_text(jobs: list[JobResult]) -> Text:
    best = best_horizon(jobs)
    if best is not None and best.scores is not None:
        mark, style = ("*", "bold green") if best.promoted else (_short_reason(best), "")
        return Text(f"{best.scores.auc:.3f} H{best.horizon} {mark}", style=style)
    if any(job.state is JobState.FAILED for job in jobs):
        return Text(f"failed: {next(job.cause for job in jobs if job.cause)}", style="red")
    return Text("cancelled" if jobs else "")


def _short_reason(job: JobResult) -> str:
    reason = job.reasons[0].lower() if job.reasons else ""
    for word in ("certificate", "auc", "brier", "accuracy", "false-discovery", "champion"):
        if word in reason:
            return {"false-discovery": "chance"}.get(word, word)
    return reason.split(" ")[0]


def _failures(jobs: Iterable[JobResult]) -> list[str]:
    failed = Counter((job.cause, job.message) for job in jobs if job.state is JobState.FAILED)
    return [
        f"failed ({cause}), {count} cell{'s' * (count > 1)}: {message}"
        for (cause, message), count in failed.items()
    ]
