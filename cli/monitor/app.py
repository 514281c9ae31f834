"""The live screen: asks the coordinator again and again, shows what it tells, and passes on orders."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.message import Message

from cli.local.interrupt import EXIT_INTERRUPTED
from cli.monitor import deeds
from cli.monitor.deeds import Deed
from cli.monitor.dialogs import ConfirmScreen, JobScreen, TextScreen
from cli.monitor.look import Look, Source
from cli.monitor.overview import NightScreen
from cli.screen.columns import shown
from cli.screen.jobs import name_of
from common.errors import NighttrainError
from common.protocol.job_views import JobView
from common.protocol.runs import RunState
from common.protocol.steering import Steered

SHARE = 5.0
"""It waits so many times as long as an answer took, at least: looking must not slow the night."""
TICK_SECONDS = 0.25
THREAD = "monitor"
NO_TOKEN = "no token is at hand, so this can only be looked at: --token-file names it"  # noqa: S105 (words, no secret)

KEYS = """\
arrows          move; Enter opens the job with why it waits, failed or was not promoted
tab, shift+tab  next pane, pane before
/               filter the grid: words such as btc 1h H3 failed; Escape shows all again
d               more details, or fewer
q, Ctrl-C       quit; the night goes on

of the job at the cursor, or the one that is open
r               try it again with fresh budgets
c               cancel it (asks first)
n               run it next, before all others
u               release its symbol, if it is parked

