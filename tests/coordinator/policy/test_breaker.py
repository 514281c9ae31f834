from datetime import timedelta

import pytest

from common.protocol.jobs import BREAKER_CAUSES, Cause
from coordinator.policy.breaker import Breaker, Gate
from tests.coordinator.specimens import NOON


def failed(breaker: Breaker, *jobs: int, cause: Cause = Cause.ERROR, after: float = 0) -> Breaker:
    for job in jobs:
        breaker = breaker.failed(job, cause, NOON + timedelta(seconds=after), failures=3, park_seconds=60)
    return breaker


def gate(breaker: Breaker, after: float) -> Gate:
    return breaker.gate(NOON + timedelta(seconds=after))


def test_as_many_cells_in_a_row_as_allowed_park_the_symbol_for_the_time_that_is_set() -> None:
    assert gate(failed(Breaker(), 1, 2), 0) is Gate.CLOSED
    parked = failed(Breaker(), 1, 2, 3)
    assert [gate(parked, 0), gate(parked, 59.9), gate(parked, 60)] == [
        Gate.PARKED,
        Gate.PARKED,
        Gate.PROBATION,
    ]


def test_retries_of_one_cell_count_once() -> None:
    assert gate(failed(Breaker(), 1, 1, 1, 2, 2), 0) is Gate.CLOSED


def test_a_success_in_between_begins_the_row_anew() -> None:
    assert gate(failed(failed(Breaker(), 1, 2).succeeded(), 3, 4), 0) is Gate.CLOSED


@pytest.mark.parametrize("cause", sorted(set(Cause) - BREAKER_CAUSES))
def test_causes_that_do_not_speak_against_the_data_do_not_count(cause: Cause) -> None:
    assert failed(Breaker(), 1, 2, 3, 4, cause=cause) == Breaker()


def test_a_failing_probe_parks_again_and_a_succeeding_one_closes() -> None:
    parked = failed(Breaker(), 1, 2, 3)
    again = failed(parked, 3, after=70)
    assert gate(again, 129) is Gate.PARKED and gate(again, 130) is Gate.PROBATION
    assert gate(parked.succeeded(), 0) is Gate.CLOSED


def test_a_job_leased_before_the_parking_does_not_prolong_it() -> None:
    parked = failed(Breaker(), 1, 2, 3)
    assert failed(parked, 4, after=30).parked_until == parked.parked_until
