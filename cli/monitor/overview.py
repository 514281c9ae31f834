"""The screen of a night: headline, grid, trainers, failures, alerts, with keys to move and to act."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, ProgressBar, Static, TabbedContent, TabPane

from cli.monitor import panes
from cli.monitor.cells import SIGNS, Filter
from cli.monitor.lines import alert_line, machine
from cli.monitor.look import Look
from cli.monitor.night import (
    SYNTHETIC,
    clock,
    failures,
    figures,
    headline,
    outlook,
    span,
    standstill,
    worth_a_look,
)
from cli.monitor.table import LiveTable
from common.protocol.job_views import JobView
from common.protocol.jobs import JobKind

if TYPE_CHECKING:
    from cli.monitor.app import Monitor

PANES = (("cells", "Cells"), ("trainers", "Trainers"), ("failed", "Failures"), ("alerts", "Alerts"))
RECENT = ("recent", "Latest")
SHOWN_NOTES = 4
"""So many sentences stand above the panes; the rest is counted."""
LATE_SECONDS = 10.0
"""What is older than this, beyond the time between two looks, is said to be old."""


class NightScreen(Screen[None]):
    """One night."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "app.leave(0)", "Quit"),
        Binding("question_mark", "app.keys", "Keys"),
        Binding("tab", "pane(1)", "Pane", priority=True),
        Binding("shift+tab", "pane(-1)", "Previous pane", show=False, priority=True),
        Binding("slash", "filter", "Filter"),
        Binding("escape", "unfilter", "No filter", show=False),
        Binding("p", "app.steer_night('pause')", "Pause"),
        Binding("P", "app.steer_night('give_back')", "Pause, jobs given back", show=False),
        Binding("r", "steer('retry')", "Retry"),
        Binding("R", "app.steer_night('retry_failed')", "Try all failed again", show=False),
        Binding("c", "steer('cancel_job')", "Cancel"),
        Binding("n", "steer('run_next')", "Next"),
        Binding("u", "steer('unpark')", "Release"),
        Binding("E", "app.steer_night('end')", "End the night", show=False),
        Binding("X", "app.steer_night('cancel')", "Cancel the night", show=False),
        Binding("d", "details", "Details", show=False),
    ]

    def __init__(self, detailed: bool) -> None:
        super().__init__()
        self._detailed = detailed
        self._filter = Filter()
        self.look: Look | None = None

    @property
    def monitor(self) -> Monitor:
        """The application."""
        return cast("Monitor", self.app)

    def compose(self) -> ComposeResult:
        """Return headline, panes and keys."""
        yield Static(id="top", markup=False)
        yield Static(id="headline", markup=False)
        yield ProgressBar(total=1.0, show_eta=False, id="bar")
        yield Static(id="outlook", markup=False)
        yield Static(id="figures", markup=False)
        yield Static(id="machine", markup=False)
        yield Static(id="notes", markup=False)
        with TabbedContent(initial="cells"):
            for name, title in (*PANES, RECENT):
                with TabPane(title, id=name):
                    yield LiveTable(
                        id=f"{name}-table",
                        cursor_type="cell" if name == "cells" else "row",
                        fixed_columns=1 if name == "cells" else 0,
                    )
                    if name == "cells":
                        yield Static(_key(), id="key")
        yield Input(placeholder="such as: btc 1h H3 failed", id="filter")
        yield Footer()

    def on_mount(self) -> None:
        """Have the arrow keys walk the grid."""
        self.query_one("#filter").display = False
        self.query_one("#cells-table").focus()

    def show(self, look: Look) -> None:
        """Show a new look at the night."""
        self.look = look
        status, run = look.status, look.status.run
        line = Text(headline(status), "bold")
        if run is not None and run.synthetic:
            line.append("  SYNTHETIC candles: its scores say nothing about a market", "yellow")
        self.query_one("#headline", Static).update(line)
        self.query_one("#bar", ProgressBar).update(progress=run.progress_ratio if run else 0.0)
        self.query_one("#outlook", Static).update(outlook(status))
        self.query_one("#figures", Static).update(
            Text("   ").join(
                Text(f"{name} ", "dim").append(value, "not dim") for name, value in figures(status)
            )
        )
        self.query_one("#machine", Static).update(machine(look))
        self.query_one("#machine").display = self._detailed
        self._show_notes(look)
        self._table("cells").show(*panes.cells(look, self._filter))
        self._table("trainers").show(*panes.trainers(look))
        self._table("failed").show(*panes.failed(look))
        self._table("alerts").show(*panes.alerts(look))
        self._table("recent").show(*panes.recent(look))
        tabs = self.query_one(TabbedContent)
        firing = sum(one.firing for one in status.alerts)
        counts = {"trainers": len(status.trainers), "alerts": firing, "failed": len(failures(look.jobs))}
        for name, title in PANES[1:]:
            tabs.get_tab(name).label = f"{title} {counts[name] or ''}".strip()
        if self._detailed:
            tabs.show_tab("recent")
        else:
            tabs.hide_tab("recent")

    def show_age(self, heard: float | None, trouble: str, url: str) -> None:
        """Show how old it is what is shown.

        Parameters
        ----------
        heard : float or None
            When the coordinator answered last, in monotonic seconds; None if it has not yet.
        trouble : str
            Why it does not answer; empty if it does.
        url : str
            Where it listens.
        """
        words = Text("nighttrain monitor  ", "bold").append(url, "not bold dim")
        age = time.monotonic() - heard if heard is not None else None
        if trouble or (age is not None and age > LATE_SECONDS + self.monitor.pace):
            since = f"last heard {span(age)} ago" if age is not None else "not heard yet"
            words.append(f"  the coordinator does not answer, {since}; trying again", "bold red")
            if trouble:
                words.append(f"  {trouble}", "dim")
        elif self.look is not None:
            words.append(f"  {clock(self.look.status.time)}  live", "green")
        if not self.monitor.source.may_steer:
            words.append("  only to look at: no token", "yellow")
        self.query_one("#top", Static).update(words)
        self.set_class(bool(trouble), "away")

    def chosen(self) -> JobView | None:
        """Return the job that the cursor is at, if it is at one."""
        if self.look is None:
            return None
        pane = self.query_one(TabbedContent).active
        place = self._table(pane).place()
        if place is None or pane == "alerts":
            return None
        row, column = place
        for job in self.look.jobs:
            if pane == "cells":
                if job.symbol == row and _column_of(job) == column:
                    return job
            elif str(job.id) == row:
                return job
        if pane == "trainers":
            working = next((one.job_id for one in self.look.status.trainers if one.name == row), None)
            return next((job for job in self.look.jobs if job.id == working), None)
        return None

    def on_data_table_cell_selected(self, event: DataTable.CellSelected) -> None:
        """Open the job of a cell."""
        self._open(event)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Open the job of a row, or the alert."""
        self._open(event)

    def _open(self, event: DataTable.CellSelected | DataTable.RowSelected) -> None:
        event.stop()
        look = self.look
        if look is None:
            return
        place = self._table("alerts").place()
        if self.query_one(TabbedContent).active == "alerts" and place is not None:
            one = next((alert for alert in look.status.alerts if str(alert.id) == place[0]), None)
            if one is not None:
                self.monitor.open_text(one.name, f"{alert_line(one)}\n\n{one.description}")
            return
        job = self.chosen()
        if job is not None:
            self.monitor.open_job(job.id)

    def action_pane(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        tabs = self.query_one(TabbedContent)
        names = [name for name, _ in (*PANES, RECENT) if name != "recent" or self._detailed]
        tabs.active = names[(names.index(tabs.active) + step) % len(names)]
        self._table(tabs.active).focus()

    def action_filter(self) -> None:
        """Ask what to show of the grid."""
        self.query_one(TabbedContent).active = "cells"
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_unfilter(self) -> None:
        """Show the whole grid again."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self._table(self.query_one(TabbedContent).active).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what fits the words so far."""
        self._filter = Filter.of(event.value)
        if self.look is not None:
            self._table("cells").show(*panes.cells(self.look, self._filter))

    def on_input_submitted(self) -> None:
        """Go from the filter to the grid."""
        field = self.query_one("#filter", Input)
        field.display = bool(field.value)
        self._table("cells").focus()

    def action_steer(self, deed: str) -> None:
        """Give an order about the job that the cursor is at."""
        job = self.chosen()
        if job is None:
            self.app.notify("move to a cell or a job first", severity="warning", markup=False)
        else:
            self.monitor.steer_job(deed, job)

    def action_details(self) -> None:
        """Show more, or less again."""
        self._detailed = not self._detailed
        tabs = self.query_one(TabbedContent)
        if not self._detailed and tabs.active == "recent":
            tabs.active = "cells"
            self._table("cells").focus()
        if self.look is not None:
            self.show(self.look)

    def _show_notes(self, look: Look) -> None:
        notes = [(one, "yellow") for one in standstill(look)]
        notes += [
            (alert_line(one), panes.ALERT_STYLES.get(one.severity, ""))
            for one in look.status.alerts
            if one.firing
        ]
        notes += [(one, "yellow") for one in worth_a_look(look.status) if SYNTHETIC not in one]
        text = Text("\n").join(Text(f"! {words}", style) for words, style in notes[:SHOWN_NOTES])
        if len(notes) > SHOWN_NOTES:
            text.append(f"\n  and {len(notes) - SHOWN_NOTES} more", "dim")
        place = self.query_one("#notes", Static)
        place.update(text)
        place.display = bool(notes)

    def _table(self, pane: str) -> LiveTable:
        return self.query_one(f"#{pane}-table", LiveTable)


def _column_of(job: JobView) -> str:
    return "symbol" if job.kind is JobKind.SURVEY else f"{job.timeframe} {job.horizon}"


def _key() -> Text:
    signs = [Text(f"{sign.glyph} {sign.word}", sign.style) for sign in SIGNS.values()]
    return Text("  ").join([*signs, Text("AUC out of fold", "dim")])
