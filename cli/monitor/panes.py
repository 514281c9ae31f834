"""What each pane of the screen shows, as columns and rows."""

from __future__ import annotations

from rich.text import Text

from cli.monitor.cells import SIGNS, Filter, grid_of, state_of, survey_text, text_of
from cli.monitor.lines import trainer_row
from cli.monitor.look import Look
from cli.monitor.night import clock, failures, parked
from cli.monitor.table import Row
from cli.screen.columns import shown
from cli.screen.jobs import name_of, what_of

Head = tuple[tuple[str, str], ...]
Shown = tuple[Head, list[Row]]

TRAINER_STYLES = {"working": "cyan", "lost": "bold red", "idle": "bright_black"}
ALERT_STYLES = {"critical": "bold red", "warning": "yellow"}


def cells(look: Look, wanted: Filter) -> Shown:
    """Return the grid: a row a symbol, a column a timeframe and horizon; keys are theirs."""
    grid = grid_of(look.jobs, wanted)
    waiting = parked(look.jobs)
    head = (("symbol", "symbol"), *((f"{t} {h}", f"{t} H{h}") for t, h in grid.columns))
    rows = []
    for symbol in grid.symbols:
        beside = survey_text(grid.surveys.get(symbol), symbol in waiting)
        title = Text(shown(symbol), "bold")
        if beside:
            title.append(f" {beside}", "yellow")
        found = [title]
        for place in grid.columns:
            job = grid.jobs.get((symbol, *place))
            if job is None:
                found.append(Text(""))
                continue
            state = state_of(job)
            found.append(Text(text_of(job), SIGNS[state].style if wanted.takes_state(state) else "dim"))
        rows.append(Row(symbol, tuple(found)))
    return head, rows


def trainers(look: Look) -> Shown:
    """Return the trainers, known by their names."""
    head = _head("trainer", "state", "job", "memory", "done", "last heard", "note")
    rows = []
    for one in look.status.trainers:
        name, state, *others = trainer_row(look, one)
        cells = (Text(name, "bold"), Text(state, TRAINER_STYLES.get(state, "")), *map(Text, others))
        rows.append(Row(one.name, cells))
    return head, rows


def failed(look: Look) -> Shown:
    """Return what failed by cause and message, known by the first job of each."""
    head = _head("cause", "jobs", "which", "message")
    rows = []
    for group in failures(look.jobs):
        names = ", ".join(shown(name_of(job)) for job in group.jobs[:3])
        more = f" and {len(group.jobs) - 3} more" if len(group.jobs) > 3 else ""
        texts = (str(len(group.jobs)), f"{names}{more}", shown(group.message))
        rows.append(Row(str(group.jobs[0].id), (Text(str(group.cause), "bold red"), *map(Text, texts))))
    return head, rows


def alerts(look: Look) -> Shown:
    """Return the alerts, known by their ids: those that fire, then those that ended lately."""
    head = _head("", "severity", "alert", "since", "what")
    rows = []
    for one in look.status.alerts:
        style = ALERT_STYLES.get(one.severity, "") if one.firing else "dim"
        texts = (
            "fires" if one.firing else "ended",
            one.severity,
            shown(one.name),
            clock(one.starts),
            shown(one.summary or one.description),
        )
        rows.append(Row(str(one.id), tuple(Text(text, style) for text in texts)))
    return head, rows


def recent(look: Look) -> Shown:
    """Return the jobs that changed last, known by their ids."""
    head = _head("job", "state", "trainer", "tries", "what")
    rows = []
    for job in look.status.recent_jobs:
        sign = SIGNS[state_of(job)]
        texts = (shown(job.trainer), str(job.attempts), shown(what_of(job)))
        cells = (Text(shown(name_of(job)), "bold"), Text(f"{sign.glyph} {sign.word}", sign.style))
        rows.append(Row(str(job.id), (*cells, *map(Text, texts))))
    return head, rows


def _head(*titles: str) -> Head:
    return tuple((title or "-", title) for title in titles)
