from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, bindparam, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, InvalidRequestError, OperationalError, StatementError

from common.protocol.jobs import Cause
from common.protocol.trainers import Grant
from coordinator.queue.results import Model
from coordinator.store.database import Database
from coordinator.store.errors import DamagedValueError
from coordinator.store.prepared import Answer, Prepared
from coordinator.store.tables import blobs, runs
from tests.coordinator.specimens import (
    FULL_DISK,
    NOON,
    Clock,
    MakeNight,
    Night,
    claim,
    digest,
    failure,
    finish,
    release,
    renewal,
    spec_of,
    training_report,
)

RUN = {"state": "running", "config": "{}", "synthetic": False, "created": NOON, "results_path": ""}


@pytest.fixture
def connection(database_url: str, clock: Clock) -> Iterator[Connection]:
    database = Database(database_url, clock)
    with database.write() as tx:
        yield tx.connection
    database.close()


def contents(connection: Connection) -> list[str]:
    """All that a SQLite database holds, as the statements that would make it again."""
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    rows = []
    names = driver.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    for (name,) in names:
        rows += [f"{name} {row}" for row in driver.execute(f"SELECT * FROM {name} ORDER BY rowid")]
    return rows


class Twice:
    """Asks each prepared statement through SQLAlchemy first, takes that back, and compares."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        self._lean = Prepared.on
        monkeypatch.setattr(Prepared, "on", lambda *given: self._on(*given))

    def _on(self, prepared: Prepared, connection: Connection, values: Mapping[str, Any] = {}) -> Answer:
        statement = str(prepared.statement)
        if statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN")):
            return self._lean(prepared, connection, values)
        connection.exec_driver_sql("SAVEPOINT twice")
        through = Answer.of(connection.execute(prepared.statement, dict(values)))
        expected = contents(connection)
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT twice")
        connection.exec_driver_sql("RELEASE SAVEPOINT twice")
        lean = self._lean(prepared, connection, values)
        self.asked[statement] += 1
        assert [tuple(row) for row in lean] == [tuple(row) for row in through]
        for row, other in zip(lean, through, strict=True):
            # What a query gives no name, nobody reads by its name.
            named = {name: value for name, value in row._mapping.items() if name}
            assert named.items() <= dict(other._mapping).items()
        if not prepared.statement.is_select:
            assert lean.rowcount == through.rowcount
        assert contents(connection) == expected
        return lean


def finish_and_claim(night: Night, grant: Grant, boot: str) -> Grant:
    report, content = training_report(spec_of(grant))
    done = finish(report, report.manifest.pickle_sha256)
    following = claim(boot, spec_of(grant).cell.symbol)
    model = Model(done.artifact_sha256, len(content))
    answer = night.queue.finish(grant.lease_id, done.model_copy(update={"next_claim": following}), model)
    assert isinstance(answer, Grant)
    return answer


def test_every_statement_of_a_troubled_night_is_answered_and_changes_what_it_does_through_sqlalchemy(
    make_night: MakeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = make_night()
    if not night.database.is_sqlite:
        pytest.skip("PostgreSQL is asked through SQLAlchemy")
    twice = Twice(monkeypatch)
    first = night.start()
    second = night.register("t2", "t2-boot", host="host-b")
    third = night.register("t3", "t3-boot", host="host-b")
    night.succeed(finish_and_claim(night, night.grant(first), first))
    for cause in Cause.ERROR, Cause.CRASH, Cause.OOM, Cause.STORAGE:
        grant = night.grant(second)
        night.queue.renew(grant.lease_id, renewal())
        night.queue.fail(grant.lease_id, failure(cause))
        night.clock.advance(70.0)
        night.queue.expire()
    night.claim(third, disk=FULL_DISK)
    grant = night.grant(first)
    night.queue.release(grant.lease_id, release())
    night.grant(third)
    night.clock.advance(night.settings.lease.seconds + 1)
    night.queue.expire()
    night.queue.fail_roomless()
    night.clock.advance(3600.0)
    night.finish_all(first)
    night.housekeeping.tick()
    assert len(twice.asked) >= 25
    assert sum(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in twice.asked) >= 8


def test_rows_are_read_by_position_by_name_and_as_a_mapping(connection: Connection) -> None:
    Prepared(runs.insert()).on(connection, RUN)
    query = select(runs.c.state, runs.c.synthetic, runs.c.created, runs.c.decided)
    row = (
        Prepared(query.where(runs.c.state == bindparam("wanted"))).on(connection, {"wanted": "running"}).one()
    )
    assert tuple(row) == ("running", False, NOON, None)
    assert (row[2], row.created, row.synthetic) == (NOON, NOON, False)
    assert dict(row._mapping) == {"state": "running", "synthetic": False, "created": NOON, "decided": None}
    assert list(Prepared(query).on(connection).scalars()) == ["running"]
    assert Prepared(query).on(connection).scalar() == "running"


def test_nothing_is_found_where_there_is_nothing(connection: Connection) -> None:
    answer = Prepared(select(runs.c.id)).on(connection)
    assert (answer.all(), answer.first(), answer.scalar()) == ([], None, None)
    with pytest.raises(ValueError, match="not enough values"):
        answer.one()


def test_one_statement_takes_other_columns_each_time(connection: Connection) -> None:
    Prepared(runs.insert()).on(connection, RUN)
    change = Prepared(update(runs).where(runs.c.state == bindparam("before")))
    assert change.on(connection, {"before": "running", "results_path": "a"}).rowcount == 1
    assert change.on(connection, {"before": "running", "decided": NOON, "paused": NOON}).rowcount == 1
    assert change.on(connection, {"before": "finished", "results_path": "b"}).rowcount == 0
    row = connection.execute(select(runs.c.results_path, runs.c.decided, runs.c.paused)).one()
    assert tuple(row) == ("a", NOON, NOON)


def test_constants_of_a_statement_are_stored_as_their_columns_store_them(connection: Connection) -> None:
    Prepared(runs.insert()).on(connection, RUN)
    since = Prepared(select(func.count()).where(runs.c.created >= NOON, runs.c.state == "running"))
    assert since.on(connection).scalar_one() == 1


def test_a_list_is_asked_through_sqlalchemy(connection: Connection) -> None:
    Prepared(runs.insert()).on(connection, RUN)
    query = Prepared(select(runs.c.state).where(runs.c.state.in_(bindparam("some", expanding=True))))
    assert query.on(connection, {"some": ["running", "finished"]}).all() == [("running",)]
    assert query.on(connection, {"some": ["finished"]}).all() == []


def test_a_parameter_without_a_value_is_refused_and_not_taken_for_nothing(connection: Connection) -> None:
    query = Prepared(select(runs.c.id).where(runs.c.state == bindparam("wanted")))
    with pytest.raises((InvalidRequestError, StatementError), match="wanted"):
        query.on(connection)


def test_what_the_database_refuses_is_an_error_of_sqlalchemy(connection: Connection) -> None:
    stored = {"sha256": digest("a"), "size": 1, "stored": NOON}
    Prepared(insert(blobs)).on(connection, stored)
    with pytest.raises(IntegrityError) as caught, connection.begin_nested():
        Prepared(insert(blobs)).on(connection, stored)
    assert caught.value.orig is not None


def test_a_query_in_text_is_refused_and_not_answered_with_nothing(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL is asked through SQLAlchemy")
    with pytest.raises(AssertionError, match="columns of this statement are not known"):
        Prepared(text("SELECT 1")).on(connection)


@pytest.mark.parametrize("stored", ["'noon'", "12"])
def test_a_time_that_was_never_written_as_one_is_damage(connection: Connection, stored: str) -> None:
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has a type for times")
    Prepared(runs.insert()).on(connection, RUN)
    connection.execute(text(f"UPDATE runs SET created = {stored}"))
    with pytest.raises(DamagedValueError, match="is no time"):
        Prepared(select(runs.c.created)).on(connection)


@pytest.mark.parametrize(
    "zone", [UTC, timezone(timedelta(hours=5, minutes=30)), ZoneInfo("America/New_York")]
)
@pytest.mark.parametrize(
    ("when", "stored"),
    [
        (NOON, "2026-03-02 12:00:00.000000"),
        (NOON.replace(second=7, microsecond=120), "2026-03-02 12:00:07.000120"),
        (datetime(201, 7, 1, 23, 59, tzinfo=UTC), "0201-07-01 23:59:00.000000"),
    ],
)
def test_a_time_is_stored_in_utc_in_a_form_that_sorts_as_text(
    connection: Connection, when: datetime, stored: str, zone: tzinfo
) -> None:
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL has a type for times")
    Prepared(runs.insert()).on(connection, {**RUN, "created": when.astimezone(zone)})
    assert connection.execute(text("SELECT created FROM runs")).scalar() == stored
    for read in (
        Prepared(select(runs.c.created)).on(connection).scalar(),
        connection.execute(select(runs.c.created)).scalar(),
    ):
        assert read == when and read.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(connection: Connection) -> None:
    with pytest.raises((ValueError, StatementError), match="has no time zone"):
        Prepared(runs.insert()).on(connection, {**RUN, "created": NOON.replace(tzinfo=None)})


def test_a_transaction_begins_with_it(database_url: str, clock: Clock) -> None:
    database = Database(database_url, clock)
    with database.engine.connect() as connection:
        Prepared(runs.insert()).on(connection, RUN)
        connection.rollback()
    with database.read() as tx:
        assert Prepared(select(runs.c.id)).on(tx.connection).all() == []
    database.close()


def test_a_statement_that_is_none_is_an_error_of_sqlalchemy(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        pytest.skip("an error ends PostgreSQL's transaction")
    with pytest.raises(OperationalError, match="syntax"):
        Prepared(text("SELECT FROM WHERE")).on(connection)
