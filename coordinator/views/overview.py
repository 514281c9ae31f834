"""The night at a glance: status, grid, and why nothing happens if nothing does, all of one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from common.protocol.runs import RunState
from common.protocol.status import StatusDocument
from coordinator.policy.admission import wait_of
from coordinator.queue.breakers import read_parked
from coordinator.queue.candidates import Candidates
from coordinator.queue.snapshot import Snapshot
from coordinator.store.database import Transaction
from coordinator.store.rows import newest_run
from coordinator.views.book import Book
from coordinator.views.excerpt import EVERYTHING, Excerpt
from coordinator.views.forecast import candidate_of
from coordinator.views.grid import Grid, read_grid
from coordinator.views.jobs import closed_words, seat_words, seatless_words
from coordinator.views.ledger import Ledger
from coordinator.views.status import Status

READY = "it waits for a free trainer"
"""Begins the words of a job that nothing keeps from a trainer but that it has not asked yet."""
NAMED = 3
"""So many different reasons are named."""
MOMENT = timedelta(seconds=10)
"""A job that became ready a moment ago is no riddle."""


@dataclass(frozen=True)
class NightNow:
    """The newest night as it is now; `standstill` says in sentences why nothing happens, if nothing does."""

    status: StatusDocument
    grid: Grid | None
    standstill: tuple[str, ...]


class Overview:
    """Reads the night at a glance.

    Parameters
    ----------
    ledger : Ledger
        Where the run is kept.
    status : Status
        What else is known of the night.
    """

    def __init__(self, ledger: Ledger, status: Status) -> None:
        self.ledger = ledger
        self.status = status

    def read(self, excerpt: Excerpt = EVERYTHING, states: Sequence[str] = ()) -> NightNow:
        """Return the night as it is now, with what is shown of its grid (`read_grid`)."""
        with self.ledger.read() as (tx, book):
            document, snapshot = self.status.look(tx, book)
            run = newest_run(tx)
            grid = None if run is None else read_grid(tx, run, excerpt, states)
            return NightNow(document, grid, standstill_of(tx, document, snapshot, book))


def standstill_of(
    tx: Transaction, document: StatusDocument, scene: Snapshot, book: Book | None
) -> tuple[str, ...]:
    """Return why nothing happens in an unfinished run, the commonest reason first; none if something does."""
    run = document.run
    if run is None or book is None or run.state is not RunState.RUNNING or scene.leases or not book.queued:
        return ()
    if scene.now - run.created < MOMENT and not scene.held_back and document.night.open:
        return ("The night has just begun: trainers are about to ask for work.",)
    reasons = _reasons(tx, scene, book)
    if set(reasons) == {READY}:
        names = ", ".join(trainer.name for trainer in scene.live)
        return (f"Jobs are ready, and trainer {names} has not asked for one yet.",)
    sentences = [
        f"{count} job{'s' if count > 1 else ''}: {words}."
        for words, count in reasons.most_common(NAMED)
        if words != READY
    ]
    left = sum(reasons.values()) - sum(count for _, count in reasons.most_common(NAMED))
    return (*sentences, f"{left} more wait for other reasons.") if left else tuple(sentences)


def _reasons(tx: Transaction, scene: Snapshot, book: Book) -> Counter[str]:
    """Count the queued jobs by what they wait for, one by one only where each has a reason of its own."""
    if closed := closed_words(scene):
        return Counter({closed: sum(alike.total() for alike in book.queued.values())})
    reasons: Counter[str] = Counter()
    if seatless := seatless_words(scene):
        breakers = read_parked(tx.connection, book.run_id)
        for alike in book.queued.values():
            for one, count in alike.items():
                candidate = candidate_of(one, scene.history, breakers.get(one.symbol), scene.now)
                obstacle = wait_of(candidate, scene.now)
                reasons[obstacle.words if obstacle else seatless] += count
        return reasons
    for candidates in Candidates(tx.connection, book.run_id, scene.now, scene.history).pieces():
        for candidate in candidates:
            obstacle = wait_of(candidate, scene.now)
            words = obstacle.words if obstacle else seat_words(candidate, scene, 1)
            reasons[READY if words.startswith(READY) else words] += 1
    return reasons
