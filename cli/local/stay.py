"""Nights on this machine for ever: one process tree that stays, with nights by the clock."""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cli.local.candle_update import CandleUpdate
from cli.local.crew import Crew, at_work
from cli.local.interrupt import EXIT_INTERRUPTED, interruptible
from cli.local.machine import trainer_count
from cli.local.night import console_for
from cli.local.notification import notify
from cli.local.preparation import Order, assert_room, configured, prepared, prepared_again, prepared_to_stay
from cli.local.staff import hand_over
from cli.local.supervision import POLL_SECONDS
from cli.local.vigil import Vigil
from cli.screen.progress import display_for
from common import logs
from common.errors import ConflictError, NighttrainError
from common.out_folder import OutFolder, held
from common.protocol.runs import RunState
from common.protocol.status import StatusDocument
from common.settings.changes import sentence
from common.settings.given import Given
from common.settings.night import NightSettings
from coordinator.configuration import Configuration, Source

LOG = logging.getLogger("nighttrain.launcher")

LOOK_SECONDS = 1.0
FOREVER = float("inf")
SIZES = ("num_workers", "parallelism", "max_memory_per_process", "memory_threshold", "max_cache")
"""What decides how many trainers there are, and what each may take, besides the machine."""


def stay(order: Order, now: bool) -> int:
    """Keep coordinator and trainers up until a signal comes, and return the exit code.

    Parameters
    ----------
    order : Order
        What the command line asks for.
    now : bool
        Begin or resume a night at once, if the window is open.

    Raises
    ------
    NighttrainError
        Anything that stands in the way of the start, with what to do about it.
    """
    given = configured(order)
    console = console_for(as_json=False)
    assert_room(given.settings, console)
    with held(order.out) as out, interruptible() as interrupt:
        logs.configure(out.launcher_log, order.debug, "nighttrain.launcher", stderr=False)
        try:
            begins = now or given.settings.window is not None
            prepare = prepared if begins else prepared_to_stay
            given = prepare(order, given, out, console, interrupt)
            display = display_for(console)
            with at_work(given, out, order.debug, interrupt, display, by_the_clock=True) as crew:
                Household(order, given, out, crew).keep_up(now)
        except KeyboardInterrupt:
            console.print("stopped; all is saved: the same command goes on from here", soft_wrap=True)
            return 0 if interrupt.signals[0] == signal.SIGTERM else EXIT_INTERRUPTED
    raise AssertionError  # only a signal ends it


class Household:
    """What is done from night to night: nights are watched, changes taken up, candles updated.

    Parameters
    ----------
    order : Order
        What the command line asks for.
    given : Given
        The settings at the start; `data.dir` is where the candles are.
    out : OutFolder
        Where everything is written.
    crew : Crew
        The processes.
    """

    def __init__(self, order: Order, given: Given, out: OutFolder, crew: Crew) -> None:
        self.order, self.out, self.crew = order, out, crew
        source = Source(order.file, lambda _: self._read()) if order.file else None
        self.configuration = Configuration(given, source)
        self.update = CandleUpdate(crew.display.say)
        self._handed: Given = given
        self._count = 0
        self._night_was_running = False
        self._trouble = ""

    @property
    def settings(self) -> NightSettings:
        """The settings in force."""
        return self.configuration.settings

    def keep_up(self, now: bool) -> None:
        """Go on until a signal comes.

        Raises
        ------
        KeyboardInterrupt
            It came.
        """
        crew = self.crew
        start = self.order.spelled("start")
        vigil = Vigil(crew.watched(FOREVER), self.out, crew.display, start)
        crew.display.say(f"up at {crew.client.url}/; Ctrl-C stops it, and nothing is lost")
        status = crew.supervision.ask(lambda: vigil.look(self.settings.data.dir, self.settings))
        if status is None or not _runs(status):
            self.update.warn_if_too_late(self.settings, datetime.now(UTC))
        self._count = trainer_count(self.settings)
        crew.hire(self.settings)
        crew.send_to_work()
        notify("READY=1")
        try:
            if now:
                self._begin_now(vigil)
            while True:
                self._turn(vigil)
                pause = time.monotonic() + LOOK_SECONDS
                while time.monotonic() < pause:
                    crew.keep(crew.feed.newest if crew.feed else None)
                    time.sleep(POLL_SECONDS)
        finally:
            notify("STOPPING=1")
            self.update.stop()

    def _turn(self, vigil: Vigil) -> None:
        try:
            self._look_after(vigil)
        except NighttrainError as error:
            # Such as a full disk: whoever stays waits until that is mended.
            if str(error) != self._trouble:
                self.crew.display.say(f"warning: {error}")
            self._trouble = str(error)
        else:
            self._trouble = ""

    def _look_after(self, vigil: Vigil) -> None:
        status = vigil.look(self.settings.data.dir, self.settings)
        if status is None:
            return
        running = _runs(status)
        if self._night_was_running and not running:
            # What the folder of candles holds may have changed too.
            self.configuration.read_again()
        self._night_was_running = running
        self._take_up(running)
        self.update.step(self.settings, datetime.now(UTC), running)
        self._hand_over()
        notify(f"STATUS={_words(status)}")

    def _begin_now(self, vigil: Vigil) -> None:
        crew, settings = self.crew, self.settings
        status = crew.supervision.ask(crew.client.status)
        if status.night.opens is not None:
            opens = f"{status.night.opens:%Y-%m-%d %H:%M} UTC"
            crew.display.say(f"the window is closed: a night begins when it opens, {opens}")
            return
        if settings.data.update_before_night and not _runs(status):
            deadline = datetime.now(UTC) + timedelta(minutes=settings.data.update_minutes)
            self.update.begin(settings, deadline)
            while self.update.runs:
                self.update.attend(datetime.now(UTC))
                crew.keep(status)
                time.sleep(POLL_SECONDS)
        try:
            vigil.expect(crew.begin(settings))
        except ConflictError as error:
            crew.display.say(f"no night is begun: {error}")

    def _take_up(self, night_is_running: bool) -> None:
        proposal = self.configuration.look(night_is_running)
        if proposal is None:
            return
        before = self.settings
        self.configuration.accept(proposal)
        if proposal.said:
            words = f"the configuration has changed; {sentence(proposal.said)}"
            LOG.info("%s", words)
            self.crew.display.say(words)
        # With auto the count follows the memory that is free now, which is another at each look.
        if any(getattr(before, key) != getattr(self.settings, key) for key in SIZES):
            self._count = trainer_count(self.settings)
        self.crew.adjust(self.settings, self._count)

    def _hand_over(self) -> None:
        wanted = self.configuration.wanted
        told = (*self.configuration.warnings, *([self.update.warning] if self.update.warning else []))
        given = replace(wanted, warnings=told)
        if given != self._handed:
            hand_over(given, self.out, by_the_clock=True)
            self._handed = given

    def _read(self) -> Given:
        return prepared_again(self.order, self.settings.data.dir, self.out)


def _runs(status: StatusDocument) -> bool:
    return status.run is not None and status.run.state is RunState.RUNNING


def _words(status: StatusDocument) -> str:
    run = status.run
    if run is None or not _runs(status):
        return "no night is running"
    return f"night {run.id}: {run.training.final} of {run.training.total} cells"
