"""Two real coordinators, both scraped by a real Prometheus, which knows what their database says."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from common.client.client import OperatorClient
from common.client.trainers import TrainerClient
from common.metrics.declarations import CLAIMS, HTTP_DURATION, LEADERS, LEADS, RUN_FAILED_JOBS
from common.protocol.jobs import JobKind, JobState
from common.protocol.runs import RunRequest
from common.protocol.trainers import Grant
from coordinator.store.database import Database
from coordinator.store.tables import attempts, jobs
from grafana.generator.expressions import expressions
from tests.coordinator.crew import Crew
from tests.coordinator.process import Process, eventually
from tests.coordinator.specimens import claim, grid, hello
from tests.coordinator.test_several import Start, leader_of, start, successor
from tests.metrics.monitoring import Monitoring

__all__ = ["start"]

pytestmark = pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)

TRAINERS = 3
LOST = "lost-1"
SILENCE_SECONDS = 3.0

Count = dict[str, float]


@pytest.fixture
def processes(start: Start) -> dict[str, Process]:
    made = {name: start(name) for name in ("a", "b")}
    for process in made.values():
        process.ready()
    return made


@pytest.fixture
def monitoring(processes: dict[str, Process], tmp_path: Path) -> Iterator[Monitoring]:
    addresses = [process.ready().url.removeprefix("http://") for process in processes.values()]
    thresholds = {"trainer_silence_seconds": SILENCE_SECONDS}
    made = Monitoring(tmp_path, addresses, [], thresholds=thresholds)
    try:
        made.start()
        yield made
    finally:
        made.close()


def told(monitoring: Monitoring, expr: str, label: str = "") -> Count:
    """The numbers of an expression by one label; each may be there once."""
    answers = [(one.labels.get(label, ""), one.values[0]) for one in monitoring.now(expr)]
    assert len(dict(answers)) == len(answers), f"{expr}: {answers}"
    return dict(answers)


def truth(database: Database) -> dict[str, Count]:
    """What the database says, by the series that boards and alerts use."""
    with database.read() as tx:
        rows = tx.connection.execute(select(jobs.c.kind, jobs.c.state, jobs.c.symbol)).all()
        tries = tx.connection.execute(select(func.count()).select_from(attempts)).scalar_one()
    states = Counter(row.state for row in rows)
    return {
        "state:nighttrain_run_jobs:sum": {state: float(states[state]) for state in JobState},
        "nighttrain:queue_jobs:sum": {"": float(states[JobState.QUEUED])},
        "nighttrain:run_jobs_unfinished:sum": {"": float(states[JobState.QUEUED] + states[JobState.LEASED])},
        f"max({CLAIMS.name})": {"": float(tries)},
        "nighttrain:trainers_live:sum": {"": float(TRAINERS)},
    }


def agree(monitoring: Monitoring, database: Database) -> None:
    """Wait until Prometheus knows what the database says, and no more; nobody works meanwhile."""

    def pair() -> tuple[dict[str, Count], dict[str, Count]]:
        wanted = truth(database)
        return {expr: told(monitoring, expr, "state" if "state:" in expr else "") for expr in wanted}, wanted

    def same() -> bool | None:
        found, wanted = pair()
        return found == wanted or None

    try:
        eventually(same)
    except AssertionError:
        found, wanted = pair()
        assert found == wanted


def firing(monitoring: Monitoring) -> set[tuple[str, str]]:
    """Alerts about coordinators and trainers, and whom they name."""
    answers = monitoring.now('ALERTS{alertstate="firing",component=~"coordinator|trainer"}')
    return {(one.labels["alertname"], one.labels.get("trainer", "")) for one in answers}


def until(fact: Callable[[], bool]) -> None:
    eventually(lambda: fact() or None)


def test_what_is_shown_is_the_truth_whoever_is_there_to_tell_it(
    processes: dict[str, Process], monitoring: Monitoring, tmp_path: Path, database_url: str
) -> None:
    urls = [process.ready().url for process in processes.values()]
    database, out = Database(database_url), tmp_path / "out"
    with OperatorClient(urls[0], out / "token") as operator:
        operator.create_run(RunRequest(config=grid()))
    crew = Crew(urls, out / "trainer_token", TRAINERS)
    try:
        crew.work(5)
        agree(monitoring, database)
        until(lambda: told(monitoring, f"sum({LEADS.name})") == {"": 1.0})
        until(lambda: firing(monitoring) == set())

        # What each did is added up.
        largest = f"max(sum by (instance) (rate({HTTP_DURATION.name}_count[5m])))"
        until(lambda: bool(monitoring.now(f"sum(route:nighttrain_http_requests:rate5m) > {largest} > 0")))

        # Of each panel no series is there twice, and none cannot be matched.
        for one in expressions({"__range": "60s", "__interval": "1s"}):
            labels = [tuple(sorted(answer.labels.items())) for answer in monitoring.now(one.expr)]
            assert len(set(labels)) == len(labels), f"{one.board}, {one.place}"

        # A trainer's host is lost with a job.
        with TrainerClient(urls[1], out / "trainer_token") as ghost:
            ghost.register(hello(LOST, f"{LOST}-boot", host="elsewhere"))
            held = ghost.claim(claim(f"{LOST}-boot"))
        assert isinstance(held, Grant)
        until(lambda: firing(monitoring) == {("NighttrainTrainerLost", LOST)})

        # The leader is killed.
        name, term = leader_of(database)
        processes[name].process.send_signal(signal.SIGKILL)
        other, _ = successor(database, term)
        until(
            lambda: firing(monitoring) == {("NighttrainTrainerLost", LOST), ("NighttrainCoordinatorLost", "")}
        )
        crew.work(3)
        until(lambda: told(monitoring, 'max(nighttrain_trainers{state="lost"})') == {"": 1.0})
        agree(monitoring, database)
        until(lambda: [one.labels["coordinator"] for one in monitoring.now(f"{LEADS.name} == 1")] == [other])
        # Two as a rule; on a machine that starves it the other one may have had to take the lead once more.
        until(lambda: told(monitoring, f"max({LEADERS.name})") == {"": float(leader_of(database)[1])})
        assert leader_of(database)[1] > term
        assert told(monitoring, f"sum(max by (symbol, cause) ({RUN_FAILED_JOBS.name}))") == {"": 0.0}
        assert told(monitoring, f'sum(max by (kind, state) (nighttrain_run_jobs{{kind="{JobKind.SURVEY}"}}))')
    finally:
        crew.end()
        database.close()
