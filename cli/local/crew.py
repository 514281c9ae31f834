"""Coordinator and trainers of this machine at work, until the block ends: for a night, or for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cli.local.head_start import Ahead, coordinator_to_be
from cli.local.interrupt import Interrupt
from cli.local.machine import this_machine, trainer_count
from cli.local.origin import assert_same_candles
from cli.local.processes import Child, stop
from cli.local.staff import brief, client_of, trainers_of
from cli.local.supervision import Supervision
from cli.local.watch import FIX_AND_RERUN, StatusFeed, saving
from cli.screen.nights import RETRAIN_LATER
from cli.screen.progress import Display
from common.client.client import OperatorClient
from common.errors import ConfigurationError
from common.out_folder import OutFolder
from common.protocol.runs import HAS_ENDED, RunRequest, RunView
from common.protocol.status import StatusDocument, TrainerState
from common.settings.given import Given
from common.settings.grid import GridConfig
from common.settings.night import NightSettings

LOG = logging.getLogger("nighttrain.launcher")

TRAINER_STOP_SECONDS = 12.0
COORDINATOR_STOP_SECONDS = 10.0


@dataclass
class Leave:
    """A trainer that was asked to stop, until when it may, and who comes in its place."""

    child: Child
    deadline: float
    successor: Child | None


class Crew:
    """The processes, and what they are asked for.

    Parameters
    ----------
    given : Given
        The settings; `data.dir` is where the candles are.
    out : OutFolder
        What they write to.
    debug : bool
        Whether they write debug messages.
    interrupt : Interrupt
        Ends every wait.
    display : Display
        Prints a line for people.
    by_the_clock : bool
        Whether the coordinator begins nights by itself.
    ahead : Ahead or None
        What is started already.
    """

    def __init__(
        self,
        given: Given,
        out: OutFolder,
        debug: bool,
        interrupt: Interrupt,
        display: Display,
        by_the_clock: bool,
        ahead: Ahead | None = None,
    ) -> None:
        self.out, self.display = out, display
        self._debug, self._interrupt = debug, interrupt
        self.coordinator = ahead.coordinator if ahead is not None else coordinator_to_be(out.root, debug)
        self._ahead = ahead
        if ahead is not None and not isinstance(given.settings.data.dir, Path):
            # The trainers of a store start their own, with its credentials.
            ahead.server.terminate()
        brief(self.coordinator, given, out, by_the_clock)
        self.supervision = Supervision(interrupt, display.say)
        self.coordinator.heard = self._hear
        self.trainers: list[Child] = []
        self._leaving: list[Leave] = []
        self._due: dict[str, tuple[Child | None, int | None]] = {}
        self._url: str | None = None
        self.feed: StatusFeed | None = None

    @cached_property
    def client(self) -> OperatorClient:
        """A client of the coordinator, once it listens."""
        return client_of(self.coordinator, self.out, self._interrupt)

    def watched(self, patience_seconds: float) -> StatusFeed:
        """Return the status, asked for again and again; what a stop saves is told by it."""
        self.feed = StatusFeed(
            self.client, self.display, patience_seconds, lambda: self.coordinator.last_words
        )
        return self.feed

    def begin(self, settings: NightSettings, fresh: bool = False, retrain: bool = False) -> RunView:
        """Begin a night of these settings, or resume it, and say so.

        Parameters
        ----------
        settings : NightSettings
            What is trained.
        fresh : bool
            Cancel an unfinished night instead of resuming it.
        retrain : bool
            Train a cell again even if nothing has changed since it was trained last.

        Raises
        ------
        ConflictError
            Another night is unfinished, or it was begun on other candles.
        """
        request = RunRequest(config=GridConfig(**settings.grid_config()), fresh=fresh, retrain=retrain)
        run, made = self.supervision.ask(lambda: self.client.create_run(request))
        assert_same_candles(self.out, run.id, made, settings.data.dir)
        what = f"night {run.id}: {run.training.total} cells"
        if not made:
            what = f"night {run.id} resumes with {run.training.final} of {run.training.total} cells done"
            what += f"; {RETRAIN_LATER}" if retrain and not run.retrain else ""
        if run.paused is not None:
            what += (
                f"; it is PAUSED {run.paused.words}: nighttrain resume --out {self.out.root} lets it go on"
            )
        self.display.say(f"{what}; {trainer_count(settings)} trainer(s); watch it at {self.client.url}/")
        return run

    def hire(self, settings: NightSettings) -> None:
        """Start trainers, which until `send_to_work` only import, beside the coordinator.

        While it starts, a trainer without a core of its own would but keep it from one: those follow then.
        """
        self.trainers = self._wanted(settings, trainer_count(settings))
        ahead = max(1, int(this_machine().cores) - 1)
        self.supervision.employ(*self.trainers[:ahead])

    def send_to_work(self) -> None:
        """Have the trainers work once the coordinator listens; those that come later do so at once."""
        self._url = self.client.url
        for child in self.trainers:
            child.tell(self._url)
        self.supervision.employ(*(child for child in self.trainers if child.process is None))

    def adjust(self, settings: NightSettings, count: int) -> None:
        """Have as many trainers as asked for, by these settings; who works is exchanged between two jobs."""
        wanted = {child.name: child for child in self._wanted(settings, count)}
        present = {child.name: child for child in self.trainers}
        coming = {name for name in wanted if name not in present and not self._is_leaving(name)}
        for name in coming:
            self.trainers.append(wanted[name])
            self.supervision.employ(wanted[name])
        newest = self.feed.newest if self.feed is not None else None
        self._due = {
            name: (wanted.get(name), _job_of(newest, name)[1])
            for name, child in present.items()
            if name not in wanted or wanted[name].command != child.command
        }
        for leave in self._leaving:
            leave.successor = wanted.get(leave.child.name)

    def keep(self, status: StatusDocument | None) -> None:
        """Start again what has died, and exchange trainers that are due as soon as each is between two jobs.

        Raises
        ------
        KeyboardInterrupt
            A signal came.
        """
        self._notice(status)
        for name, (successor, job) in list(self._due.items()):
            known, now = _job_of(status, name)
            if known and (now is None or now != job):
                self._dismiss(name, successor)
        for leave in list(self._leaving):
            if leave.child.exit_code is None and time.monotonic() < leave.deadline:
                continue
            leave.child.wait(leave.deadline)
            self._leaving.remove(leave)
            if leave.successor is not None:
                self.trainers.append(leave.successor)
                self.supervision.employ(leave.successor)
        self.supervision.keep()

    def assert_able(self) -> None:
        """See that trainers can start.

        Raises
        ------
        ConfigurationError
            All of them refuse again and again, and say what has to be corrected.
        """
        self._notice(self.feed.newest if self.feed is not None else None)
        if self.trainers and all(child.goes_on_refusing for child in self.trainers):
            words = " and ".join(sorted({child.refusal for child in self.trainers}))
            raise ConfigurationError(f"no trainer can start: {words}; {FIX_AND_RERUN}")

    def send_home(self) -> None:
        """Stop the trainers, and ask the coordinator to stop, which then has heard what they saved."""
        stop([*self.trainers, *(leave.child for leave in self._leaving)], TRAINER_STOP_SECONDS)
        if self._ahead is not None:
            # It takes as long to end as the coordinator.
            self._ahead.server.terminate()
        self.coordinator.terminate()

    def stop(self) -> None:
        """Stop all that has not ended yet."""
        self.send_home()
        stop([self.coordinator], COORDINATOR_STOP_SECONDS)

    def _hear(self, line: str) -> None:
        # The coordinator answers what this means: a line is no more than a reason to ask.
        if HAS_ENDED in line:
            self.supervision.news.set()

    def _notice(self, status: StatusDocument | None) -> None:
        """Take note of the trainers that have come to the coordinator."""
        seen = {one.name: one.last_seen for one in status.trainers} if status is not None else {}
        for child in self.trainers:
            if child.name in seen:
                child.shows_itself(seen[child.name])

    def _dismiss(self, name: str, successor: Child | None) -> None:
        del self._due[name]
        child = next(one for one in self.trainers if one.name == name)
        self.trainers.remove(child)
        self.supervision.children.remove(child)
        LOG.info("%s is %s", name, "started anew" if successor else "no longer needed")
        child.terminate()
        self._leaving.append(Leave(child, time.monotonic() + TRAINER_STOP_SECONDS, successor))

    def _wanted(self, settings: NightSettings, count: int) -> list[Child]:
        wanted = trainers_of(
            settings, self.out, self._debug, count, self._ahead.fork_server if self._ahead else ""
        )
        for child in wanted:
            child.word = self._url
        return wanted

    def _is_leaving(self, name: str) -> bool:
        return any(leave.child.name == name for leave in self._leaving)


@contextmanager
def at_work(
    given: Given,
    out: OutFolder,
    debug: bool,
    interrupt: Interrupt,
    display: Display,
    by_the_clock: bool = False,
    ahead: Ahead | None = None,
) -> Iterator[Crew]:
    """Start the coordinator and keep it alive until the block ends, then stop all that is at work.

    Raises
    ------
    NighttrainError
        It cannot start.
    KeyboardInterrupt
        A signal came; what is saved is said.
    """
    crew: Crew | None = None
    try:
        crew = Crew(given, out, debug, interrupt, display, by_the_clock, ahead)
        crew.supervision.employ(crew.coordinator)
        yield crew
    except KeyboardInterrupt:
        words = saving(crew.feed.newest if crew and crew.feed else None)
        LOG.info("%s", words)
        display.say(f"{words} (Ctrl-C again ends at once; saved ones stay)")
        raise
    finally:
        if crew is not None:
            crew.stop()
        display.close()


def _job_of(status: StatusDocument | None, name: str) -> tuple[bool, int | None]:
    """Return whether a trainer is known, and the id of the job that it works on, None if it is idle."""
    for one in status.trainers if status is not None else ():
        if one.name == name:
            return True, one.job_id if one.state is TrainerState.WORKING else None
    return False, None
