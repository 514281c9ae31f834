"""The digest of a night that has ended, handed to Alertmanager as an alert that ends by itself.

Alertmanager knows the receivers and delivers. It is handed over once: its times are fixed with the end of the
night and its labels name the night, so that the same one handed over again, because this process was killed
before it could record it, is the same alert to Alertmanager and reaches nobody twice. What cannot be handed
over is tried again for a while, in a thread of its own, so that no address that does not answer keeps this
process from its other duties.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from common.protocol.nights import NightDigest
from coordinator.housekeeping.duty import Duty, Turn
from coordinator.report.reports import Reports
from coordinator.runs.ended import DueDigest, close_digest, due_digest
from coordinator.store.database import Database

logger = logging.getLogger(__name__)

NAME = "NighttrainNightEnded"
"""The name of the alert, by which `prometheus/alertmanager.yml` routes it."""
POST_SECONDS = 5.0
PAUSES = (2.0, 5.0, 15.0, 60.0)
"""Seconds between tries; the last one stays."""


@dataclass
class _Try:
    """One try to hand a digest over; `problem` is None before it has ended, and empty if it is done."""

    due: DueDigest
    began: datetime
    problem: str | None = None
    thread: threading.Thread = field(init=False)


class Digest(Duty):
    """Hands digests over.

    Parameters
    ----------
    database : Database
        Where it is kept which are due.
    reports : Reports
        Makes them.
    alertmanager : str
        Its address; empty: nobody receives digests, and they are only logged.
    """

    name = "the digest of the night"

    def __init__(self, database: Database, reports: Reports, alertmanager: str) -> None:
        self.database = database
        self.reports = reports
        self.alertmanager = alertmanager.rstrip("/")
        self._try: _Try | None = None
        self._failed = 0

    def run(self, turn: Turn) -> None:
        """Look what became of the last try, and try again what is due."""
        if self._try is not None and self._try.problem == "":
            self._close(self._try.due, "")
            self._try, self._failed = None, 0
        elif self._try is not None and (self._try.problem is None or self._pauses(self._try, turn.now)):
            return
        with self.database.read() as tx:
            due = due_digest(tx)
        if due is None:
            return
        if not self.alertmanager:
            self._tell(due)
        elif turn.now >= due.until:
            self._give_up(due)
        else:
            self._begin(due, turn.now)

    def _pauses(self, tried: _Try, now: datetime) -> bool:
        pause = timedelta(seconds=PAUSES[min(self._failed, len(PAUSES) - 1)])
        if now - tried.began < pause:
            return True
        if self._failed == 0:
            logger.warning("run %d: its digest is not handed over: %s", tried.due.run_id, tried.problem)
        self._failed += 1
        return False

    def _begin(self, due: DueDigest, now: datetime) -> None:
        digest = self.reports.digest(due.run_id)
        tried = _Try(due, now)
        tried.thread = threading.Thread(target=self._post, args=(tried, digest), name="digest", daemon=True)
        self._try = tried
        tried.thread.start()

    def _post(self, tried: _Try, digest: NightDigest) -> None:
        # Few coordinators have an Alertmanager, and none needs it before a night has ended.
        import httpx

        try:
            address = f"{self.alertmanager}/api/v2/alerts"
            body = [alert_of(digest, tried.due, self.reports.address)]
            answer = httpx.post(address, json=body, timeout=POST_SECONDS, trust_env=False)
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            tried.problem = f"{self.alertmanager}: {str(error) or type(error).__name__}"
        else:
            tried.problem = ""

    def _tell(self, due: DueDigest) -> None:
        digest = self.reports.digest(due.run_id)
        logger.info("%s. %s", digest.subject, " ".join(digest.lines))
        self._close(due, "")

    def _give_up(self, due: DueDigest) -> None:
        own = self._try is not None and self._try.due.run_id == due.run_id
        problem = (
            self._try.problem if self._try is not None and own else ""
        ) or "nobody could be reached in time"
        logger.error("run %d: its digest is given up: %s", due.run_id, problem)
        self._close(due, problem)
        self._try, self._failed = None, 0

    def _close(self, due: DueDigest, problem: str) -> None:
        with self.database.write() as tx:
            close_digest(tx, due.run_id, problem)


def alert_of(digest: NightDigest, due: DueDigest, address: str) -> dict[str, object]:
    """Return a digest as Alertmanager takes alerts: equal labels and times make it the same alert.

    Parameters
    ----------
    digest : NightDigest
        The night in ten lines.
    due : DueDigest
        When the night ended, and until when the alert lasts.
    address : str
        Where people reach the coordinator, without a slash at the end.
    """
    return {
        "labels": {
            "alertname": NAME,
            "severity": "info",
            "component": "night",
            "run": str(digest.run),
            # Another night of the same number, of a database that was begun anew, is another alert.
            "ended": f"{due.ended:%Y-%m-%dT%H:%M:%SZ}",
        },
        "annotations": {"summary": digest.subject, "description": "\n".join(digest.lines)},
        "startsAt": due.ended.isoformat(),
        "endsAt": due.until.isoformat(),
        "generatorURL": f"{address}/nights/{digest.run}/report",
    }
