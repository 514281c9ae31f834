"""Who may sit beside whom: coordinators of one database share one folder at one path."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.out_folder import OutFolder
from coordinator.housekeeping.heartbeat import Heartbeat
from coordinator.store.database import Database
from coordinator.store.seats import PRESENT, Seat, refuse_strangers, seat_in
from tests.coordinator.specimens import Clock

FIRST = Seat("folder-1", "a", "/night")


@pytest.fixture
def database(database_url: str, clock: Clock) -> Database:
    return Database(database_url, clock)


def sit_down(database: Database, seat: Seat) -> None:
    with database.write() as tx:
        refuse_strangers(tx, seat)


def test_a_folder_has_one_mark_and_another_folder_another(tmp_path: Path) -> None:
    first = seat_in(OutFolder(tmp_path / "one", "a"))
    assert first == Seat(first.store, "a", str(tmp_path / "one")) and len(first.store) == 32
    assert seat_in(OutFolder(tmp_path / "one", "b")).store == first.store
    assert seat_in(OutFolder(tmp_path / "two")).store != first.store


def test_a_folder_that_cannot_be_marked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_text("")
    with pytest.raises(ConfigurationError, match=r"\.store: cannot be"):
        seat_in(OutFolder(tmp_path))


def test_one_of_another_folder_is_refused_as_long_as_somebody_is_there(
    database: Database, clock: Clock
) -> None:
    Heartbeat(database, FIRST).start()
    sit_down(database, Seat("folder-1", "b", "/night"))
    with pytest.raises(ConfigurationError, match=r"in use by the coordinator a at .*:/night.* than /own"):
        sit_down(database, Seat("folder-2", "b", "/own"))
    clock.now += PRESENT + timedelta(seconds=1)
    sit_down(database, Seat("folder-2", "b", "/own"))
    database.close()


def test_a_folder_at_another_path_is_refused_for_its_files_would_not_be_found(database: Database) -> None:
    Heartbeat(database, FIRST).start()
    with pytest.raises(ConfigurationError, match="the out folder is /own here and /night for the"):
        sit_down(database, Seat("folder-1", "b", "/own"))
    database.close()


def test_whoever_has_stopped_is_in_nobodys_way(database: Database) -> None:
    first = Heartbeat(database, FIRST)
    first.start()
    first.stop()
    sit_down(database, Seat("folder-2", "b", "/own"))
    database.close()
