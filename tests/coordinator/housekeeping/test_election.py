"""One leader among coordinators over one PostgreSQL database, and the fence that its successor raises."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from coordinator.housekeeping.election import LEASE_SECONDS, TRY_SECONDS, DeposedError, Election
from coordinator.housekeeping.loop import TURN_SECONDS
from coordinator.store.database import Database
from coordinator.store.seats import Seat
from coordinator.store.tables import leadership, symbols
from tests.coordinator.process import eventually

pytestmark = pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)

Join = Callable[[str], Election]


@pytest.fixture
def join(database_url: str) -> Iterator[Join]:
    """Makes candidates, each with connections of its own, as processes have them; none renews by itself."""
    with ExitStack() as stack:

        def make(instance: str) -> Election:
            database = Database(database_url)
            stack.callback(database.close)
            return Election(database, Seat("folder", instance, "/night"))

        yield make


def look(candidate: Election) -> int | None:
    """Have a candidate renew or try, and return its term if it leads."""
    candidate._try()
    held = candidate.leadership()
    return None if held is None else held.term


def lapse(candidate: Election) -> None:
    """Let the lease run out, as it does while its holder is stopped."""
    with candidate.database.write() as tx:
        tx.connection.execute(text("UPDATE leadership SET expires = clock_timestamp() - interval '1 s'"))


def test_the_first_leads_as_long_as_it_renews_and_its_lease_is_no_longer_than_said(join: Join) -> None:
    first, second = join("a"), join("b")
    assert (look(first), look(second), look(first), look(second)) == (1, None, 1, None)
    with first.database.read() as tx:
        left = tx.connection.execute(
            text("SELECT extract(epoch FROM expires - clock_timestamp()) FROM leadership")
        ).scalar_one()
    assert LEASE_SECONDS - 5 < left <= LEASE_SECONDS
    # The next one leads by the end of the lease, its next look at it, and the next turn of its loop.
    assert LEASE_SECONDS + TRY_SECONDS + TURN_SECONDS < 10


def test_a_lease_that_ran_out_is_taken_with_a_larger_number_and_the_former_leader_sees_it(join: Join) -> None:
    first, second = join("a"), join("b")
    look(first)
    lapse(second)
    assert look(second) == 2
    held = second.leadership()
    assert held is not None and 1 <= held.vacant_seconds < 60
    assert look(first) is None
    # It is a candidate like others from now on.
    lapse(second)
    assert look(first) == 3


def test_whoever_has_the_seat_of_a_dead_leader_leads_at_once_and_nobody_else(join: Join) -> None:
    look(join("a"))
    assert look(join("b")) is None
    assert look(join("a")) == 2


def test_a_leader_that_ends_leaves_the_lead_to_others_at_once(join: Join) -> None:
    first, second = join("a"), join("b")
    first.begin()
    assert look(second) is None
    first.end()
    assert first.leadership() is None and look(second) == 2


def test_of_many_that_try_at_once_one_leads(join: Join) -> None:
    candidates = [join(str(number)) for number in range(6)]
    together = threading.Barrier(len(candidates))

    def run(candidate: Election) -> None:
        together.wait()
        candidate._try()

    threads = [threading.Thread(target=run, args=(one,)) for one in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.leadership() is not None for one in candidates) == 1


def test_terms_that_come_again_after_a_restore_let_no_former_leader_write(join: Join) -> None:
    first, second, third = join("a"), join("b"), join("c")
    look(first)
    with first.database.read() as tx:
        backup = dict(tx.connection.execute(select(leadership)).one()._mapping)
    lapse(second)
    assert look(second) == 2
    with first.database.write() as tx:
        tx.connection.execute(update(leadership).values(**backup))
    lapse(third)
    assert look(third) == 2
    # Its term has the same number, which it had in what is lost.
    with pytest.raises(DeposedError), second.database.fenced(second.fence).write():
        pass
    assert look(second) is None and look(third) == 2


def test_a_late_write_of_a_former_leader_is_refused_and_changes_nothing(join: Join) -> None:
    first, second = join("a"), join("b")
    look(first)
    kept = first.database.fenced(first.fence)
    with kept.write() as tx:
        tx.connection.execute(update(leadership).values(store="while it leads"))
    lapse(second)
    look(second)
    with pytest.raises(DeposedError, match="another coordinator leads"), kept.write() as tx:
        tx.connection.execute(update(leadership).values(store="too late"))
    with second.database.read() as tx:
        assert tx.connection.execute(text("SELECT store FROM leadership")).scalar_one() == "folder"


def test_a_leader_stopped_within_a_write_is_cut_off_and_the_write_undone(join: Join) -> None:
    first, second = join("a"), join("b")
    look(first)
    kept = first.database.fenced(first.fence)
    with pytest.raises(Exception, match=r"terminat|closed|does not answer"), kept.write() as tx:
        tx.connection.execute(update(symbols).values(failing="[1]"))
        lapse(second)
        began = time.monotonic()
        assert look(second) == 2
        assert time.monotonic() - began < LEASE_SECONDS
        tx.connection.execute(update(symbols).values(failing="[2]"))


def test_a_long_write_of_the_leader_does_not_keep_it_from_renewing(join: Join) -> None:
    first, second = join("a"), join("b")
    look(first)
    with first.database.fenced(first.fence).write() as tx:
        tx.connection.execute(text("SELECT 1"))
        assert look(first) == 1 and look(second) is None
    assert look(first) == 1


def test_an_election_goes_on_after_its_connections_were_lost(join: Join) -> None:
    first = join("a")
    first.begin()
    try:
        ended = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :session"
        )
        with join("b").database.write() as tx:
            tx.connection.execute(ended, {"session": first.database.session})
        deadline = first._until
        eventually(lambda: True if first._until > deadline else None)
        held = first.leadership()
        assert held is not None and held.term == 1
    finally:
        first.end()


def test_a_clock_that_differs_from_the_databases_is_told(join: Join) -> None:
    right = join("a")
    look(right)
    assert right.troubles() == ()
    wrong = join("b")
    real = wrong.database.clock
    wrong.database.clock = lambda: real() + timedelta(seconds=30)
    look(wrong)
    [words] = wrong.troubles()
    assert "30 s ahead of the database's" in words
