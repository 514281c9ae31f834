"""When the run will end: one estimate for the status, the metrics and the progress file."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

from sqlalchemy import Connection

from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunState, RunView
from common.protocol.status import EtaView
from common.settings.night import NightSettings
from coordinator.policy.admission import Candidate, order
from coordinator.policy.breaker import Breaker, Gate
from coordinator.policy.eta import NOTHING, UNKNOWN, Bulk, estimate, most_played
from coordinator.policy.window import night_at
from coordinator.queue.breakers import read_parked
from coordinator.queue.history import SURVEY, History
from coordinator.queue.shedding import is_certain, scarce_seconds
from coordinator.queue.snapshot import Snapshot, busy_seconds, read_scene, read_snapshot
from coordinator.store.database import Transaction
from coordinator.store.rows import running_run
from coordinator.views.book import Alike, Book
from coordinator.views.ledger import Ledger
from coordinator.views.runs import view_of

KEPT_SECONDS = 5.0
"""How long an estimate is kept before it is made again, unless jobs or trainers change."""


@dataclass(frozen=True)
class Prospect:
    """What is known of the rest of a run.

    `scene` are the trainers and the history, `breakers` those that are not closed, by symbol, `parked` the
    symbols of which some job waits until they no longer are. `candidates` are the queued jobs one by one
    where some of them are left for the next night, else None: the book has their counts.
    """

    scene: Snapshot
    breakers: dict[str, Breaker]
    parked: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] | None = None

    @property
    def shed(self) -> tuple[int, ...]:
        """The jobs that are left for the next night."""
        return tuple(one.job_id for one in self.candidates or () if one.shed)


class Forecast:
    """Estimates the end of the run, and keeps the last estimate for a few seconds.

    Parameters
    ----------
    ledger : Ledger
        Where the run is kept.
    settings : NightSettings
        What decides the order of the jobs.
    """

    def __init__(self, ledger: Ledger, settings: NightSettings) -> None:
        self.ledger = ledger
        self.settings = settings
        self._kept: tuple[Any, datetime, EtaView] | None = None
        self._estimating = threading.Lock()

    def eta(self) -> EtaView:
        """Return when the unfinished run will end."""
        with self.ledger.read() as (tx, book):
            run = running_run(tx)
            if run is None or book is None:
                return UNKNOWN
            return self.eta_of(tx, self.prospect(tx.connection, tx.now, book), book, view_of(tx, run, book))

    def prospect(self, connection: Connection, now: datetime, book: Book | None) -> Prospect:
        """Return what is known of the rest of a run as it is in this transaction; None: there is no rest."""
        if book is None:
            return Prospect(read_scene(connection, None, now, self.settings), {})
        scene = read_scene(connection, book.run_id, now, self.settings)
        breakers = read_parked(connection, book.run_id)
        parked = [one for one in sorted(breakers) if breakers[one].gate(now) is Gate.PARKED]
        return Prospect(
            scene=scene,
            breakers=breakers,
            parked=tuple(one for one in parked if one in book.queued),
            candidates=self._one_by_one(connection, book, scene),
        )

    def _one_by_one(
        self, connection: Connection, book: Book, scene: Snapshot
    ) -> tuple[Candidate, ...] | None:
        closes = night_at(self.settings.window, scene.now).closes
        if closes is None:
            return None
        queued = (
            (is_certain(one.kind, one.wanted_next), _seconds(one, scene.history), count)
            for alike in book.queued.values()
            for one, count in alike.items()
        )
        busy = busy_seconds(connection, scene)
        if scarce_seconds(queued, busy, scene.workers, closes, scene.now) is None:
            return None
        # Which of them are left for the next night depends on each.
        return read_snapshot(connection, book.run_id, scene.now, self.settings).candidates

    def eta_of(self, tx: Transaction, prospect: Prospect, book: Book, run: RunView) -> EtaView:
        """Return when a run will end whose rest was read in this transaction."""
        if run.state is not RunState.RUNNING:
            return UNKNOWN
        if run.paused is not None:
            return EtaView(p50=None, p90=None, paused=True)
        key = (run.id, run.surveys, run.training, prospect.scene.workers)
        with self._estimating:
            if self._kept is not None:
                known, made, eta = self._kept
                if known == key and tx.now - made < timedelta(seconds=KEPT_SECONDS):
                    return eta
            eta = _estimate(prospect, book)
            self._kept = (key, tx.now, eta)
            return eta


def _estimate(prospect: Prospect, book: Book) -> EtaView:
    scene = prospect.scene
    history, now = scene.history, scene.now
    running = []
    for lease in scene.leases:
        if lease.job_id in book:
            job = book.job(lease.job_id)
            expected = history.seconds(job.timeframe or SURVEY, job.rows)
            running.append((expected, (now - lease.started).total_seconds()))
    if prospect.candidates is not None:
        before, last = NOTHING, [(one, 1) for one in prospect.candidates]
    else:
        parted = _parted(prospect, book)
        if parted is None:
            return UNKNOWN
        before, last = parted
    terms = scene.terms
    in_order = sorted(last, key=lambda one: order(one[0], "", terms))
    queued = [
        (one.seconds, delay) for one, count in in_order for delay in repeat(one.delay_seconds(now), count)
    ]
    seed = len(running) + book.states[JobKind.TRAINING, JobState.QUEUED]
    return estimate(running, queued, history.residuals(), scene.workers, now, seed, before)


def _parted(prospect: Prospect, book: Book) -> tuple[Bulk, list[tuple[Candidate, int]]] | None:
    """Return the jobs of which only the sum counts, and the others; None where some duration is unknown.

    The others, one for all of its like with how many these are, come last or may not begin yet. The last
    jobs are those of the symbols that come last; other jobs of a symbol hardly ever come elsewhere.
    """
    scene = prospect.scene
    terms, history, breakers = scene.terms, scene.history, prospect.breakers

    def candidate(one: Alike) -> Candidate:
        return candidate_of(one, history, breakers.get(one.symbol), scene.now)

    firsts = [candidate(next(iter(alike))) for alike in book.queued.values()]
    left = most_played(scene.workers)
    played: set[str] = set()
    for first in sorted(firsts, key=lambda one: order(one, "", terms), reverse=True):
        if left <= 0:
            break
        played.add(first.symbol)
        left -= book.queued[first.symbol].total()
    seconds = squares = 0.0
    last = []
    for symbol, alike in book.queued.items():
        by_one = symbol in played or symbol in breakers
        for one, count in alike.items():
            expected = _seconds(one, history)
            if expected is None:
                return None
            if by_one or one.not_before is not None:
                last.append((candidate(one), count))
            else:
                seconds += count * expected
                squares += count * expected * expected
    return Bulk(seconds, squares), last


def _seconds(alike: Alike, history: History) -> float | None:
    return history.seconds(alike.timeframe or SURVEY, alike.rows)


def candidate_of(alike: Alike, history: History, breaker: Breaker | None, now: datetime) -> Candidate:
    """Return what stands for queued jobs that are alike, without what only a seat asks for.

    Room in memory and on a disk makes no difference to an end, nor to what keeps a job from every seat.
    """
    return Candidate(
        job_id=0,
        kind=alike.kind,
        symbol=alike.symbol,
        ordinal=0,
        volume=alike.volume,
        waiting_since=alike.waiting_since,
        not_before=alike.not_before,
        oom_room_bytes=None,
        seconds=_seconds(alike, history),
        peak_bytes=None,
        rows=alike.rows or 0,
        gate=breaker.gate(now) if breaker else Gate.CLOSED,
        symbol_busy=False,
        parked_until=breaker.parked_until if breaker else None,
        wanted_next=alike.wanted_next,
    )
