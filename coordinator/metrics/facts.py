"""The facts of the night that metrics report, as one transaction has read them.

They come from the database at each scrape and from nowhere else, so that a restart changes none of them.
The current run is counted in its book, which keeps what has not changed; earlier ones change no more.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Select, bindparam, exists, func, select

from common.protocol.job_views import Outcome
from common.protocol.jobs import JobKind
from common.protocol.runs import RunState, RunView
from common.protocol.status import EtaView
from common.settings.night import NightSettings
from coordinator.metrics.earlier_runs import EarlierRuns
from coordinator.policy.admission import Host
from coordinator.policy.attendance import Presence, attendance
from coordinator.policy.breaker import Gate
from coordinator.queue.breakers import read_parked
from coordinator.queue.history import History
from coordinator.store.database import Transaction
from coordinator.store.prepared import Prepared
from coordinator.store.rows import AttemptRow, RunRow, TrainerRow, all_of, newest_run
from coordinator.store.seats import PRESENT
from coordinator.store.tables import attempts, leadership, lives, trainers
from coordinator.views.book import Book, JobFact
from coordinator.views.forecast import Forecast, Prospect
from coordinator.views.runs import saved_of, view_of
from coordinator.views.trainers import KnownTrainer, known_trainers, last_attempts

CRASH_WINDOW = timedelta(minutes=15)
"""For how long a crash is counted."""

REMEMBERED = timedelta(hours=1)
"""For how long a coordinator that fell silent is missed."""

BRIEF = timedelta(seconds=30)
"""A process that was there for less, and had no job, is held to have crashed."""

_LAST_CLAIM = Prepared(select(attempts.c.started).order_by(attempts.c.id.desc()).limit(1))
_TERM = Prepared(select(leadership.c.term))

_PRESENT_NAMES = select(trainers.c.name).where(trainers.c.superseded.is_(None))
_STARTS = Prepared(
    select(trainers.c.name, func.count()).where(trainers.c.name.in_(_PRESENT_NAMES)).group_by(trainers.c.name)
)
_REPLACED = Prepared(
    all_of(trainers).where(trainers.c.name.in_(_PRESENT_NAMES), trainers.c.superseded > bindparam("since"))
)


def _own_crashes_query() -> Select[Any]:
    # One of several that has not stopped is presumed to be alive for a while, unless its seat has another.
    later = lives.alias()
    followed = exists().where(
        later.c.store == lives.c.store, later.c.instance == lives.c.instance, later.c.id > lives.c.id
    )
    return select(func.count()).where(
        lives.c.stopped.is_(None),
        lives.c.seen > bindparam("since"),
        followed | ((lives.c.store != "") & (lives.c.seen < bindparam("silent_since"))),
    )


def _coordinators_query() -> Select[Any]:
    # Who is started again was there before, and takes nobody's place.
    each = (
        select(func.max(lives.c.id).label("id"), func.min(lives.c.began).label("began"))
        .where(lives.c.seen > bindparam("since"))
        .group_by(lives.c.store, lives.c.instance)
        .subquery()
    )
    return (
        select(each.c.began, lives.c.seen)
        .join_from(each, lives, lives.c.id == each.c.id)
        .where(lives.c.stopped.is_(None))
    )


_OWN_CRASHES = Prepared(_own_crashes_query())
_COORDINATORS = Prepared(_coordinators_query())


@dataclass(frozen=True)
class RunFacts:
    """The current run: the unfinished one, or else the last.

    `running` are the attempts at its cells that go on; `saved` is when each of its jobs that is not over was
    last saved. `gates` are those of the symbols whose breaker is not closed. `earlier_aucs` are the mean AUCs
    of runs before it that can be compared with it. `shed` counts the cells that are left for the next night.
    """

    row: RunRow
    view: RunView
    eta: EtaView
    book: Book
    running: tuple[AttemptRow, ...]
    saved: dict[int, datetime]
    gates: dict[str, Gate]
    earlier_aucs: tuple[float, ...]
    shed: int


@dataclass(frozen=True)
class Facts:
    """All facts at one moment.

    `starts` counts the processes of each trainer by its name, `crashes` those that ended uncleanly within
    `CRASH_WINDOW`; `own_crashes` counts those of the coordinator. `coordinators` counts those that are there
    and those that are lost, `leaders` how often one has taken the lead.
    """

    now: datetime
    settings: NightSettings
    history: History
    run: RunFacts | None
    trainers: tuple[KnownTrainer, ...]
    hosts: tuple[Host, ...]
    starts: dict[str, int]
    crashes: Counter[str]
    own_crashes: int
    coordinators: dict[str, int]
    leaders: int
    last_claim: datetime | None
    progress_written: datetime | None


def read_facts(
    tx: Transaction,
    book: Book | None,
    settings: NightSettings,
    forecast: Forecast,
    earlier: EarlierRuns,
    progress_file: Path,
) -> Facts:
    """Read the facts as they are in a transaction.

    Parameters
    ----------
    tx : Transaction
        Where they are read.
    book : Book or None
        The current run as it is there.
    settings : NightSettings
        The length of a lease, and the window.
    forecast : Forecast
        Estimates the end of the run.
    earlier : EarlierRuns
        What its models are measured by.
    progress_file : Path
        The night's checkpoint file, of which the time of writing is a fact too.
    """
    run = newest_run(tx)
    unfinished = book if run is not None and run.state is RunState.RUNNING else None
    prospect = forecast.prospect(tx.connection, tx.now, unfinished)
    snapshot = prospect.scene
    return Facts(
        now=tx.now,
        settings=settings,
        history=snapshot.history,
        run=None if run is None or book is None else _run(tx, run, book, forecast, earlier, prospect),
        trainers=tuple(known_trainers(tx, snapshot)),
        hosts=tuple(snapshot.hosts.values()),
        starts=_starts(tx),
        crashes=_crashes(tx),
        own_crashes=_own_crashes(tx),
        coordinators=_coordinators(tx),
        leaders=int(_TERM.on(tx.connection).scalar() or 0),
        last_claim=_LAST_CLAIM.on(tx.connection).scalar(),
        progress_written=_written(progress_file),
    )


def cell_labels(job: JobFact) -> dict[str, str]:
    """Return the labels of what is measured of a training job."""
    return {"symbol": job.symbol, "timeframe": str(job.timeframe), "horizon": str(job.horizon)}


def _run(
    tx: Transaction,
    run: RunRow,
    book: Book,
    forecast: Forecast,
    earlier: EarlierRuns,
    prospect: Prospect,
) -> RunFacts:
    view = view_of(tx, run, book)
    leases = [lease for lease in prospect.scene.leases if lease.job_id in book]
    breakers = read_parked(tx.connection, run.id)
    return RunFacts(
        row=run,
        view=view,
        eta=forecast.eta_of(tx, prospect, book, view),
        book=book,
        running=tuple(one for one in leases if book.job(one.job_id).kind is JobKind.TRAINING),
        saved={job_id: saved for job_id, (_, saved) in saved_of(tx, book).items()},
        gates={symbol: breaker.gate(tx.now) for symbol, breaker in breakers.items()},
        earlier_aucs=earlier.mean_aucs(tx, run),
        shed=len(prospect.shed),
    )


def _starts(tx: Transaction) -> dict[str, int]:
    return {name: int(count) for name, count in _STARTS.on(tx.connection)}


def _crashes(tx: Transaction) -> Counter[str]:
    """Count by name the processes that another has replaced lately and that had not stopped cleanly.

    One that was asked to stop has given its job back. Of one that never had a job nothing is known but how
    long it was there: an operator lets it come up before stopping it again.
    """
    replaced = _REPLACED.on(tx.connection, {"since": tx.now - CRASH_WINDOW})
    rows = [TrainerRow.of(row) for row in replaced]
    last = last_attempts(tx, [row.boot_id for row in rows])
    return Counter(row.name for row in rows if _has_crashed(row, last.get(row.boot_id)))


def _has_crashed(trainer: TrainerRow, last: AttemptRow | None) -> bool:
    if last is None:
        return trainer.last_seen - trainer.registered < BRIEF
    return last.outcome is Outcome.EXPIRED


def _own_crashes(tx: Transaction) -> int:
    values = {"since": tx.now - CRASH_WINDOW, "silent_since": tx.now - PRESENT}
    return int(_OWN_CRASHES.on(tx.connection, values).scalar_one())


def _coordinators(tx: Transaction) -> dict[str, int]:
    found = _COORDINATORS.on(tx.connection, {"since": tx.now - REMEMBERED})
    return attendance([Presence(row.began, row.seen) for row in found], tx.now - PRESENT)


def _written(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None
