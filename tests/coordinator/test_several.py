"""Several coordinators as processes over one PostgreSQL database: killed or stopped, nothing is lost."""

from __future__ import annotations

import itertools
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from common.client.client import OperatorClient, TrainerClient
from common.errors import StaleLeaseError, UnavailableError
from common.protocol.job_views import Outcome
from common.protocol.jobs import JobState, SurveySpec
from common.protocol.runs import RunRequest, RunState
from common.protocol.trainers import Grant
from coordinator.store.database import Database, sqlite_url
from coordinator.store.tables import attempts, jobs, leadership
from tests.coordinator.process import Process, eventually
from tests.coordinator.specimens import claim, finish, grid, hello, renewal, survey_report, training_report

pytestmark = pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)

SYMBOLS = tuple(f"{name}USDT" for name in ("BTC", "ETH", "ADA", "SOL", "XRP", "DOT"))
TRAINERS = 24
LEASE_SECONDS = 8

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path, database_url: str) -> Iterator[Start]:
    """Starts coordinators over one database, by default in one folder."""
    config = tmp_path / "night.yaml"
    config.write_text(f"database_url: {database_url}\nlease: {{seconds: {LEASE_SECONDS}}}\n")
    started: list[Process] = []

    def begin(instance: str = "", out: str = "out", config: Path = config) -> Process:
        process = Process(tmp_path / out, config=config, instance=instance)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()


class Crew:
    """Trainers that work when they may, each at one of the coordinators, at another if that does not answer.

    `work` lets them hand in so many jobs more; `may_end` lets them hand in all, and leave when none is left.
    """

    def __init__(self, urls: Sequence[str], token: Path, trainers: int) -> None:
        self.urls, self.token = urls, token
        self.may_end = threading.Event()
        self.finished: Counter[int] = Counter()
        self.faults: list[BaseException] = []
        self._allowed = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._guarded, args=(one,)) for one in range(trainers)]
        for thread in self._threads:
            thread.start()

    def work(self, count: int) -> None:
        before = self.finished.total()
        self._allowed.release(count)
        eventually(lambda: True if self.faults or self.finished.total() >= before + count else None)
        assert not self.faults, self.faults

    def end(self) -> None:
        self.may_end.set()
        for thread in self._threads:
            thread.join()
        assert not self.faults, self.faults

    def _guarded(self, number: int) -> None:
        try:
            self._train(number)
        except BaseException as error:
            self.faults.append(error)

    def _train(self, number: int) -> None:
        boot = f"trainer-{number}-boot"
        with ExitStack() as stack:
            clients = [stack.enter_context(TrainerClient(url, self.token)) for url in self.urls]
            turn = itertools.cycle(clients[number % len(clients) :] + clients[: number % len(clients)])
            client = next(turn)

            def insist(name: str, *arguments: object) -> object:
                nonlocal client

                def ask() -> tuple[object] | None:
                    nonlocal client
                    try:
                        return (getattr(client, name)(*arguments),)
                    except UnavailableError:
                        client = next(turn)
                        return None

                return eventually(ask)[0]

            insist("register", hello(f"trainer-{number}", boot, host=f"host-{number % 4}"))
            while True:
                grant = insist("claim", claim(boot))
                if isinstance(grant, Grant):
                    self._hand_in(grant, insist)
                elif self.may_end.wait(0.2):
                    return

    def _hand_in(self, grant: Grant, insist: Callable[..., object]) -> None:
        try:
            while not self._allowed.acquire(timeout=1.0) and not self.may_end.is_set():
                insist("renew", grant.lease_id, renewal())
            if isinstance(grant.spec, SurveySpec):
                insist("finish", grant.lease_id, finish(survey_report(grant.spec)))
            else:
                report, content = training_report(grant.spec)
                sha256 = report.manifest.pickle_sha256
                insist("upload_artifact", grant.lease_id, content, sha256)
                insist("finish", grant.lease_id, finish(report, sha256))
        except StaleLeaseError:
            # On a busy machine it was silent for too long: the job is another's.
            self._allowed.release()
            return
        self.finished[grant.job_id] += 1


def leader_of(database: Database) -> tuple[str, int]:
    with database.read() as tx:
        row = tx.connection.execute(select(leadership.c.instance, leadership.c.term)).one()
    return row.instance, row.term


def successor(database: Database, term: int) -> tuple[str, int]:
    """Wait for the next leader."""
    return eventually(lambda: ((now := leader_of(database))[1] > term and now) or None)


def assert_whole(database: Database, run: int) -> None:
    """Assert that each job was done once, and was leased to one trainer at a time."""
    with database.read() as tx:
        states = tx.connection.execute(select(jobs.c.id, jobs.c.state).where(jobs.c.run_id == run)).all()
        tries = tx.connection.execute(select(attempts).order_by(attempts.c.job_id, attempts.c.number)).all()
    assert {row.state for row in states} == {JobState.SUCCEEDED}
    done = Counter(row.job_id for row in tries if row.outcome == Outcome.SUCCEEDED)
    assert done == {row.id: 1 for row in states}
    for before, after in itertools.pairwise(tries):
        assert before.job_id != after.job_id or before.ended <= after.started


def test_a_night_goes_on_whichever_coordinator_is_stopped_or_killed(
    start: Start, tmp_path: Path, database_url: str
) -> None:
    names = ("a", "b")
    processes = {name: start(name) for name in names}
    urls = [process.ready().url for process in processes.values()]
    database = Database(database_url)
    out = tmp_path / "out"
    with OperatorClient(urls[0], out / "token") as operator:
        run, _ = operator.create_run(RunRequest(config=grid(symbols=SYMBOLS)))
    with TrainerClient(urls[1], out / "trainer_token") as ghost:
        ghost.register(hello("ghost", "ghost-boot", host="elsewhere"))
        lost = ghost.claim(claim("ghost-boot"))
    assert isinstance(lost, Grant)
    crew = Crew(urls, out / "trainer_token", TRAINERS)
    try:
        crew.work(4)
        stopped, term = leader_of(database)
        processes[stopped].process.send_signal(signal.SIGSTOP)
        other, term = successor(database, term)
        assert other != stopped
        crew.work(4)
        processes[stopped].process.send_signal(signal.SIGCONT)
        log = out / "logs" / f"batch_train_night-{stopped}.log"
        eventually(lambda: "another coordinator leads now" in log.read_text() or None)
        crew.work(4)
        # The other one as a rule; on a machine that starves it the lead may have moved once more.
        killed, term = leader_of(database)
        processes[killed].process.send_signal(signal.SIGKILL)
        last, term = successor(database, term)
        assert last != killed
        crew.work(4)
    finally:
        crew.end()
    with OperatorClient(processes[last].ready().url, out / "token") as operator:
        eventually(lambda: operator.run(run.id).state is RunState.DONE or None)
        assert operator.results(run.id).schema_ and operator.report(run.id)
    assert_whole(database, run.id)
    with database.read() as tx:
        fate = tx.connection.execute(
            select(attempts.c.outcome).where(attempts.c.lease_id == lost.lease_id)
        ).scalar_one()
    assert fate == Outcome.EXPIRED
    database.close()


def test_several_coordinators_over_sqlite_are_refused(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "sqlite.yaml"
    config.write_text(f"database_url: {sqlite_url(tmp_path / 'one.db')}\n")
    code, out, err = start("b", config=config).ended()
    assert (code, out) == (2, "")
    assert "--instance b: several coordinators need PostgreSQL, and the database is SQLite" in err
