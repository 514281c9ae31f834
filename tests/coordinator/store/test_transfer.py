"""A night in progress is moved between databases of both kinds, and goes on as if nothing had happened."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from common.errors import ConflictError, InternalError, StaleLeaseError
from common.protocol.jobs import Cause
from coordinator.store import transfer as transfers
from coordinator.store.database import Database, sqlite_url
from coordinator.store.occupancy import alone, refuse_open_file, snapshot
from coordinator.store.seats import SOLE, refuse_strangers
from coordinator.store.tables import attempts, jobs, leadership, lives, runs, trainers
from coordinator.store.transfer import count_rows, refuse_content, transfer
from coordinator.views.jobs import JobListing
from tests.coordinator.conftest import new_database
from tests.coordinator.half_night import content, gone_on, in_progress, job_of
from tests.coordinator.process import eventually
from tests.coordinator.specimens import (
    Clock,
    Night,
    failure,
    renewal,
    settings,
)
from tests.coordinator.test_alerts import notification, told
from tests.postgres import execute, of_database


@pytest.fixture
def other(
    request: pytest.FixtureRequest, empty_url: str, tmp_path: Path, migrated: Path, clock: Clock
) -> Iterator[Database]:
    """Another database with the present schema: of the other kind, unless a test names one."""
    opposite = "postgresql" if empty_url.startswith("sqlite") else "sqlite"
    with _other(request, getattr(request, "param", opposite), tmp_path, migrated) as url:
        database = Database(url, clock)
        yield database
        database.close()


@contextmanager
def _other(request: pytest.FixtureRequest, kind: str, tmp_path: Path, migrated: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield sqlite_url(Path(shutil.copy(migrated, tmp_path / "other.db")))
        return
    server = request.getfixturevalue("postgres")
    with new_database(server, request.getfixturevalue("postgres_template")) as url:
        yield url


def moved(source: Database, target: Database) -> dict[str, int]:
    steps: list[int] = []
    with alone(target, "TO", writes=True) as into, alone(source, "FROM", writes=False) as night:
        refuse_content(into, "TO")
        rows = transfer(night, into, steps.append)
    assert sum(steps) == 2 * sum(rows.values())
    return rows


@pytest.mark.parametrize("other", ["sqlite", "postgresql"], indirect=True)
def test_a_moved_night_is_equal_row_by_row_and_ends_with_equal_results(
    night: Night, other: Database, tmp_path: Path
) -> None:
    run, lease = in_progress(night)
    rows = moved(night.database, other)
    before, after = content(night.database), content(other)
    column = list(jobs.c).index(jobs.c.revision)
    before["jobs"] = sorted((tuple(_without(row, column)) for row in before["jobs"]), key=repr)
    after["jobs"] = sorted((tuple(_without(row, column)) for row in after["jobs"]), key=repr)
    assert before == after
    assert rows == {name: len(found) for name, found in after.items()}
    assert all(
        rows[name] for name in ("runs", "jobs", "attempts", "checkpoints", "champion_changes", "alerts")
    )
    at = night.clock.now
    elsewhere = Night(other, settings(), tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "artifacts", tmp_path / "elsewhere" / "artifacts")
    wanted = gone_on(night, run, lease)
    night.clock.now = at
    found = gone_on(elsewhere, run, lease)
    assert found == wanted


def _without(row: tuple[Any, ...], column: int) -> Iterator[Any]:
    return (value for at, value in enumerate(row) if at != column)


def test_numbers_go_on_after_the_largest(night: Night, other: Database, tmp_path: Path) -> None:
    in_progress(night)
    moved(night.database, other)
    elsewhere = Night(other, settings(), tmp_path / "elsewhere")
    with other.read() as tx:
        largest = {
            table.name: tx.connection.execute(select(func.max(table.c.id))).scalar_one()
            for table in (runs, jobs, attempts)
        }
    elsewhere.cancel(largest["runs"])
    elsewhere.housekeeping.tick()
    elsewhere.start()
    elsewhere.grant("t1-boot")
    with other.read() as tx:
        for table in (runs, jobs, attempts):
            newest = tx.connection.execute(select(func.max(table.c.id))).scalar_one()
            assert newest > largest[table.name]


def test_what_people_watch_is_brought_up_to_date_after_a_move(
    night: Night, other: Database, tmp_path: Path
) -> None:
    run, lease = in_progress(night)
    moved(night.database, other)
    elsewhere = Night(other, settings(), tmp_path / "elsewhere")
    with other.read() as tx:
        # As counted where they are now: a younger server would take all rows for new ones for long.
        count = text("SELECT 0" if other.is_sqlite else "SELECT pg_current_xact_id()::text")
        now = int(tx.connection.execute(count).scalar_one())
        assert tx.connection.execute(select(func.max(jobs.c.revision))).scalar_one() <= now
    listing = JobListing(other, settings())
    if not other.is_sqlite:
        # What a board has seen of SQLite, which counts less than a server does.
        seen = listing.page({"run_id": run}, 500, 0, since=1)
        assert len(seen.jobs) == seen.total
    # The cursor of somebody who has looked at a database that was ahead by far.
    page = listing.page({"run_id": run}, 500, 0, since=10**12)
    assert page.total == len(elsewhere.jobs(run_id=run)) > 3
    job = job_of(elsewhere, lease)
    with elsewhere.ledger.read() as (_, book):
        assert book is not None
    elsewhere.queue.fail(lease, failure(Cause.ERROR))
    changed = listing.page({"run_id": run}, 500, 0, since=page.revision)
    assert job in {one.id for one in changed.jobs}


def test_a_target_that_holds_anything_is_refused_and_what_a_start_leaves_is_not(
    night: Night, other: Database, tmp_path: Path
) -> None:
    in_progress(night)
    there = Night(other, settings(), tmp_path / "there")
    there.register("early")
    there.housekeeping.tick()
    moved(night.database, other)
    with other.read() as tx:
        names = set(tx.connection.execute(select(trainers.c.name)).scalars())
    assert names == {"t1", "t2"}
    with pytest.raises(ConflictError, match="TO holds 2 nights already"):
        moved(night.database, other)


def test_a_target_without_a_night_but_with_alerts_is_refused(
    night: Night, other: Database, tmp_path: Path
) -> None:
    Night(other, settings(), tmp_path / "there").alerts.accept(notification(told()))
    with pytest.raises(ConflictError, match="TO is not empty: there are rows in alerts"):
        moved(night.database, other)


def test_nobody_leads_after_a_move_and_the_next_term_is_larger_than_any(
    night: Night, other: Database
) -> None:
    in_progress(night)
    for database, term in ((night.database, 7), (other, 9)):
        with database.write() as tx:
            led = update(leadership).values(term=term, holder="nighttrain-dead", instance="a")
            tx.connection.execute(led)
    moved(night.database, other)
    with other.read() as tx:
        row = tx.connection.execute(select(leadership)).one()
    assert (row.term, row.holder, row.instance) == (9, "", "")


def test_what_is_read_back_differently_leaves_the_target_empty(night: Night, other: Database) -> None:
    in_progress(night)
    with other.write() as tx:
        # A database that spoils what it is given: here by a trigger.
        if tx.is_sole_writer:
            spoil = "UPDATE attempts SET message = 'spoiled' WHERE id = NEW.id"
            tx.connection.execute(text(f"CREATE TRIGGER spoil AFTER INSERT ON attempts BEGIN {spoil}; END"))
        else:
            body = "BEGIN NEW.message := 'spoiled'; RETURN NEW; END"
            made = f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
            tx.connection.execute(text(made))
            each = "CREATE TRIGGER spoil BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION spoil()"
            tx.connection.execute(text(each))
    with pytest.raises(InternalError, match=r"attempts: the row with id 1 was read back differently"):
        moved(night.database, other)
    assert not any(content(other).values())


def test_an_interruption_leaves_the_target_empty(night: Night, other: Database) -> None:
    in_progress(night)

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        alone(other, "TO", writes=True) as into,
        alone(night.database, "FROM", writes=False) as source,
    ):
        transfer(source, into, interrupt)
    assert not any(content(other).values())


def test_many_rows_are_copied_in_parts(
    night: Night, other: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_progress(night)
    monkeypatch.setattr(transfers, "CHUNK", 3)
    rows = moved(night.database, other)
    assert rows["jobs"] > 9 and rows["jobs"] % 3


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_rows_are_compared_whatever_order_a_language_has(night: Night, clock: Clock, postgres: str) -> None:
    in_progress(night)
    for name in ("a-host", "B-host", "_c-host", "A-host"):
        night.register(name, host=name)
    name = f"test_{uuid.uuid4().hex}"
    language = "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'en'"
    try:
        execute(postgres, f"CREATE DATABASE {name} TEMPLATE template0 {language}")
    except DBAPIError as error:
        pytest.skip(f"this server has no ICU: {error.orig}")
    database = Database(of_database(postgres, name), clock)
    try:
        database.upgrade()
        with database.read() as tx:
            assert tx.connection.execute(text("SELECT 'a' < 'B'")).scalar_one(), "not the order of bytes"
        assert moved(night.database, database)["trainers"] == 6
    finally:
        database.close()
        execute(postgres, f"DROP DATABASE {name}")


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("other", ["postgresql"], indirect=True)
def test_a_row_that_postgresql_cannot_hold_is_named(night: Night, other: Database) -> None:
    in_progress(night)
    with night.database.write() as tx:
        tx.connection.execute(text("UPDATE attempts SET message = 'a' || char(0) || 'b' WHERE id = 2"))
    with pytest.raises(ConflictError, match="attempts with id 2 cannot be stored in PostgreSQL"):
        moved(night.database, other)
    assert not any(content(other).values())


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_rows_that_sqlite_cannot_hold_are_named(night: Night, other: Database) -> None:
    in_progress(night)
    with other.write() as tx:
        refuse = "SELECT RAISE(ABORT, 'not this one') WHERE NEW.id = 2"
        tx.connection.execute(text(f"CREATE TRIGGER refuse BEFORE INSERT ON runs BEGIN {refuse}; END"))
    with pytest.raises(ConflictError, match="runs with id 1 to id 2 cannot be stored in SQLite: not"):
        moved(night.database, other)
    assert not any(content(other).values())


def test_a_lease_that_was_given_away_since_is_not_taken_up_by_the_copy(
    night: Night, other: Database, tmp_path: Path
) -> None:
    _, lease = in_progress(night)
    moved(night.database, other)
    elsewhere = Night(other, settings(), tmp_path / "elsewhere")
    elsewhere.queue.fail(lease, failure(Cause.ERROR))
    night.clock.advance(600)
    again = elsewhere.grant("t2-boot")
    with pytest.raises(StaleLeaseError):
        elsewhere.queue.renew(lease, renewal())
    assert again.lease_id != lease


# --- Who uses it --------------------------------------------------------------------------------------------


def test_a_database_that_a_coordinator_uses_is_refused(night: Night, other: Database) -> None:
    in_progress(night)
    if night.database.is_sqlite:
        path = Path(str(night.database.engine.url.database))
        night.database.close()
        assert not _refusal(path)
        hold = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM runs')"
        with subprocess.Popen(
            [sys.executable, "-c", f"{hold}; input()", path], stdin=subprocess.PIPE
        ) as holder:
            try:
                eventually(lambda: _refusal(path))
            finally:
                holder.kill()
        assert not _refusal(path)
        return
    coordinator = Database(night.database.engine.url.render_as_string(hide_password=False))
    with (
        coordinator.engine.connect() as connection,
        pytest.raises(ConflictError, match="FROM is in use by a coordinator"),
    ):
        connection.execute(text("SELECT 1"))
        moved(night.database, other)
    coordinator.close()

    def is_moved() -> bool:
        # The server's session ends a moment after the client has closed it.
        with suppress(ConflictError):
            moved(night.database, other)
            return True
        return False

    eventually(is_moved)


def _refusal(path: Path) -> str | None:
    try:
        refuse_open_file(path)
    except ConflictError as error:
        assert "is in use by another process, such as a coordinator" in str(error)
        return str(error)
    return None


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_no_coordinator_begins_during_a_move(night: Night) -> None:
    with alone(night.database, "FROM", writes=False):
        late = Database(night.database.engine.url.render_as_string(hide_password=False))
        with late.engine.begin() as connection:
            connection.execute(text("SET lock_timeout = '100ms'"))
            with pytest.raises(Exception, match="lock timeout"):
                connection.execute(text("SELECT pg_advisory_xact_lock(4711016)"))
        late.close()


def test_a_snapshot_is_of_one_moment_whoever_writes_meanwhile(night: Night) -> None:
    in_progress(night)
    with snapshot(night.database) as connection:
        before = count_rows(connection)
        night.grant("t1-boot")
        assert count_rows(connection) == before
    with snapshot(night.database) as connection:
        assert count_rows(connection)["attempts"] == before["attempts"] + 1


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_a_life_of_another_database_is_no_coordinator_beside_a_file(night: Night, clock: Clock) -> None:
    with night.database.write() as tx:
        values = {"began": clock.now, "seen": clock.now, "store": "x", "instance": "a", "place": "h:/out"}
        tx.connection.execute(insert(lives).values(values))
        refuse_strangers(tx, SOLE)
