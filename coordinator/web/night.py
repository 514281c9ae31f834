"""The first screen: the newest night at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from fastapi import Query
from markupsafe import Markup

from common.protocol.jobs import Cause, JobState
from common.protocol.runs import RunState
from common.protocol.status import StatusDocument, TrainerState
from coordinator.api.access import PartsOf
from coordinator.html.plots.history import history_plot
from coordinator.html.values import duration, gibibytes, percent, some
from coordinator.views.grid import Grid, GridCell
from coordinator.views.vitals import Sample
from coordinator.web.choices import Choice, Chosen
from coordinator.web.paging import SymbolFilters, excerpt_of, paging_of, search_of, symbol_choice
from coordinator.web.rendering import Page
from coordinator.web.screens import Show, add_screen, page_router

router = page_router()

FEWEST_SLOTS = 20
"""A history has room for so many samples at least, so that the first few are no steep mountains."""
SHOWN_CHANGES = 5
"""So many changes by operators are shown, the newest first."""


class NightFilters(SymbolFilters):
    """What of the grid is shown; of each kind several, and all where none is named."""

    state: Chosen = ()
    """States of cells, `promoted` and `untrainable`; the others are dimmed."""
    timeframe: Chosen = ()
    """Timeframes, whose columns are shown."""
    horizon: Chosen = ()
    """Horizons, whose columns are shown."""


@dataclass(frozen=True)
class Look:
    """How a cell of one state looks: a glyph, a word, and a class of the style sheet."""

    glyph: str
    word: str
    kind: str


LOOKS = {
    "queued": Look("○", "waits", ""),
    "leased": Look("◐", "running", "run"),
    "succeeded": Look("✓", "done", "good"),
    "promoted": Look("★", "promoted", "star"),
    "failed": Look("✗", "failed", "bad"),
    "untrainable": Look("∅", "not trainable", "void"),
    "cancelled": Look("⊘", "cancelled", ""),
}
"""By state, in the order of a night; a succeeded cell may be `promoted` too, and a failed one `untrainable`:
its candles cannot be trained on, and nothing has broken."""


@dataclass(frozen=True)
class ShownCell:
    """A cell as the grid shows it: `text` is beside the glyph, `words` are shown at the pointer."""

    job_id: int
    look: Look
    text: str
    words: str
    chosen: bool


@dataclass(frozen=True)
class ShownRow:
    """A symbol's cells, in the order of the columns; None where the night has no such cell.

    `survey` is the state of its survey, and `untrainable` if that refused its candles.
    `parked_until` is until when the symbol is parked (None: it is not), `unpark` where it is released.
    """

    symbol: str
    survey_id: int
    survey: str
    parked_until: datetime | None
    unpark: str
    cells: tuple[ShownCell | None, ...]


def night(parts: PartsOf, filters: Annotated[NightFilters, Query()]) -> Show:
    """Show the newest night: its headline, its grid, and the machine."""

    def show() -> Page:
        now = parts.overview.read(excerpt_of(filters), known_states(filters))
        status = now.status
        if status.run is None or now.grid is None:
            return Page("no_night.html", "Night", {"status": status})
        grid = now.grid
        timeframes = _chosen(grid.timeframes, filters.timeframe)
        horizons = tuple(one for one in grid.horizons if not filters.horizon or str(one) in filters.horizon)
        content = {
            "now": now,
            "status": status,
            "run": status.run,
            "headline": headline(status, status.run.untrainable),
            "untrainable": status.run.untrainable,
            "tab": tab_title(status),
            "filters": filters,
            "choices": grid_choices(grid, filters),
            "timeframes": timeframes,
            "horizons": horizons,
            "search": search_of(grid.names, filters.find),
            "rows": rows_of(grid, filters, timeframes, horizons),
            "paging": paging_of(grid.shown, filters),
            "first": first_words(filters),
            "looks": LOOKS,
            "alerts": [one for one in status.alerts if one.firing],
            "worth_a_look": tuple(one for one in status.warnings if not _told_above(one)),
            "working": sum(one.job_id is not None for one in status.trainers),
            "alive": sum(one.state is not TrainerState.LOST for one in status.trainers),
            "slack": slack_of(status),
            "machine": machine_of(status, parts.vitals.samples, parts.settings.memory_threshold),
            "changes": parts.audit.page({"run_id": status.run.id}, SHOWN_CHANGES, 0).entries,
        }
        return Page("night.html", tab_title(status), content)

    return show


add_screen(router, "/", night)


def _told_above(warning: str) -> bool:
    return "trains on synthetic candles" in warning or warning.startswith("the night is paused")


def headline(status: StatusDocument, untrainable: int) -> str:
    """Return how far the newest night is, in a sentence; of some cells the candles cannot be trained on."""
    run = status.run
    assert run is not None
    training = run.training
    reused = run.of_these_reused
    trained = f"{training.succeeded} of {some(training.total, 'cell')} trained{reused}"
    others = {
        "not trainable": untrainable,
        "failed": training.failed - untrainable,
        "cancelled": training.cancelled,
    }
    apart = [f"{count} {what}" for what, count in others.items() if count]
    if run.state is RunState.CANCELLED:
        return f"Night {run.id} was cancelled: {', '.join([trained, *apart])}"
    if run.state is RunState.DONE:
        return f"Night {run.id} is over: {', '.join([trained, *apart])}"
    done = f"{training.final} of {some(training.total, 'cell')} done"
    return (
        f"{done}: {', '.join([f'{training.succeeded} trained{reused}', *apart])}" if apart or reused else done
    )


def tab_title(status: StatusDocument) -> str:
    """Return how far the newest night is, as short as the title of a tab."""
    run = status.run
    assert run is not None
    far = f"{run.training.final}/{run.training.total}"
    held = "ending" if run.ended_early is not None else "paused" if run.paused is not None else ""
    if run.state is RunState.RUNNING:
        return f"{far} {held}".rstrip()
    return f"{far} {'over' if run.state is RunState.DONE else 'cancelled'}"


def slack_of(status: StatusDocument) -> str:
    """Return how the expected end of an unfinished night lies to the end of its window, in a sentence."""
    night, eta = status.night, status.eta
    if night.closes is None or eta.p50 is None or eta.p90 is None:
        return ""
    if eta.p90 <= night.closes:
        return f"{duration(night.closes - eta.p90)} to spare before the window closes"
    late = duration(eta.p90 - night.closes)
    likely = "will" if eta.p50 > night.closes else "may"
    return f"it {likely} not fit into the window, by up to {late}: what is left is carried over"


@dataclass(frozen=True)
class Gauge:
    """One thing that the machine has: how much of it is in use, in words, and its last hour."""

    name: str
    words: str
    plot: Markup


def machine_of(status: StatusDocument, samples: tuple[Sample, ...], threshold: float) -> tuple[Gauge, ...]:
    """Return the coordinator's machine; above the threshold of its memory no job is handed out on a host."""
    system = status.system
    disk = 1 - system.disk_free_bytes / system.disk_total_bytes
    used = system.memory_total_bytes - system.memory_available_bytes
    kept = samples or (Sample(status.time, system.cpu_ratio, system.memory_ratio, disk),)
    last = kept[-1]
    slots = max(FEWEST_SLOTS, len(kept))
    return (
        Gauge(
            "CPU",
            f"{percent(last.cpu)} of {some(system.cpu_count, 'core')}",
            history_plot([one.cpu for one in kept], slots, "CPU"),
        ),
        Gauge(
            "Memory",
            f"{gibibytes(used)} of {gibibytes(system.memory_total_bytes)}",
            history_plot([one.memory for one in kept], slots, "Memory", threshold),
        ),
        Gauge(
            "Disk",
            f"{gibibytes(system.disk_free_bytes)} free",
            history_plot([one.disk for one in kept], slots, "Disk"),
        ),
    )


