"""The containers of trainers follow what the coordinator lets work: look, decide, scale, say it."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from typing import NoReturn, TextIO

from cli.local.interrupt import interruptible
from cli.stack.scaling import Bounds, Course, due, wish
from cli.stack.trainers import Trainers
from common.client.client import OperatorClient
from common.errors import UnavailableError
from common.host import host_identity

WAIT_SECONDS = 0.2


class Autoscaling:
    """Looks at the coordinator and at Docker, and scales.

    Parameters
    ----------
    client : OperatorClient
        The coordinator of the containers.
    trainers : Trainers
        The containers of trainers.
    bounds : Bounds
        At least and at most so many.
    dry_run : bool
        Say what would be done, and do nothing.
    as_json : bool
        Say it as JSON, an object a line.
    """

    def __init__(
        self, client: OperatorClient, trainers: Trainers, bounds: Bounds, dry_run: bool, as_json: bool
    ) -> None:
        self.client, self.trainers, self.bounds = client, trainers, bounds
        self.dry_run, self.as_json = dry_run, as_json
        self._course = Course()
        self._said = ""

    def follow(self, interval_seconds: float) -> NoReturn:
        """Look again and again; who does not answer is asked again at the next look.

        Raises
        ------
        KeyboardInterrupt
            A signal came.
        """
        with interruptible() as interrupt:
            while True:
                try:
                    self.look()
                except UnavailableError as error:
                    self._say(f"{error}; it is tried again", {"error": str(error)}, sys.stderr)
                until = time.monotonic() + interval_seconds
                while time.monotonic() < until:
                    interrupt.check()
                    time.sleep(WAIT_SECONDS)

    def look(self, patient: bool = True) -> None:
        """Look once, and do what is due; if not `patient`, fewer are kept at once too.

        Raises
        ------
        UnavailableError
            Docker or the coordinator does not answer.
        """
        now = datetime.now().astimezone()
        present = self.trainers.count()
        wished = wish(self.client.status(), host_identity(), present, self.bounds)
        todo, self._course = due(wished, present, self._course, now)
        if not patient and wished.trainers != present:
            todo = wished
        facts = {
            "trainers": present,
            "wanted": wished.trainers,
            "scaled": todo is not None and not self.dry_run,
            "why": wished.why,
        }
        if todo is None:
            later = f", {wished.trainers} if that stays so" if wished.trainers < present else ""
            self._say(f"{present} trainers{later}: {wished.why}", facts)
            return
        verb = "would become" if self.dry_run else "become"
        self._say(f"{present} trainers {verb} {todo.trainers}: {todo.why}", facts)
        if not self.dry_run:
            self.trainers.scale(todo.trainers)

    def _say(self, words: str, facts: dict[str, object], to: TextIO | None = None) -> None:
        now = datetime.now().astimezone()
        if self.as_json:
            print(json.dumps({"time": now.isoformat(timespec="seconds"), **facts}), flush=True)
        elif words != self._said:
            # What stays as it is is said once.
            print(f"{now:%H:%M:%S} {words}", file=to or sys.stdout, flush=True)
        self._said = words
