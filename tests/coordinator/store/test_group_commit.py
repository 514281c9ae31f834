"""Writers that share a commit: what each of them keeps, loses, sees and waits for."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError

from common.errors import NighttrainError, StorageError
from coordinator.store.database import Change, Database, Transaction, sqlite_url

PATIENCE_SECONDS = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "numbers.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(sqlite_url(path))
    with opened.write() as tx:
        tx.connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
    yield opened
    opened.close()


class Writers:
    """Writers of numbers, of whom all but the first come while the first is writing."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.commits = 0
        assert database._group is not None
        event.listen(database._group._engine, "commit", self._count)
        self._pool = ThreadPoolExecutor(16)

    def _count(self, _: Connection) -> None:
        self.commits += 1

    def write(self, *bodies: Callable[[Connection], object]) -> list[Future[None]]:
        """Have each body write in a thread of its own, in this order, and wait for all."""
        first_writes, all_wait = threading.Event(), threading.Event()

        def one(body: Callable[[Connection], object]) -> None:
            with self.database.write() as tx:
                if not first_writes.is_set():
                    first_writes.set()
                    assert all_wait.wait(PATIENCE_SECONDS)
                body(tx.connection)

        futures = []
        for number, body in enumerate(bodies):
            futures.append(self._pool.submit(one, body))
            assert first_writes.wait(PATIENCE_SECONDS)
            self._until_waiting(number)
        all_wait.set()
        self._pool.shutdown()
        return futures

    def _until_waiting(self, count: int) -> None:
        group = self.database._group
        assert group is not None
        arrived = threading.Event()
        while group._waiting < count:
            arrived.wait(0.001)


def insert(number: int) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(text(f"INSERT INTO numbers VALUES ({number})"))


def numbers(path: Path) -> list[int]:
    """What another process sees."""
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT number FROM numbers ORDER BY number")]
    connection.close()
    return found


def test_writers_that_wait_for_one_another_share_commits(database: Database, path: Path) -> None:
    writers = Writers(database)
    for future in writers.write(*map(insert, range(10))):
        future.result()
    assert numbers(path) == list(range(10))
    # The lock hands itself on in no order: whoever waits past a commit begins the next.
    assert writers.commits <= 3


def test_one_that_fails_takes_back_its_own_changes_only(database: Database, path: Path) -> None:
    def fail(connection: Connection) -> None:
        insert(100)(connection)
        raise NighttrainError("it is refused")

    futures = Writers(database).write(insert(0), fail, insert(1), insert(0), insert(2))
    with pytest.raises(NighttrainError, match="it is refused"):
        futures[1].result()
    assert futures[3].exception() is not None
    for kept in 0, 2, 4:
        futures[kept].result()
    assert numbers(path) == [0, 1, 2]


def test_the_first_that_fails_takes_nothing_of_the_others_with_it(database: Database, path: Path) -> None:
    def fail(connection: Connection) -> None:
        insert(100)(connection)
        raise NighttrainError("it is refused")

    first, *others = Writers(database).write(fail, insert(1), insert(2))
    with pytest.raises(NighttrainError, match="it is refused"):
        first.result()
    for future in others:
        future.result()
    assert numbers(path) == [1, 2]


def test_nobody_returns_before_others_can_see_what_was_written(database: Database, path: Path) -> None:
    def one(number: int) -> bool:
        with database.write() as tx:
            insert(number)(tx.connection)
        return number in numbers(path)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(40)))


def test_a_commit_that_fails_is_told_to_all_of_its_members(database: Database, path: Path) -> None:
    with database.write() as tx:
        tx.connection.execute(
            text("CREATE TABLE parts (number INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)")
        )

    def dangle(connection: Connection) -> None:
        connection.execute(text("INSERT INTO parts VALUES (7)"))

    futures = Writers(database).write(insert(0), insert(1), dangle)
    errors = [future.exception() for future in futures]
    kept = numbers(path)
    assert all((error is None) == (number in kept) for number, error in enumerate(errors[:2])), (errors, kept)
    assert errors[2] is not None
    with database.write() as tx:
        insert(9)(tx.connection)
    assert numbers(path)[-1] == 9, "the next begins anew"


