"""The night as plain lines: for a pipe, a log, a terminal that shall keep what was shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cli.monitor.cells import SIGNS, Filter, grid_of, survey_text, text_of
from cli.monitor.look import Look
from cli.monitor.night import (
    clock,
    failures,
    figures,
    headline,
    outlook,
    parked,
    standstill,
    worth_a_look,
)
from cli.screen.columns import columns, gib, shown
from cli.screen.jobs import name_of as job_name
from cli.screen.progress import progress_line
from common.protocol.alerts import AlertView
from common.protocol.status import TrainerView

SHOWN_JOBS = 5
"""So many jobs of a group of failures are named."""


class Told:
    """What has been said already: what goes on is said once, not at each interval."""

    def __init__(self) -> None:
        self._before: set[str] = set()

    def lines(self, look: Look) -> Iterator[str]:
        """Yield one line on how far the night is, and one for each thing that is new since the last look."""
        status = look.status
        now = datetime.now().astimezone()
        run = status.run
        yield f"{now:%H:%M:%S} {progress_line(status, run) if run else headline(status)}"
        standing = {*_troubles(look)}
        yield from (f"  {one}" for one in dict.fromkeys(_troubles(look)) if one not in self._before)
        yield from (f"  over: {one}" for one in sorted(self._before - standing) if one.startswith("alert "))
        self._before = standing


def _troubles(look: Look) -> Iterator[str]:
    for alert in look.status.alerts:
        if alert.firing:
            yield f"alert {alert_line(alert)}"
    yield from (f"stands still: {one}" for one in standstill(look))
    yield from (f"warning: {one}" for one in worth_a_look(look.status))
    for group in failures(look.jobs):
        yield f"failed ({group.cause}), {_named(tuple(map(job_name, group.jobs)))}: {shown(group.message)}"


def detailed(look: Look) -> Iterator[str]:
    """Yield all that is known of the night: figures, machine, grid, trainers, failures, alerts."""
    status, run = look.status, look.status.run
    now = datetime.now().astimezone()
    yield f"{now:%Y-%m-%d %H:%M:%S}  {look.url}  version {status.version}"
    yield headline(status) + (" (synthetic candles)" if run is not None and run.synthetic else "")
    if run is None:
        return
    yield outlook(status)
    yield ", ".join(f"{name} {value}" for name, value in figures(status))
    yield machine(look)
    yield from _titled("why nothing happens", standstill(look))
    yield from _titled("worth a look", worth_a_look(status))
    yield from _titled("alerts", [alert_line(one) for one in status.alerts if one.firing])
    yield ""
    yield grid_lines(look)
    if status.trainers:
        yield ""
        head = ("trainer", "state", "job", "memory", "done", "last heard", "note")
        yield columns(head, [trainer_row(look, one) for one in status.trainers])
    groups = failures(look.jobs)
    if groups:
        yield ""
        rows = [
            (str(one.cause), str(len(one.jobs)), _named(tuple(map(job_name, one.jobs))), one.message)
            for one in groups
        ]
        yield columns(("failed by", "jobs", "which", "message"), rows)


def grid_lines(look: Look) -> str:
    """Return the grid as a table, with what its signs mean."""
    grid = grid_of(look.jobs, Filter())
    waiting = parked(look.jobs)
    head = ("symbol", *(f"{timeframe} H{horizon}" for timeframe, horizon in grid.columns), "")
    rows = []
    for symbol in grid.symbols:
        found = [grid.jobs.get((symbol, *place)) for place in grid.columns]
        beside = survey_text(grid.surveys.get(symbol), symbol in waiting)
        rows.append((symbol, *(text_of(job) if job else "" for job in found), beside))
    key = "  ".join(f"{sign.glyph} {sign.word}" for sign in SIGNS.values())
    return f"{columns(head, rows)}\n{key}  figures are AUC out of fold"


def machine(look: Look) -> str:
    """Return what the coordinator's machine has, in one line."""
    system = look.status.system
    used = system.memory_total_bytes - system.memory_available_bytes
    return (
        f"CPU {system.cpu_ratio:.0%} of {system.cpu_count} cores, memory {gib(used)} of "
        f"{gib(system.memory_total_bytes)}, disk {gib(system.disk_free_bytes)} free"
    )


def trainer_row(look: Look, one: TrainerView) -> tuple[str, str, str, str, str, str, str]:
    """Return a trainer as a row: name, state, job with its step, memory, jobs done, last heard, note."""
    progress = one.progress
    step = f" {progress.stage} {progress.done}/{progress.total}" if progress else ""
    memory = f"{gib(progress.memory_bytes)} of " if progress else "up to "
    heard = max(0.0, (look.status.time - one.last_seen).total_seconds())
    since = f"blocked since {clock(one.blocked_since)}: " if one.blocked_since else ""
    return (
        shown(one.name),
        str(one.state),
        shown(f"{one.job}{step}"),
        f"{memory}{gib(one.memory_limit_bytes)}",
        str(one.jobs_finished),
        f"{heard:.0f} s ago",
        shown(f"{since}{one.note}"),
    )


def alert_line(alert: AlertView) -> str:
    """Return an alert in one line, with where to read what to do."""
    where = f" (what to do: {shown(alert.runbook)})" if alert.runbook else ""
    words = shown(alert.summary or alert.description)
    return f"{alert.severity} {shown(alert.name)} since {clock(alert.starts)}: {words}{where}"


def _titled(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
        yield from (f"  {one}" for one in lines)


def _named(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_JOBS} more" if len(names) > SHOWN_JOBS else ""
    return f"{', '.join(names[:SHOWN_JOBS])}{more}"
