from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, delete, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.schema import CreateIndex, CreateTable

from common.errors import ConfigurationError, UnavailableError
from common.protocol.jobs import Cause, JobKind
from coordinator.champions.registry import champions, changes
from coordinator.store.database import LOG_PAGES, Database, migrate, sqlite_url
from coordinator.store.migrations.snapshot import snapshot
from coordinator.store.schema import SNAPSHOT
from coordinator.store.tables import blobs, metadata, runs
from tests.coordinator.one_cell import trained
from tests.coordinator.specimens import NOON, Clock, Night, digest, failure, settings


@pytest.fixture
def database(database_url: str, clock: Clock) -> Iterator[Database]:
    opened = Database(database_url, clock)
    yield opened
    opened.close()


HEAD = ScriptDirectory(str(files("coordinator.store") / "migrations")).get_current_head()


SECOND_ATTEMPT = (
    "INSERT INTO attempts (job_id, number, lease_id, boot_id, trainer, host, alone, memory_limit_bytes,"
    " deadline_seconds, started, renewed, expires, outcome, charged, message, evidence)"
    " SELECT {job}, {number}, 'other', {boot}, trainer, host, alone, memory_limit_bytes,"
    " deadline_seconds, started, renewed, expires, outcome, charged, message, evidence FROM attempts"
)


def run_values(**changes: Any) -> dict[str, Any]:
    values = {"state": "running", "config": "{}", "synthetic": False, "created": NOON, "results_path": ""}
    return {**values, **changes}


# --- The schema ---------------------------------------------------------------------------------------------


def test_the_migrations_make_the_schema_of_the_tables(empty_url: str, clock: Clock) -> None:
    database = Database(empty_url, clock)
    upgrade(database, "head")
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx.connection), metadata) == []
    database.close()


def test_the_migrations_make_the_very_constraints_of_the_tables(migrated: Path) -> None:
    def words(statement: str) -> set[str]:
        # SQLite writes a column that was added later onto the line of the one before, and quotes some names.
        lines = statement.replace('"', "").replace(" WHERE", "\nWHERE").replace(", ", ",\n").splitlines()
        return {" ".join(line.strip().rstrip(",").split()) for line in lines} - {""}

    engine = create_engine("sqlite://")
    wanted = set()
    for table in metadata.sorted_tables:
        wanted |= words(str(CreateTable(table).compile(engine)))
        for index in table.indexes:
            wanted |= words(str(CreateIndex(index).compile(engine)))
    with sqlite3.connect(migrated) as connection:
        made = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql NOT NULL"
        )
        found = set().union(*(words(row[0]) for row in made))
    connection.close()
    assert len(wanted) > 40
    assert wanted - found == set()


def test_a_new_sqlite_database_has_the_very_schema_that_the_migrations_make(migrated: Path) -> None:
    assert SNAPSHOT.read_text() == snapshot(), "run python -m coordinator.store.migrations.snapshot"
    connection = sqlite3.connect(migrated)
    made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL"))
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    rows = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    connection.close()
    assert rows["alembic_version"] == [(HEAD,)]
    assert len(made) > 40 and sum("TRIGGER" in sql for sql in made.values()) > 2
    with create_engine("sqlite://").begin() as empty:
        migrate(empty)
        wanted = empty.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL").all()
        assert rows == {
            name: list(map(tuple, empty.exec_driver_sql(f"SELECT * FROM {name}"))) for name in tables
        }
    assert {name: sql.split() for name, sql in made.items()} == {name: sql.split() for name, sql in wanted}


@pytest.fixture
def today(clock: Clock, tmp_path: Path) -> Iterator[Night]:
    """A database of this program, to be copied into one of an earlier."""
    database = Database(sqlite_url(tmp_path / "today.db"), clock)
    database.upgrade()
    yield Night(database, settings(), tmp_path)
    database.close()


