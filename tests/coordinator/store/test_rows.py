"""Which run is the newest, which is the running one, and which attempts are open."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from common.errors import NotFoundError
from coordinator.store.rows import OPEN_ATTEMPTS, find_run, newest_run, running_run
from tests.coordinator.specimens import Night


def test_before_the_first_run_there_is_none(night: Night) -> None:
    with night.database.read() as tx:
        assert newest_run(tx) is None and running_run(tx) is None
        with pytest.raises(NotFoundError, match="there is no night 1"):
            find_run(tx, 1)


def test_a_cancelled_run_is_the_newest_but_does_not_run(night: Night) -> None:
    first = night.begin()
    with night.database.read() as tx:
        assert newest_run(tx) == running_run(tx) == find_run(tx, first)
    night.cancel(first)
    with night.database.read() as tx:
        assert running_run(tx) is None
        assert newest_run(tx) == find_run(tx, first)


def test_of_two_runs_the_later_is_the_newest(night: Night) -> None:
    first = night.begin()
    night.cancel(first)
    second = night.begin()
    with night.database.read() as tx:
        newest, running = newest_run(tx), running_run(tx)
    assert newest is not None and running is not None
    assert newest.id == running.id == second != first


def test_open_attempts_are_found_without_reading_those_of_all_nights(night: Night) -> None:
    if not night.database.is_sqlite:
        pytest.skip("PostgreSQL plans by what it has counted")
    with night.database.read() as tx:
        asked = f"EXPLAIN QUERY PLAN {OPEN_ATTEMPTS.compile(tx.connection)}"
        plan = [row[3] for row in tx.connection.execute(text(asked))]
    assert "SCAN attempts USING INDEX one_open_attempt_a_job" in plan