of the night
p               pause it, or resume it; running jobs go on to their end
P               pause it, and have running jobs save their folds and stop
R               try all that failed again
E               end it now with what is done (asks first)
X               cancel it (asks first)
"""


class Monitor(App[int]):
    """The application; it returns the exit code.

    Parameters
    ----------
    source : Source
        Asks the coordinator; used from several threads.
    seconds : float
        How often to look at most.
    detailed : bool
        Whether to show the machine and the latest jobs too.

    Attributes
    ----------
    pace : float
        Seconds from one look to the next, by how long an answer takes.
    """

    TITLE = "nighttrain monitor"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", f"leave({EXIT_INTERRUPTED})", "Quit", show=False, priority=True),
        Binding("ctrl+q", "leave(0)", "Quit", show=False, priority=True),
    ]
    CSS = """
    #top { height: auto; background: $panel; padding: 0 1; }
    #headline, #outlook, #figures, #machine, #notes, #key { height: auto; padding: 0 1; }
    #bar { padding: 0 1; width: 1fr; }
    #bar Bar { width: 1fr; }
    NightScreen { overflow: hidden; }
    TabbedContent { height: 1fr; }
    TabPane { padding: 0; }
    LiveTable { height: 1fr; }
    .away #headline, .away LiveTable { opacity: 60%; }
    ModalScreen { align: center middle; }
    .dialog { border: round $primary; background: $surface; padding: 0 1; width: 76; max-width: 95%;
              height: auto; max-height: 90%; }
    .dialog.large { width: 95%; height: 90%; }
    .dialog Horizontal { height: auto; align-horizontal: right; }
    .dialog Button { margin: 0 1; }
    .title { padding: 0 0 1 0; }
    """

    class Looked(Message):
        """The coordinator has answered."""

        def __init__(self, look: Look) -> None:
            super().__init__()
            self.look = look

    class Missed(Message):
        """It has not."""

        def __init__(self, error: NighttrainError) -> None:
            super().__init__()
            self.error = error

    class Previewed(Message):
        """It has said what an order would do."""

        def __init__(self, deed: Deed, effect: Steered) -> None:
            super().__init__()
            self.deed, self.effect = deed, effect

    class Ordered(Message):
        """It has taken an order, or refused it."""

        def __init__(self, words: str, refused: bool) -> None:
            super().__init__()
            self.words, self.refused = words, refused

    def __init__(self, source: Source, seconds: float, detailed: bool) -> None:
        super().__init__()
        self.source, self._seconds = source, seconds
        self.night = NightScreen(detailed)
        self.pace = seconds
        self._left = False
        self._heard: float | None = None
        self._trouble = ""
        self._next: float | None = 0.0

    def on_mount(self) -> None:
        """Show the night, and begin to look."""
        self.push_screen(self.night)
        self.set_interval(TICK_SECONDS, self._tick)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Whoever kills it gets a terminal back that can be typed in.
            if threading.current_thread() is threading.main_thread():
                loop.add_signal_handler(number, self.action_leave, EXIT_INTERRUPTED)

    def _tick(self) -> None:
        if self._next is not None and time.monotonic() >= self._next:
            self._next = None
            self._in_background(self._ask)
        if self._is_shown:
            self.night.show_age(self._heard, self._trouble, self.source.client.url)

    @property
    def _is_shown(self) -> bool:
        # While it is left, timers and answers still come to a screen that is taken apart.
        return self.return_code is None and not self._left and bool(self.night.query("#top"))

    def _ask(self) -> None:
        try:
            self.post_message(self.Looked(self.source.look()))
        except NighttrainError as error:
            self.post_message(self.Missed(error))

    def on_monitor_looked(self, message: Looked) -> None:
        """Show what the coordinator told."""
        self._heard, self._trouble = time.monotonic(), ""
        self.pace = max(self._seconds, SHARE * message.look.seconds) + message.look.seconds
        self._next = self._heard + self.pace
        if self._is_shown:
            self.night.show(message.look)
        if isinstance(self.screen, JobScreen):
            self.screen.reload()

    def on_monitor_missed(self, message: Missed) -> None:
        """Keep what is shown, and say that it is old."""
        self._trouble = shown(str(message.error))
        self._next = time.monotonic() + self._seconds

    def open_text(self, title: str, words: str) -> None:
        """Show a text above the night."""
        clean = "\n".join(shown(line) for line in words.splitlines())
        self.push_screen(TextScreen(shown(title), clean))

    def open_job(self, job: int) -> None:
        """Show all about a job."""

        def load(screen: JobScreen) -> None:
            def ask() -> None:
                try:
                    screen.post_message(JobScreen.Loaded(self.source.client.job(job)))
                except NighttrainError as error:
                    screen.post_message(JobScreen.Missed(error))

            self._in_background(ask)

        self.push_screen(JobScreen(load, self.steer_job))

    def action_keys(self) -> None:
        """Show the keys."""
        self.push_screen(TextScreen("Keys", KEYS))

    def action_leave(self, code: int) -> None:
        """Leave; the night goes on."""
        self._left = True
        self.exit(code)

    def action_steer_night(self, what: str) -> None:
        """Give an order about the night."""
        run = self.night.look.status.run if self.night.look is not None else None
        if run is None or run.state is not RunState.RUNNING:
            self.notify("no night is running", severity="warning", markup=False)
            return
        of_night: dict[str, Callable[[], Deed]] = {
            "pause": lambda: deeds.resume(run.id) if run.paused else deeds.pause(run.id, give_back=False),
            "give_back": lambda: deeds.pause(run.id, give_back=True),
            "retry_failed": lambda: deeds.retry_failed(run.id),
            "end": lambda: deeds.end(run.id),
            "cancel": lambda: deeds.cancel(run.id),
        }
        self.perform(of_night[what]())

    def steer_job(self, what: str, job: JobView) -> None:
        """Give an order about a job."""
        if what == "unpark":
            self.perform(deeds.unpark(job.run_id, job.symbol))
            return
        made = {"retry": deeds.retry, "cancel_job": deeds.cancel_job, "run_next": deeds.run_next}[what]
        self.perform(made(job.id, name_of(job)))

    def perform(self, deed: Deed) -> None:
        """Give an order; what cannot be undone is asked for first, with what it would do."""
        if not self.source.may_steer:
            self.notify(NO_TOKEN, severity="warning", markup=False)
        elif deed.asks:
            self._in_background(lambda: self._preview(deed))
        else:
            self._in_background(lambda: self._give(deed, ""))

    def _preview(self, deed: Deed) -> None:
        try:
            effect = deed.give(self.source.client, "", True)
        except NighttrainError as error:
            self.post_message(self.Ordered(str(error), refused=True))
            return
        if effect.changed:
            self.post_message(self.Previewed(deed, effect))
        else:
            self.post_message(self.Ordered(effect.words, refused=False))

    def on_monitor_previewed(self, message: Previewed) -> None:
        """Ask whether to do it."""

        def answered(reason: str | None) -> None:
            if reason is not None:
                self._in_background(lambda: self._give(message.deed, reason))

        self.push_screen(ConfirmScreen(message.deed, message.effect), answered)

    def _give(self, deed: Deed, reason: str) -> None:
        try:
            self.post_message(self.Ordered(deed.give(self.source.client, reason, False).words, refused=False))
        except (NighttrainError, ValueError) as error:
            self.post_message(self.Ordered(str(error), refused=True))

    def on_monitor_ordered(self, message: Ordered) -> None:
        """Say what was done, and look at once."""
        severity = "error" if message.refused else "information"
        self.notify(shown(message.words), severity=severity, markup=False, timeout=8)  # type: ignore[arg-type]  # a literal there
        if self._next is not None:
            self._next = 0.0

    @staticmethod
    def _in_background(work: Callable[[], None]) -> None:
        # No thread of a pool: leaving must not wait for a coordinator that does not answer.
        threading.Thread(target=work, name=THREAD, daemon=True).start()