@pytest.mark.parametrize("revision", ["0002", "0003", "0004", "0005", "0006"])
def test_an_upgrade_keeps_a_night_in_progress_and_goes_on_with_it(
    empty_url: str, clock: Clock, tmp_path: Path, today: Night, revision: str
) -> None:
    today.begin()
    boot = today.register()
    today.queue.fail(today.grant(boot).lease_id, failure(Cause.ERROR))
    lease = today.grant(boot).lease_id
    database = Database(empty_url, clock)
    upgrade(database, revision)
    _copy(today.database, database)
    before = _attempts(database)
    assert len(before) == 2
    if revision == "0002":
        with pytest.raises(IntegrityError), database.write() as tx:
            cannot_write = "UPDATE attempts SET outcome = 'failed', cause = 'storage', ended = started"
            tx.connection.execute(text(cannot_write))
    database.upgrade()
    assert _attempts(database) == before
    night = Night(database, settings(), tmp_path)
    night.queue.fail(lease, failure(Cause.STORAGE))
    assert [row["cause"] for row in _attempts(database)] == ["error", "storage"]
    night.clock.advance(60)
    assert night.grant(boot).attempt == 2, "a trainer of before, which reports nothing of its disk"
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx.connection), metadata) == []
    database.close()


def _copy(source: Database, target: Database) -> None:
    """Copy what the older schema of the target has a place for."""
    with source.read() as old, target.write() as new:
        inspector = inspect(new.connection)
        for table in metadata.sorted_tables:
            if not inspector.has_table(table.name):
                continue
            names = {column["name"] for column in inspector.get_columns(table.name)}
            # The schema may have come with a row.
            new.connection.execute(delete(table))
            for row in old.connection.execute(select(table)):
                values = {name: value for name, value in row._mapping.items() if name in names}
                new.connection.execute(insert(table).values(values))
            if not target.is_sqlite and "id" in names:
                counted = (
                    f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), max(id)) FROM {table.name}"
                )
                new.connection.execute(text(counted))


def upgrade(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "coordinator.store:migrations")
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _attempts(database: Database) -> list[dict[str, Any]]:
    with database.read() as tx:
        found = tx.connection.execute(text("SELECT * FROM attempts ORDER BY id"))
        return [dict(row._mapping) for row in found]


def test_an_upgrade_of_an_upgraded_database_changes_nothing(database: Database) -> None:
    with database.write() as tx:
        tx.connection.execute(insert(runs).values(run_values()))
    database.upgrade()
    with database.read() as tx:
        assert len(tx.connection.execute(select(runs)).all()) == 1


def test_a_database_of_a_newer_program_is_refused(database: Database) -> None:
    with database.write() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match=r"newer Nighttrain \(schema 9999\)"):
        database.upgrade()
    with pytest.raises(UnavailableError, match=f"has schema 9999, this program needs {HEAD}"):
        database.check()