def test_a_disk_that_fills_is_told_to_all_whose_changes_it_took(database: Database, path: Path) -> None:
    with database.write() as tx:
        tx.connection.execute(text("CREATE TABLE documents (document TEXT)"))

    def fill(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        try:
            connection.execute(text("INSERT INTO documents VALUES (hex(zeroblob(1000000)))"))
        finally:
            connection.exec_driver_sql("PRAGMA max_page_count = 1000000")

    futures = Writers(database).write(insert(0), fill, insert(1))
    assert isinstance(futures[1].exception(), StorageError)
    kept = numbers(path)
    for number, future in (0, futures[0]), (1, futures[2]):
        error = future.exception()
        assert isinstance(error, StorageError) if number not in kept else error is None
    with database.write() as tx:
        insert(9)(tx.connection)
    assert numbers(path)[-1] == 9


def test_a_transaction_that_is_lost_as_a_whole_is_told_to_all_of_its_members(
    database: Database, path: Path
) -> None:
    def lose(connection: Connection) -> None:
        # As SQLite does by itself after some errors of the disk.
        connection.exec_driver_sql("ROLLBACK")
        raise NighttrainError("it is refused")

    futures = Writers(database).write(insert(0), lose, insert(1))
    kept = numbers(path)
    for number, future in (0, futures[0]), (1, futures[2]):
        assert (future.exception() is None) == (number in kept)
    assert isinstance(futures[1].exception(), NighttrainError)
    with database.write() as tx:
        insert(9)(tx.connection)
    assert numbers(path)[-1] == 9


def test_a_transaction_of_its_own_waits_for_the_group(database: Database, path: Path) -> None:
    group = database._group
    assert group is not None
    with ThreadPoolExecutor(1) as pool:
        with database.write() as tx:
            insert(0)(tx.connection)

            def alone() -> list[int]:
                with group.alone():
                    return numbers(path)

            found = pool.submit(alone)
            while not group._waiting:
                threading.Event().wait(0.001)
            assert not found.done()
        assert found.result(PATIENCE_SECONDS) == [0]


def test_many_changes_that_come_together_share_a_commit(database: Database, path: Path) -> None:
    writers = Writers(database)

    def change(number: int) -> Change[int]:
        def write(tx: Transaction) -> Callable[[], int]:
            insert(number)(tx.connection)
            if number == 3:
                raise NighttrainError("it is refused")
            return lambda: len(numbers(path))

        return write

    told = database.change_each(change(number) for number in (3, 0, 1, 3, 2, 1))
    assert writers.commits == 1
    assert [outcome.value for outcome in told] == [None, 3, 3, None, 3, None], "durable before it is said"
    assert [str(told[place].error) for place in (0, 3)] == 2 * ["it is refused"]
    assert isinstance(told[5].error, IntegrityError)
    assert numbers(path) == [0, 1, 2]
    with database.write() as tx:
        insert(4)(tx.connection)
    assert numbers(path) == [0, 1, 2, 4]


def test_changes_whose_commit_fails_are_not_said_to_be_made(database: Database, path: Path) -> None:
    with database.write() as tx:
        tx.connection.execute(
            text("CREATE TABLE parts (number INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)")
        )
    said = []

    def change(statement: str) -> Change[None]:
        def write(tx: Transaction) -> Callable[[], None]:
            tx.connection.execute(text(statement))
            return lambda: said.append(statement)

        return write

    both = map(change, ("INSERT INTO numbers VALUES (1)", "INSERT INTO parts VALUES (7)"))
    for outcome in database.change_each(both):
        assert isinstance(outcome.error, IntegrityError)
    assert not said and numbers(path) == []


def test_others_write_between_changes_that_come_together(database: Database, path: Path) -> None:
    def change(number: int) -> Change[None]:
        def write(tx: Transaction) -> Callable[[], None]:
            insert(number)(tx.connection)
            return lambda: None

        return write

    def between() -> Iterator[Change[None]]:
        yield change(1)
        writer = threading.Thread(target=lambda: database.change(change(2)))
        started.append(writer)
        writer.start()
        yield change(3)

    started: list[threading.Thread] = []
    assert not [outcome.error for outcome in database.change_each(between()) if outcome.error]
    started[0].join(PATIENCE_SECONDS)
    assert numbers(path) == [1, 2, 3]
