"""Nights on the screen: a table, one of them, two side by side, and what operators changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cli.screen.columns import columns, facts, moment, number
from common.protocol.nights import CellDifference, CellSide, NightDifference
from common.protocol.runs import RunPage, RunState, RunView
from common.protocol.steering import AuditPage

RETRAIN_LATER = "--retrain is for a night that begins: with --fresh it starts over"
"""What is said to whoever asks for it of a night that is resumed."""


def night_table(page: RunPage) -> str:
    """Return nights as a table, the newest first."""
    rows = [
        (
            str(run.id),
            _state(run),
            moment(run.created),
            _duration(run.created, run.finished),
            f"{run.training.final} of {run.training.total}",
            str(run.broken),
            str(run.promoted),
            _notes(run),
        )
        for run in page.runs
    ]
    table = columns(("night", "state", "began (UTC)", "took", "done", "failed", "promoted", "notes"), rows)
    left = page.total - page.offset - len(page.runs)
    return f"{table}\n{left} more" if left > 0 else table


def night_page(run: RunView, audit: AuditPage) -> str:
    """Return one night, and what operators changed in it."""
    told = facts(_facts(run))
    return f"{told}\n\n{audit_table(audit)}" if audit.entries else told


def audit_table(page: AuditPage) -> str:
    """Return what operators changed as a table, the newest first."""
    rows = [
        (
            moment(one.time),
            one.by,
            one.origin,
            one.action,
            f"{one.words}{f' ({one.reason})' if one.reason else ''}",
        )
        for one in page.entries
    ]
    return columns(("when (UTC)", "who", "from", "what", "in words"), rows)


def difference_page(told: NightDifference) -> str:
    """Return two nights side by side."""
    title = f"night {told.left} against night {told.right}"
    if told.mean_gain is not None:
        title += f": the mean AUC of the cells that both have trained changed by {told.mean_gain:+.4f}"
    head = ("cell", str(told.left), str(told.right), "change", "made from other")
    parts = [title, columns(head, [_difference(cell) for cell in told.cells])]
    for what, values in (("configuration", told.configuration), ("code", told.code)):
        if values:
            rows = [(one.name, one.left, one.right) for one in values]
            parts.append(columns((what, str(told.left), str(told.right)), rows))
    if told.candles:
        symbols = ", ".join(f"{symbol} ({count} cells)" for symbol, count in told.candles.items())
        parts.append(f"other candles: {symbols}")
    return "\n\n".join(parts)


def _difference(cell: CellDifference) -> tuple[str, str, str, str, str]:
    name = f"{cell.symbol}_{cell.timeframe}_H{cell.horizon}"
    gain = f"{cell.gain:+.4f}" if cell.gain is not None else ""
    return name, _side(cell.before), _side(cell.after), gain, ", ".join(cell.changed)


def _side(side: CellSide | None) -> str:
    if side is None:
        return "-"
    return f"{number(side.auc)}{' *' if side.promoted else ''}" if side.auc is not None else side.state


def _facts(run: RunView) -> Iterator[tuple[str, str]]:
    config = run.config
    yield "night", str(run.id)
    yield "state", _state(run)
    yield "candles", "synthetic" if run.synthetic else "given"
    symbols, timeframes = len(config.symbols), ", ".join(config.timeframes)
    yield "grid", f"{symbols} symbols, {timeframes}, H{', H'.join(map(str, config.horizons))}"
    yield "began", moment(run.created)
    yield "ended", moment(run.finished)
    counts = run.training
    yield (
        "cells",
        f"{counts.succeeded} trained{run.of_these_reused}, {run.broken} failed, "
        f"{run.untrainable} not trainable, {counts.leased} running, {counts.queued} waiting, "
        f"{counts.cancelled} cancelled",
    )
    yield "progress", f"{run.progress_ratio:.0%}"
    yield "promoted", str(run.promoted)
    yield "paused", run.paused.words if run.paused else ""
    yield "ended early", run.ended_early.words if run.ended_early else ""
    yield "results", run.results_path


def _state(run: RunView) -> str:
    if run.state is not RunState.RUNNING:
        return run.state
    return "paused" if run.paused is not None else "ending" if run.ended_early is not None else run.state


def _notes(run: RunView) -> str:
    notes = ["synthetic candles"] if run.synthetic else []
    notes += [f"{run.reused} reused"] if run.reused else []
    notes += [f"{run.untrainable} not trainable"] if run.untrainable else []
    notes += [f"{run.training.cancelled} cancelled"] if run.training.cancelled else []
    notes += [f"paused {run.paused.words}"] if run.paused else []
    notes += [f"ended early {run.ended_early.words}"] if run.ended_early else []
    return "; ".join(notes)


def _duration(began: datetime, ended: datetime | None) -> str:
    if ended is None:
        return ""
    minutes, seconds = divmod(round((ended - began).total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
