"""Two coordinators over one PostgreSQL database: pairs of 200 clients, and how soon another leads.

Server, coordinators and clients are on this machine. The server syncs each commit to the disk, as one does
that is to lose nothing. Clients try again what was not answered, as trainers do. What was answered is
compared with the database afterwards: no job may be leased twice, and none may be lost.
`python -m tests.bench.several` measures this alone.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, TypeVar

import psutil
from sqlalchemy import select

from common.client.connection import Backoff, retry
from common.client.trainers import TrainerClient
from common.errors import StaleLeaseError
from common.protocol.jobs import JobState
from common.protocol.trainers import Grant, LimitKind
from coordinator.store.database import Database
from coordinator.store.tables import attempts, jobs, leadership
from tests.bench.coordinator import fill, result_of
from tests.coordinator.process import Process
from tests.coordinator.specimens import claim, hello, spec_of
from tests.postgres import Server, execute, of_database, programs

CELLS = 3_600
CLIENTS = 200
SECONDS = 15.0
TAKEOVERS = 10
NAMES = ("a", "b")
Said = TypeVar("Said")
POLL_SECONDS = 0.01
CONFIG = "database_url: {url}\nlease: {{seconds: 120}}\n"


class WrongError(Exception):
    """A job was leased twice, or lost."""


@contextmanager
def served() -> Iterator[tuple[str, int]]:
    """Start a server that keeps what it commits; yield its database's address and its process id."""
    folder = programs()
    assert folder is not None
    server = Server(folder, keeps=True)
    try:
        execute(server.url, "CREATE DATABASE bench")
        url = of_database(server.url, "bench")
        database = Database(url)
        database.upgrade()
        database.close()
        yield url, int((server.data / "postmaster.pid").read_text().split()[0])
    finally:
        server.close()


def computed(pid: int) -> float:
    """Return the processor time of a process and its children, those that have ended too, in seconds."""
    process = psutil.Process(pid)
    own = process.cpu_times()
    each = [own, *(child.cpu_times() for child in process.children())]
    return own.children_user + own.children_system + sum(times.user + times.system for times in each)


def started(folder: Path, url: str, name: str) -> Process:
    """Start a coordinator, and have what it prints read: a pipe that nobody reads would be full soon."""
    config = folder / "night.yaml"
    config.write_text(CONFIG.format(url=url))
    process = Process(folder / "out", config=config, instance=name)
    for pipe in process.process.stdout, process.process.stderr:
        assert pipe is not None
        threading.Thread(target=pipe.read, daemon=True).start()
    return process


def measure_pairs(coordinators: int, cells: int = CELLS, clients: int = CLIENTS) -> dict[str, Any]:
    """Return how many pairs of a result and the next claim a second are answered, by so many coordinators."""
    with served() as (url, server), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(url)
        fill(database, cells)
        processes = [started(folder, url, one) for one in NAMES[:coordinators]]
        try:
            urls = [process.ready().url for process in processes]
            own = [process.process.pid for process in processes]
            pool = multiprocessing.get_context("spawn").Pool(1)
            token = folder / "out" / "trainer_token"
            worked = pool.apply(work, (urls, token, clients, SECONDS, own, server))
        finally:
            for process in processes:
                process.kill()
        compare(database, cells, worked)
        database.close()
    ordered = sorted(worked.took)
    return {
        "pairs_per_second": len(ordered) / worked.seconds,
        "pair_ms_p50": median(ordered) * 1e3,
        "pair_ms_p95": ordered[int(len(ordered) * 0.95)] * 1e3,
        "pairs": len(ordered),
        "coordinator_cpu_ms": worked.computed[0] / len(ordered) * 1e3,
        "database_cpu_ms": worked.computed[1] / len(ordered) * 1e3,
        "answers_lost": len(worked.unsure),
    }


@dataclass
class Worked:
    """What clients did.

    Attributes
    ----------
    took : list of float
        How long each answer to a result took, in seconds.
    seconds : float
        From the first result to the last.
    done, unsure, held : list of int
        The jobs whose result was taken, those of whom only the database knows, since the answer was lost, and
        those that were leased at the end.
    computed : tuple
        Processor time that coordinators and database took meanwhile, in seconds.
    """

    took: list[float] = field(default_factory=list)
    seconds: float = 0.0
    done: list[int] = field(default_factory=list)
    unsure: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    computed: tuple[float, float] = (0.0, 0.0)


