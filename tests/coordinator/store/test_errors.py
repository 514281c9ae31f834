"""Each failure is made in a real database: what it raises is one of our errors, and tells no statement."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import column, select, table, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from common.errors import ConfigurationError, NighttrainError, StorageError, UnavailableError
from coordinator.store import database as module
from coordinator.store.database import Database, sqlite_url
from coordinator.store.errors import UnstorableError
from coordinator.store.tables import Instant


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    made = Database(sqlite_url(tmp_path / "secret.db"))
    with made.write() as tx:
        tx.connection.execute(text("CREATE TABLE kept (number INTEGER PRIMARY KEY, words TEXT)"))
    yield made
    made.close()


def refusal(database: Database, kind: type[Exception], *statements: str, **values: object) -> str:
    with pytest.raises(kind) as caught, database.write() as tx:
        for statement in statements[:-1]:
            tx.connection.exec_driver_sql(statement)
        tx.connection.execute(text(statements[-1]), values)
    assert "kept" not in str(caught.value)
    return str(caught.value)


def test_a_full_disk_is_a_lack_of_room(database: Database) -> None:
    big = "INSERT INTO kept (words) VALUES (hex(zeroblob(1000000)))"
    told = refusal(database, StorageError, "PRAGMA max_page_count=3", big)
    assert told.startswith("the database cannot be written: database or disk is full")


def test_a_database_that_may_only_be_read_is_one_too(database: Database) -> None:
    told = refusal(database, StorageError, "PRAGMA query_only=ON", "INSERT INTO kept (words) VALUES ('a')")
    assert told.startswith("the database cannot be written: attempt to write a readonly database")


def test_a_file_that_is_gone_with_its_folder_is_one_too(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "nowhere" / "nighttrain.db"))
    with pytest.raises(StorageError, match="unable to open database file"), database.read():
        pass


def test_a_lock_that_another_holds_is_only_for_now(database: Database, tmp_path: Path) -> None:
    other = Database(sqlite_url(tmp_path / "secret.db"))
    with other.write():
        told = refusal(database, UnavailableError, "SELECT 1")
    assert told.startswith("the database does not answer: database is locked")
    other.close()


@pytest.mark.parametrize(("column", "value"), [("number", 2**63), ("words", "\ud800")])
def test_what_no_column_holds_is_told_apart(database: Database, column: str, value: object) -> None:
    refusal(database, UnstorableError, f"INSERT INTO kept ({column}) VALUES (:value)", value=value)


def test_mistakes_of_ours_stay_what_they_are(database: Database) -> None:
    for kind, statement in (
        (IntegrityError, "INSERT INTO kept (number) VALUES (1), (1)"),
        (ProgrammingError, "INSERT INTO kept (number) VALUES (1); SELECT 1"),
    ):
        with pytest.raises(kind) as caught, database.write() as tx:
            tx.connection.execute(text(statement))
        assert not isinstance(caught.value, NighttrainError)
    for error in (OverflowError("date value out of range"), UnicodeEncodeError("latin-1", "a", 0, 1, "no")):
        with pytest.raises(type(error)) as kept, database.write():
            raise error
        assert kept.value is error


def test_a_file_that_is_no_database_refuses_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "nighttrain.db"
    path.write_bytes(b"\x1b[2Jno database" * 1000)
    database = Database(sqlite_url(path))
    with pytest.raises(ConfigurationError, match=r"file is not a database.*A damaged database"):
        database.upgrade()
    database.close()


def test_pages_that_contradict_each_other_refuse_the_start(database: Database, tmp_path: Path) -> None:
    with database.write() as tx:
        tx.connection.execute(text("CREATE INDEX by_words ON kept (words)"))
        for number in range(2000):
            tx.connection.execute(
                text("INSERT INTO kept (words) VALUES (:one)"), {"one": f"{number:05} " * 9}
            )
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / "secret.db"
    content = bytearray(path.read_bytes())
    content[5 * 4096 : 6 * 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"is damaged: .*A damaged database"):
        Database(sqlite_url(path)).upgrade()


def test_a_time_that_was_never_written_as_one_is_damage(database: Database) -> None:
    with database.write() as tx:
        tx.connection.execute(text("INSERT INTO kept (words) VALUES ('2026-03-02 12:00:0].000000')"))
    when = select(column("words", Instant)).select_from(table("kept"))
    with pytest.raises(StorageError, match=r"12:00:0\].000000' is no time"), database.read() as tx:
        tx.connection.execute(when).all()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_process_that_stopped_within_a_transaction_lost_it_and_may_try_again(empty_url: str) -> None:
    database = Database(empty_url)
    with pytest.raises(UnavailableError, match="idle-in-transaction"), database.write() as tx:
        tx.connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 1"))
        for _ in range(500):
            time.sleep(0.02)
            tx.connection.execute(text("SELECT 1"))
    with database.read() as tx:
        assert tx.connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()