def rows_of(
    grid: Grid, filters: NightFilters, timeframes: tuple[str, ...], horizons: tuple[int, ...]
) -> tuple[ShownRow, ...]:
    """Return the rows of the grid that are shown."""
    places = [(timeframe, horizon) for timeframe in timeframes for horizon in horizons]
    rows = []
    for one in grid.rows:
        cells = (grid.cells.get((one.symbol, *place)) for place in places)
        shown = tuple(None if cell is None else shown_cell(cell, filters.state) for cell in cells)
        unpark = f"/runs/{grid.run_id}/symbols/{quote(one.symbol, safe='')}/unpark"
        survey = "untrainable" if one.survey_cause is Cause.DATA else str(one.survey)
        rows.append(ShownRow(one.symbol, one.survey_id, survey, one.parked_until, unpark, shown))
    return tuple(rows)


def shown_cell(cell: GridCell, states: Chosen) -> ShownCell:
    """Return a cell as it is shown where only some states are looked for (none named: all)."""
    state = "promoted" if cell.promoted else "untrainable" if cell.untrainable else str(cell.state)
    look = LOOKS[state]
    chosen = not states or state in states or (cell.promoted is True and "succeeded" in states)
    text, detail = _said(cell)
    words = f"{cell.symbol} {cell.timeframe} H{cell.horizon}: {look.word}{detail}"
    return ShownCell(cell.job_id, look, text, words, chosen)


def _said(cell: GridCell) -> tuple[str, str]:
    if cell.state is JobState.SUCCEEDED:
        reused = f", reused from night {cell.reused_run}" if cell.reused_run is not None else ""
        if cell.auc is None:
            return "no AUC", reused
        return f"{cell.auc:.3f}", f", AUC {cell.auc:.3f}{reused}"
    if cell.state is JobState.LEASED:
        return f"{cell.done}/{cell.total}", f", {cell.stage}, step {cell.done} of {cell.total}"
    if cell.state is JobState.QUEUED:
        return (f"{cell.folds} f", f", {cell.folds} folds saved") if cell.folds else ("", "")
    cause = str(cell.cause) if cell.cause is not None and cell.state is JobState.FAILED else ""
    return cause, f": {cell.message}" if cell.message else ""


def _chosen(offered: tuple[str, ...], wanted: Chosen) -> tuple[str, ...]:
    return tuple(one for one in offered if not wanted or one in wanted)


def known_states(filters: NightFilters) -> tuple[str, ...]:
    """Return the states that are sought, without any that there are not."""
    return tuple(state for state in filters.state if state in LOOKS)


def first_words(filters: NightFilters) -> str:
    """Return in words which symbols come first where not all of them are shown."""
    sought = [LOOKS[state].word for state in known_states(filters)]
    return f"those with cells that are {' or '.join(sought)} come first" if sought else "failures come first"


def grid_choices(grid: Grid, filters: NightFilters) -> list[Choice]:
    """Return for each filter its name, its heading, what can be chosen by value and words, and what is."""
    return [
        ("state", "State", [(state, look.word) for state, look in LOOKS.items()], filters.state),
        symbol_choice(grid.names, filters.symbol),
        ("timeframe", "Timeframe", [(one, one) for one in grid.timeframes], filters.timeframe),
        ("horizon", "Horizon", [(str(one), f"H{one}") for one in grid.horizons], filters.horizon),
    ]
