"""The schedule of several coordinators: an opening has one night, whoever is killed at that moment."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from common.out_folder import OutFolder
from coordinator.store.database import Database
from coordinator.store.tables import runs
from tests.coordinator.process import eventually
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


def test_an_opening_has_one_night_whoever_is_killed_as_it_begins(
    start: Start, tmp_path: Path, database_url: str
) -> None:
    config = tmp_path / "night.yaml"
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
        last, _ = successor(database, term)
        assert last != killed
        eventually(lambda: leader_begins(database))
        assert begun(database) == 0
        held.rollback()
    eventually(lambda: begun(database) or None)

    # The one that was killed comes back, and leads when the other is stopped.
    processes[killed].kill()
    processes[killed] = start(killed)
    processes[killed].ready()
    stopped = time.time()
    processes[last].process.send_signal(signal.SIGTERM)
    eventually(lambda: leader_of(database)[0] == killed or None)
    # The last of its duties is to write how far the night is; the schedule comes before.
    progress = OutFolder(tmp_path / "out").progress
    eventually(lambda: progress.stat().st_mtime > stopped or None)
    assert begun(database) == 1
    database.close()