def test_a_ready_database_says_its_schema(database: Database) -> None:
    assert database.check() == HEAD


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url at all", "database_url: cannot be used"),
        ("postgresql+psycopg2://user:secret@host/db", "driver psycopg2 is not installed"),
        ("sqlite:////proc/nowhere/x.db", "unable to open database file"),
        ("postgresql+psycopg://user:secret@127.0.0.1:1/db?connect_timeout=2", "Connection refused"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line_that_keeps_the_password(url: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Database(url).upgrade()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are my notes, and quite a few of them " * 100)
    with pytest.raises(ConfigurationError, match="file is not a database"):
        Database(sqlite_url(path)).upgrade()


# --- Rules that the database holds --------------------------------------------------------------------------


def test_there_is_one_running_run(database: Database) -> None:
    with database.write() as tx:
        tx.connection.execute(insert(runs).values(run_values(state="done", finished=NOON)))
        tx.connection.execute(insert(runs).values(run_values()))
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.connection.execute(insert(runs).values(run_values()))


@pytest.mark.parametrize(
    "broken", [{"state": "asleep", "finished": NOON}, {"state": "done"}, {"finished": NOON}], ids=str
)
def test_a_run_is_in_a_known_state_and_finished_or_running(
    database: Database, broken: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError), database.write() as tx:
        tx.connection.execute(insert(runs).values(run_values(**broken)))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE jobs SET state = 'leased' WHERE kind = 'training'",
        "UPDATE jobs SET state = 'failed', finished = created",
        "UPDATE jobs SET state = 'succeeded'",
        "UPDATE jobs SET state = 'lost'",
        "UPDATE jobs SET timeframe = NULL WHERE kind = 'training'",
        "UPDATE jobs SET symbol = 'BTCUSDT' WHERE kind = 'survey'",
        "UPDATE jobs SET horizon = 1 WHERE kind = 'training'",
        "UPDATE attempts SET ended = started",
        "UPDATE attempts SET outcome = 'expired', ended = started",
        SECOND_ATTEMPT.format(job="job_id", number="number + 1", boot="'t2-boot'"),
        SECOND_ATTEMPT.format(job="job_id + 1", number="number", boot="boot_id"),
        "UPDATE trainers SET name = 'same'",
    ],
)
def test_the_database_refuses_what_the_rules_forbid(night: Night, statement: str) -> None:
    night.begin()
    night.grant(night.register("t1"))
    night.register("t2")
    with pytest.raises(IntegrityError), night.database.write() as tx:
        tx.connection.execute(text(statement))


@pytest.mark.parametrize("statement", ["UPDATE promotions SET sha256 = sha256", "DELETE FROM promotions"])
def test_the_history_of_promotions_cannot_be_rewritten(night: Night, statement: str) -> None:
    night.begin()
    night.survey_all(night.register())
    night.finish_all("t1-boot")
    night.housekeeping.tick()
    with pytest.raises(DBAPIError, match="only ever appended to"), night.database.write() as tx:
        tx.connection.execute(text(statement))


@pytest.mark.parametrize("table", ["champion_changes", "champion_tests"])
@pytest.mark.parametrize("statement", ["UPDATE {table} SET horizon = horizon", "DELETE FROM {table}"])
def test_the_history_of_champions_cannot_be_rewritten(night: Night, table: str, statement: str) -> None:
    for seed in ("first", "second"):
        trained(night, seed)
        night.housekeeping.tick()
    with night.database.read() as tx:
        assert tx.connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() > 0
    with pytest.raises(DBAPIError, match="only appended to"), night.database.write() as tx:
        tx.connection.execute(text(statement.format(table=table)))


def test_champions_of_before_are_taken_over_with_their_succession(
    empty_url: str, clock: Clock, today: Night
) -> None:
    for seed in ("first", "second"):
        trained(today, seed)
        today.housekeeping.tick()
    with today.database.read() as tx:
        wanted = [(one.action, one.model, one.former, one.run) for one in changes(tx.connection)]
        [champion] = champions(tx.connection)
    database = Database(empty_url, clock)
    upgrade(database, "0006")
    _copy(today.database, database)
    database.upgrade()
    with database.read() as tx:
        kept = [(one.action, one.model, one.former, one.run) for one in changes(tx.connection)]
        [still] = champions(tx.connection)
    assert kept == wanted and [one[0] for one in kept] == ["promoted", "replaced"]
    assert (still.sha256, still.job_id) == (champion.sha256, champion.job_id)
    database.close()


def test_what_was_reused_before_says_its_night_after_an_upgrade(
    empty_url: str, clock: Clock, tmp_path: Path, today: Night
) -> None:
    program = digest("this program")
    for _ in range(2):
        today.begin()
        today.survey_all(today.register(), program=program)
        today.finish_all("t1-boot", program=program)
        today.housekeeping.tick()
    database = Database(empty_url, clock)
    upgrade(database, "0017")
    _copy(today.database, database)
    database.upgrade()
    found = Night(database, settings(), tmp_path).jobs(kind=JobKind.TRAINING)
    assert [(one.run_id, one.reused_run) for one in found] == [(1, None)] * 8 + [(2, 1)] * 8
    assert {one.again for one in found} == {""}
    database.close()


