"""Several coordinators as processes over one PostgreSQL database: killed or stopped, nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from common.client.client import OperatorClient
from common.client.trainers import TrainerClient
from common.protocol.job_views import Outcome
from common.protocol.runs import RunRequest, RunState
from common.protocol.trainers import Grant
from coordinator.store.database import Database, sqlite_url
from coordinator.store.tables import attempts, leadership
from tests.coordinator.crew import Crew, assert_whole
from tests.coordinator.process import Process, eventually
from tests.coordinator.specimens import claim, grid, hello

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


def leader_of(database: Database) -> tuple[str, int]:
    with database.read() as tx:
        row = tx.connection.execute(select(leadership.c.instance, leadership.c.term)).one()
    return row.instance, row.term


def successor(database: Database, term: int) -> tuple[str, int]:
    """Wait for the next leader."""
    return eventually(lambda: ((now := leader_of(database))[1] > term and now) or None)


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
        # What the lost trainer held is ready only after a wait: nobody leaves before it is done.
        crew.work_on()
        with OperatorClient(processes[last].ready().url, out / "token") as operator:
            eventually(lambda: operator.run(run.id).state is RunState.DONE or None)
            assert operator.results(run.id).schema_ and operator.report(run.id)
    finally:
        crew.end()
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
