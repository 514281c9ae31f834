"""The queue read a few jobs at a time, against the whole of it sorted: the choice is always the same."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from math import inf
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update

from common.protocol.jobs import JobKind, JobState
from common.protocol.trainers import LimitKind
from common.settings.sections import Window
from coordinator.policy.admission import (
    Candidate,
    Choice,
    Host,
    Refusal,
    Seat,
    Terms,
    choose,
    first_fit,
    obstacle_of,
    ranked,
    wait_of,
)
from coordinator.policy.disk import RESERVE_BYTES, Disk
from coordinator.queue import history as known
from coordinator.queue.candidates import Candidates
from coordinator.queue.history import SURVEY, History, Measurement
from coordinator.queue.line import PAGE, Line
from coordinator.store.database import Transaction
from coordinator.store.tables import jobs, symbols
from tests.coordinator.specimens import GIB, NOON, MakeNight, Night
from tests.coordinator.steps import steps_of

MAX_WAIT = 900.5
"""Not whole, as no time of a real clock is."""


def shuffled(night: Night, random: Random) -> int:
    """Begin a run whose queue is in a random state, with many ties, and return it."""
    run = night.begin(
        symbols=tuple(f"S{number:02d}USDT" for number in range(random.choice([2, 5, 30]))),
        timeframes=("15m", "1h", "1d"),
        horizons=(1, 3),
    )
    volumes = random.choice([[0.0], [1.0, 2.0], [float(n) for n in range(40)]])
    sizes = random.choice([[1000], [1000, 2000, 2001], list(range(500, 600))])
    moments = random.choice([[0.0], [10.0, 1000.0], [10.0, MAX_WAIT], [float(n * 40) for n in range(50)]])
    rare = random.choice([0.0, 0.05, 0.5])
    with night.database.write() as tx:
        for name in tx.connection.execute(select(symbols.c.symbol)).scalars().all():
            parked = random.choice([-50.0, 50.0]) if random.random() < rare else None
            volume, surveyed = random.choice(volumes), random.random() < random.choice([0.0, 0.6, 1.0])
            _change_symbol(tx, name, volume, parked)
            rows = {timeframe: random.choice(sizes) for timeframe in ("15m", "1h", "1d")}
            since = _ago(random.choice(moments))
            for job in tx.connection.execute(select(jobs).where(jobs.c.symbol == name)).all():
                changes: dict[str, Any] = {"volume": volume}
                if job.kind == JobKind.TRAINING and surveyed:
                    changes |= {"rows": rows[job.timeframe], "waiting_since": since}
                elif job.kind == JobKind.TRAINING and random.random() < rare:
                    changes |= {"rows": random.choice(sizes)}
                if random.random() < rare:
                    changes["not_before"] = _ago(random.choice([-30.0, 30.0]))
                if random.random() < rare:
                    changes["wanted_next"] = _ago(random.choice([5.0, 6.0]))
                if random.random() < rare:
                    changes["oom_room_bytes"] = random.choice([GIB, 2 * GIB, 4 * GIB])
                if random.random() < rare or (job.kind == JobKind.SURVEY and surveyed):
                    changes |= {"state": JobState.CANCELLED, "finished": NOON, "started": NOON}
                tx.connection.execute(update(jobs).where(jobs.c.id == job.id).values(**changes))
    return run


def _change_symbol(tx: Transaction, name: str, volume: float, parked: float | None) -> None:
    until = None if parked is None else NOON + timedelta(seconds=parked)
    changed = update(symbols).where(symbols.c.symbol == name)
    tx.connection.execute(changed.values(quote_volume=volume, parked_until=until))


def _ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def history(random: Random) -> History:
    """Nothing, some timeframes, or a line that gives every size the same duration."""
    flat = [Measurement("1d", 1000, 30.0, GIB), Measurement("1d", 2000, 10.0, GIB)]
    some = [Measurement("1h", 1000, 20.0, GIB), Measurement("15m", 1500, 21.0, 3 * GIB)]
    return History(tuple(random.choice([[], flat, some, [Measurement(SURVEY, 0, 2.0, GIB)]])))


# Each takes a second on PostgreSQL, which is asked by the same statements.
@pytest.mark.parametrize(
    ("empty_url", "seed"),
    [("sqlite", seed) for seed in range(40)] + [("postgresql", seed) for seed in range(4)],
    indirect=["empty_url"],
)
def test_the_line_is_the_whole_queue_sorted(make_night: MakeNight, seed: int) -> None:
    random = Random(seed)
    night = make_night()
    run = shuffled(night, random)
    with night.database.read() as tx:
        candidates = Candidates(tx.connection, run, NOON, history(random))
        queue = candidates.all()
        for last in ("", "S01USDT", "S07USDT"):
            line = Line(candidates, last, terms())
            able = [one for one in ranked(queue, last, terms()) if wait_of(one, NOON) is None]
            read = list(line)
            assert read[: len(able)] == able
            for at in seats(last):
                assert first_fit(read, at, terms()) == whole(queue, at, terms())


def seats(last: str) -> list[Seat]:
    hosts = [Host("a", 16 * GIB, 12 * GIB, agent=True), Host("a", 16 * GIB, 12 * GIB, leases=1, agent=True)]
    disks = [Disk(), Disk(free_bytes=RESERVE_BYTES + 150_000)]
    return [
        Seat(kind, limit, last, host, disk)
        for kind in (LimitKind.AGENT, LimitKind.CGROUP)
        for limit in (GIB // 2, 3 * GIB)
        for host in hosts
        for disk in disks
    ]


def terms() -> Terms:
    return Terms(NOON, MAX_WAIT, 0.85, (4 * GIB,), {}, 8 * GIB)


def whole(queue: tuple[Candidate, ...], seat: Seat, by: Terms) -> Choice | Refusal:
    """Sort the whole queue, and take the first that fits or the most useful reason."""
    return choose(queue, seat, by)


def test_the_specimens_reach_every_reason_and_a_choice(make_night: MakeNight) -> None:
    reached = set()
    for seed in range(6):
        random = Random(seed)
        night = make_night()
        with night.database.write() as tx:
            tx.connection.execute(update(jobs).values(state=JobState.CANCELLED, finished=NOON))
            tx.connection.exec_driver_sql("UPDATE runs SET state = 'cancelled', finished = created")
        run = shuffled(night, random)
        with night.database.read() as tx:
            queue = Candidates(tx.connection, run, NOON, history(random)).all()
        for seat in seats(""):
            answer = choose(queue, seat, terms())
            reached.add(answer.reason if isinstance(answer, Refusal) else "choice")
            reached |= {one.reason for job in queue if (one := obstacle_of(job, seat, terms()))}
    assert reached >= {"choice", "waiting", "symbol_parked", "too_large", "storage"}


@pytest.mark.parametrize("window", [None, Window(start=time(11), end=time(10, 59))])
def test_a_long_queue_is_not_read_to_hand_out_one_job(make_night: MakeNight, window: Window | None) -> None:
    night = make_night(window=window)
    night.begin(
        symbols=tuple(f"S{number:03d}USDT" for number in range(200)), timeframes=("1h",), horizons=(1, 3, 5)
    )
    boot = night.register()
    night.survey_all(boot)
    seen = _rows_of(night, boot)
    assert seen <= 6 * PAGE, seen


def test_a_claim_takes_sqlite_as_long_however_long_the_queue(
    make_night: MakeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise all measurements are read whenever the clock of the machine says so.
    monkeypatch.setattr(known, "WHOLE_SECONDS", inf)
    monkeypatch.setattr(known, "SETTLED_SECONDS", 0.0)
    night = make_night()
    if not night.database.is_sqlite:
        pytest.skip("PostgreSQL counts no steps")
    steps = []
    for count in (30, 300):
        names = tuple(f"S{number:03d}USDT" for number in range(count))
        run = night.begin(symbols=names, timeframes=("1h",), horizons=(1, 3, 5))
        boot = night.register()
        night.survey_all(boot)
        # A host with another lease is asked for what ran out of memory too.
        night.grant(night.register(f"t{count}"))
        steps.append(steps_of(night.database, lambda boot=boot: night.grant(boot, last_symbol="S001USDT")))
        night.cancel(run)
    assert steps[1] < 3 * steps[0], steps


def _rows_of(night: Night, boot: str) -> int:
    made = []
    original = Candidates.of

    def counted(self: Candidates, rows: Any) -> list[Candidate]:
        found = original(self, rows)
        made.extend(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Candidates, "of", counted)
        night.grant(boot, last_symbol="S001USDT")
    return len(made)
