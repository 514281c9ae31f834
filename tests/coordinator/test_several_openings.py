"""The schedule of several coordinators: an opening has one night, whoever is killed at that moment."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from common.client.client import TrainerClient
from common.protocol.job_views import Outcome
from common.protocol.trainers import Grant
from coordinator.store.database import Database
from coordinator.store.tables import attempts, leadership, runs
from tests.coordinator.process import Process, eventually
from tests.coordinator.specimens import claim, hello
from tests.coordinator.test_several import Start, leader_of, start, successor

__all__ = ["start"]

pytestmark = pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)

WAITS = text(
    "SELECT count(*) FROM pg_stat_activity JOIN leadership ON application_name = holder "
    "WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO runs%'"
)


def begun(database: Database) -> int:
    with database.read() as tx:
        return int(tx.connection.execute(select(func.count()).select_from(runs)).scalar_one())


def leader_begins(database: Database) -> bool | None:
    """Whether the leader is in the middle of beginning a night, and held there."""
    with database.read() as tx:
        return bool(tx.connection.execute(WAITS).scalar_one()) or None


def leases_end(database: Database, process: Process, token: Path, boot: str) -> None:
    """Have the leader take back what a silent trainer held: it does all duties several times meanwhile."""
    with TrainerClient(process.ready().url, token) as client:
        client.register(hello(boot, boot, host=boot))
        grant = client.claim(claim(boot))
    assert isinstance(grant, Grant)
    outcome = select(attempts.c.outcome).where(attempts.c.lease_id == grant.lease_id)

    def is_over() -> bool | None:
        with database.read() as tx:
            return tx.connection.execute(outcome).scalar_one() == Outcome.EXPIRED or None

    eventually(is_over)


def test_an_opening_has_one_night_whoever_is_killed_as_it_begins(
    start: Start, tmp_path: Path, database_url: str
) -> None:
    config, token = tmp_path / "night.yaml", tmp_path / "out" / "trainer_token"
    with config.open("a") as settings:
        settings.write("symbols: [BTCUSDT, ETHUSDT]\ntimeframes: [1h]\nhorizons: [1]\n")
    processes = {name: start(name) for name in "ab"}
    for process in processes.values():
        process.ready()
    database = Database(database_url)
    with database.engine.connect() as held:
        # Nobody makes a run now, and the window opens.
        held.execute(text("LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE"))
        opened = datetime.now(UTC) - timedelta(hours=1)
        window = f"{{start: '{opened:%H:%M}', end: '{opened + timedelta(hours=3):%H:%M}', timezone: UTC}}"
        config.write_text(f"{config.read_text()}window: {window}\n")
        eventually(lambda: leader_begins(database))
        killed, term = leader_of(database)
        processes[killed].process.send_signal(signal.SIGKILL)
        last, term = successor(database, term)
        assert last != killed
        eventually(lambda: leader_begins(database))
        assert begun(database) == 0
        held.rollback()
    eventually(lambda: begun(database) or None)

    # The one that was killed comes back, and leads when the other is killed too.
    processes[killed].kill()
    processes[killed] = start(killed)
    processes[killed].ready()
    processes[last].process.send_signal(signal.SIGKILL)
    assert successor(database, term)[0] == killed
    leases_end(database, processes[killed], token, "silent")
    assert begun(database) == 1
    with database.read() as tx:
        assert tx.connection.execute(select(leadership.c.term)).scalar_one() == term + 1
    database.close()