# --- Transactions -------------------------------------------------------------------------------------------


def test_the_clock_stands_still_within_a_transaction(database: Database, clock: Clock) -> None:
    with database.write() as tx:
        clock.advance(5)
        assert tx.now == NOON
    with database.read() as tx:
        assert tx.now == NOON + timedelta(seconds=5)


def test_times_come_back_aware_and_equal_from_any_zone(database: Database) -> None:
    elsewhere = datetime(2026, 3, 2, 17, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with database.write() as tx:
        tx.connection.execute(insert(blobs).values(sha256=digest("x"), size=1, stored=elsewhere))
    with database.read() as tx:
        stored = tx.connection.execute(select(blobs.c.stored)).scalar_one()
    assert stored == elsewhere and stored.utcoffset() == timedelta(0)


def test_an_exception_takes_everything_back(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as tx:
        tx.connection.execute(insert(runs).values(run_values()))
        raise RuntimeError
    with database.read() as tx:
        assert tx.connection.execute(select(runs)).all() == []


def test_an_exception_takes_a_part_back_and_leaves_the_rest(database: Database) -> None:
    database.upgrade()

    def keep(name: str) -> None:
        tx.connection.execute(insert(blobs).values(sha256=digest(name), size=1, stored=tx.now))

    with database.write() as tx:
        keep("before")
        with tx.part():
            keep("within")
        with pytest.raises(IntegrityError), tx.part():
            keep("taken back")
            keep("before")
        keep("after")
    with database.read() as tx:
        kept = set(tx.connection.execute(select(blobs.c.sha256)).scalars())
    assert kept == {digest("before"), digest("within"), digest("after")}


def test_a_connection_that_is_lost_within_a_part_is_told_as_such(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no connection to lose")
    with pytest.raises(UnavailableError), database.write() as tx, tx.part():
        tx.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


def test_sqlite_survives_a_loss_of_power_and_checks_its_keys(migrated: Path) -> None:
    database = Database(sqlite_url(migrated))
    with database.read() as tx:
        pragmas = [
            tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    database.close()
    assert pragmas == ["wal", 2, 1]


def test_a_write_takes_the_lock_at_its_beginning(migrated: Path) -> None:
    database = Database(sqlite_url(migrated))
    other = sqlite3.connect(migrated, timeout=0)
    with database.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    with database.read():
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE alembic_version SET version_num = version_num")
        other.rollback()
    other.close()
    database.close()


def test_a_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="no time zone"), database.write() as tx:
        tx.connection.execute(update(runs).values(created=datetime(2026, 1, 1)))


def test_a_database_of_this_version_is_opened_without_alembic(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "night.db")
    Database(url).upgrade()
    code = f"""
import sys
from coordinator.store.database import Database
database = Database({url!r})
database.upgrade()
print(database.check(), "alembic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{HEAD} False\n"


def test_over_sqlite_nothing_of_postgresql_is_imported() -> None:
    found = "print([one for one in sys.modules if 'dialects.postgresql' in one])"
    source = f"import sys, coordinator.__main__; {found}"
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_the_log_of_sqlite_is_brought_into_the_database_seldom_and_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "nighttrain.db"
    database = Database(sqlite_url(path))
    database.upgrade()
    sizes = []
    for _ in range(60):
        with database.write() as tx:
            tx.connection.execute(
                insert(runs), run_values(state="cancelled", finished=NOON, config="x" * 1_000_000)
            )
        sizes.append(path.with_name(f"{path.name}-wal").stat().st_size)
    database.close()
    page = 4096
    assert sizes[20] > 20_000_000 and path.stat().st_size > 60_000_000
    assert max(sizes) < 1.1 * LOG_PAGES * page
