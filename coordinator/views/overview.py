"""The night at a glance: status, grid, and why nothing happens if nothing does, all of one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from common.protocol.runs import RunState
from common.protocol.status import StatusDocument
from coordinator.queue.snapshot import Snapshot, read_snapshot
from coordinator.store.database import Transaction
from coordinator.store.rows import newest_run
from coordinator.views.grid import Grid, read_grid
from coordinator.views.jobs import waits_of
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

    def read(self) -> NightNow:
        """Return the night as it is now."""
        with self.ledger.read() as (tx, book):
            document, snapshot = self.status.look(tx, book)
            return NightNow(document, _grid(tx), self._standstill(tx, document, snapshot))

    def _standstill(self, tx: Transaction, document: StatusDocument, scene: Snapshot) -> tuple[str, ...]:
        run = document.run
        if run is None or run.state is not RunState.RUNNING or scene.leases:
            return ()
        return standstill_of(document, read_snapshot(tx.connection, run.id, tx.now, self.status.settings))


def _grid(tx: Transaction) -> Grid | None:
    run = newest_run(tx)
    return None if run is None else read_grid(tx, run)


def standstill_of(document: StatusDocument, snapshot: Snapshot) -> tuple[str, ...]:
    """Return why nothing happens in an unfinished run, the commonest reason first; none if something does."""
    run = document.run
    if run is None or run.state is not RunState.RUNNING or snapshot.leases or not snapshot.candidates:
        return ()
    if snapshot.now - run.created < MOMENT and not snapshot.held_back and document.night.open:
        return ("The night has just begun: trainers are about to ask for work.",)
    reasons: Counter[str] = Counter()
    for words in waits_of(snapshot).values():
        reasons[READY if words.startswith(READY) else words] += 1
    if set(reasons) == {READY}:
        names = ", ".join(trainer.name for trainer in snapshot.live)
        return (f"Jobs are ready, and trainer {names} has not asked for one yet.",)
    sentences = [
        f"{count} job{'s' if count > 1 else ''}: {words}."
        for words, count in reasons.most_common(NAMED)
        if words != READY
    ]
    left = sum(reasons.values()) - sum(count for _, count in reasons.most_common(NAMED))
    return (*sentences, f"{left} more wait for other reasons.") if left else tuple(sentences)