def work(
    urls: Sequence[str], token: Path, clients: int, seconds: float, coordinators: Sequence[int], server: int
) -> Worked:
    """Be so many trainers for a while, each at one of the coordinators.

    `coordinators` and `server` are the ids of the processes whose time is taken.
    """
    worked = Worked()
    before: list[tuple[float, float]] = []

    def clocks() -> tuple[float, float]:
        return sum(map(computed, coordinators)), computed(server)

    faults: list[BaseException] = []
    together = threading.Barrier(clients, action=lambda: before.append(clocks()))
    begin: list[float] = []

    def be_trainer(number: int) -> None:
        trainer = hello(f"t{number}", f"t{number}-boot", host=f"host-{number}", kind=LimitKind.CGROUP)
        with TrainerClient(urls[number % len(urls)], token) as client:
            insist(lambda: client.register(trainer))
            grant = insist(lambda: client.claim(claim(trainer.boot_id)))
            together.wait()
            begin.append(time.monotonic())
            while isinstance(grant, Grant) and time.monotonic() < begin[0] + seconds:
                asked = claim(trainer.boot_id, spec_of(grant).cell.symbol)
                report = result_of(grant)[0].model_copy(update={"next_claim": asked})
                began = time.perf_counter()
                try:
                    following = insist(partial(client.finish, grant.lease_id, report))
                except StaleLeaseError:
                    worked.unsure.append(grant.job_id)
                    grant = insist(partial(client.claim, asked))
                    continue
                worked.took.append(time.perf_counter() - began)
                worked.done.append(grant.job_id)
                grant = following
            if isinstance(grant, Grant):
                worked.held.append(grant.job_id)

    def guarded(number: int) -> None:
        try:
            be_trainer(number)
        except BaseException as error:
            faults.append(error)
            together.abort()

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    worked.seconds = time.monotonic() - begin[0]
    (own, database), (own_before, database_before) = clocks(), before[0]
    worked.computed = own - own_before, database - database_before
    return worked


def insist(call: Callable[[], Said]) -> Said:
    """Say something until it is answered, as a trainer does."""
    answer = retry(call, wait, Backoff(), lambda _: None)
    assert answer is not None
    return answer


def wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def compare(database: Database, cells: int, worked: Worked) -> None:
    """Compare what was answered with the database.

    Raises
    ------
    WrongError
        A job was handed out or taken twice, or is not where it was said to be.
    """
    with database.read() as tx:
        states = {
            row.id: row.state
            for row in tx.connection.execute(select(jobs.c.id, jobs.c.state).where(jobs.c.kind == "training"))
        }
        tried = Counter(tx.connection.execute(select(attempts.c.job_id)).scalars())
    done, held = set(worked.done), set(worked.held)
    told = Counter([*worked.done, *worked.unsure, *worked.held])
    twice = [job for job, times in told.items() if times > 1]
    twice += [job for job, times in tried.items() if times > 1]
    if twice:
        raise WrongError(f"handed out twice: {sorted(set(twice))}")
    at = {state: {job for job, found in states.items() if found == state} for state in JobState}
    if at[JobState.SUCCEEDED] != done | set(worked.unsure) or at[JobState.LEASED] != held:
        raise WrongError("the database knows other results or leases than were answered")
    if len(states) != cells or len(at[JobState.QUEUED]) != cells - len(told):
        raise WrongError(f"{len(states)} jobs of {cells} are left, {len(at[JobState.QUEUED])} of them queued")


def measure_takeovers(times: int = TAKEOVERS) -> list[float]:
    """Kill the leader so often, and return after how many seconds the other led."""
    took: list[float] = []
    random = Random(1)
    with served() as (url, _), tempfile.TemporaryDirectory() as name:
        folder, database = Path(name), Database(url)
        processes = {one: started(folder, url, one) for one in NAMES}
        try:
            for process in processes.values():
                process.ready()
            for _ in range(times):
                # At any moment between two renewals.
                time.sleep(random.uniform(0, 1.0))
                leader, term = _leader(database)
                processes[leader].process.send_signal(signal.SIGKILL)
                began = time.perf_counter()
                while _leader(database)[1] == term:
                    time.sleep(POLL_SECONDS)
                took.append(time.perf_counter() - began)
                processes[leader].kill()
                processes[leader] = started(folder, url, leader)
                processes[leader].ready()
        finally:
            for process in processes.values():
                process.kill()
            database.close()
    return took


def _leader(database: Database) -> tuple[str, int]:
    with database.read() as tx:
        row = tx.connection.execute(select(leadership.c.instance, leadership.c.term)).one()
    return row.instance, row.term


def measured(rounds: int) -> dict[str, Any]:
    """Return all figures; empty where no PostgreSQL server is installed."""
    if programs() is None:
        return {}
    pairs = {
        str(coordinators): [measure_pairs(coordinators) for _ in range(rounds)] for coordinators in (1, 2)
    }
    return {"clients": CLIENTS, "pairs": pairs, "takeover_seconds": measure_takeovers()}


def rows(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the lines of the table."""
    if not found:
        yield "several coordinators", "not measured", "no PostgreSQL server is installed"
        return
    for coordinators, rounds in found["pairs"].items():
        each = sorted(one["pairs_per_second"] for one in rounds)
        own, database = (
            median(one[f"{part}_cpu_ms"] for one in rounds) for part in ("coordinator", "database")
        )
        named = "1 coordinator" if coordinators == "1" else f"{coordinators} coordinators"
        yield (
            f"results with next jobs, {found['clients']} clients, {named} on PostgreSQL",
            f"{median(each):.0f}/s",
            f"{each[0]:.0f} to {each[-1]:.0f}; a pair takes {own:.1f} ms of a processor in the coordinators "
            f"and {database:.1f} in the database; none twice, none lost",
        )
    took = found["takeover_seconds"]
    yield (
        "from kill -9 of the leader until another leads",
        f"{median(took):.1f} s",
        f"{min(took):.1f} to {max(took):.1f} s, {len(took)} times",
    )


if __name__ == "__main__":
    figures = measured(3)
    for line in itertools.chain(rows(figures)):
        print("  ".join(line))
    print(json.dumps(figures))
