from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.policy.eta import Bulk, estimate
from tests.coordinator.specimens import NOON

seconds = st.floats(0.1, 1000)


def ends(
    running: list[tuple[float, float]],
    queued: list[float],
    residuals: list[float],
    trainers: int,
    delays: list[float] | None = None,
) -> tuple[float, float]:
    waiting = list(zip(queued, delays or [0.0] * len(queued), strict=True))
    eta = estimate(running, waiting, residuals, trainers, NOON, 1)
    assert eta.p50 is not None and eta.p90 is not None
    return (eta.p50 - NOON).total_seconds(), (eta.p90 - NOON).total_seconds()


def test_exact_durations_give_the_exact_end() -> None:
    assert ends([], [10.0] * 6, [1.0], 2) == (30.0, 30.0)
    assert ends([(10.0, 4.0)], [10.0, 10.0], [1.0], 2) == (16.0, 16.0)
    assert ends([(10.0, 4.0)], [], [1.0], 3) == (6.0, 6.0)


def test_nothing_left_ends_now() -> None:
    assert ends([], [], [], 0) == (0.0, 0.0)


def test_an_unknown_duration_or_no_trainer_leaves_the_end_unknown() -> None:
    for eta in (
        estimate([], [(1.0, 0.0), (None, 0.0)], [1.0], 1, NOON, 1),
        estimate([(None, 1.0)], [], [1.0], 1, NOON, 1),
        estimate([], [(1.0, 0.0)], [1.0], 0, NOON, 1),
    ):
        assert eta.p50 is None and eta.p90 is None


def test_a_job_that_outlived_its_expectation_does_not_end_in_the_past() -> None:
    assert ends([(10.0, 100.0)], [], [1.0], 1) == (10.0, 10.0)


def test_time_in_which_no_job_may_begin_counts() -> None:
    # A parked symbol is the last to end, though its job is short.
    assert ends([], [10.0, 1.0], [1.0], 1, [0.0, 600.0]) == (601.0, 601.0)
    assert ends([(10.0, 4.0)], [1.0], [1.0], 1, [600.0]) == (601.0, 601.0)
    # It delays nobody else, and those that come back together share the trainers.
    assert ends([], [10.0, 10.0, 10.0], [1.0], 1, [5.0, 0.0, 0.0]) == (30.0, 30.0)
    assert ends([], [10.0, 10.0], [1.0], 2, [600.0, 600.0]) == (610.0, 610.0)


@given(st.lists(st.tuples(seconds, st.floats(0, 1000)), min_size=1))
def test_nobody_begins_before_it_may(waiting: list[tuple[float, float]]) -> None:
    latest = max(mean + delay for mean, delay in waiting)
    _, p90 = ends([], [mean for mean, _ in waiting], [1.0], 1, [delay for _, delay in waiting])
    most = max(delay for _, delay in waiting) + sum(mean for mean, _ in waiting)
    assert latest - 1e-6 <= p90 <= most + 1e-6


def test_the_truth_lies_below_the_p90_about_nine_times_of_ten() -> None:
    # Durations of mean 10 whose ratios are known exactly: 40 jobs in a row end at a sum of 40 draws.
    ratios = [0.5, 0.75, 1.0, 1.25, 1.5]
    p50, p90 = ends([], [10.0] * 40, ratios * 20, 1)
    spread = 10 * 40**0.5 * 0.3536
    assert abs(p50 - 400) < spread
    assert 400 + 0.8 * spread < p90 < 400 + 2.2 * spread


@given(
    st.lists(st.tuples(seconds, seconds), max_size=3),
    st.lists(seconds, min_size=1),
    st.lists(seconds, min_size=1),
)
def test_the_estimate_is_ordered_repeatable_and_sooner_with_more_hands(
    running: list[tuple[float, float]], queued: list[float], residuals: list[float]
) -> None:
    p50, p90 = ends(running, queued, residuals, 2)
    assert 0 <= p50 <= p90
    assert (p50, p90) == ends(running, queued, residuals, 2)
    assert (
        ends(running, queued, residuals, len(running) + len(queued))[1]
        <= ends(running, queued, residuals, 1)[1] + 1e-6
    )


def test_the_unit_is_seconds() -> None:
    assert estimate([], [(3600.0, 0.0)], [1.0], 1, NOON, 1).p50 == NOON + timedelta(hours=1)


def test_of_many_jobs_the_sum_says_what_playing_each_would() -> None:
    ratios = [0.6, 0.8, 1.0, 1.1, 1.5, 2.0]
    means = [float(3 + number % 7) for number in range(3000)]
    running = [(10.0, 2.0)] * 8
    one_by_one = ends(running, means, ratios * 10, 8)
    first, last = means[:-60], means[-60:]
    before = Bulk(sum(first), sum(mean * mean for mean in first))
    eta = estimate(running, [(mean, 0.0) for mean in last], ratios * 10, 8, NOON, 1, before)
    assert eta.p50 is not None and eta.p90 is not None
    summed = [(end - NOON).total_seconds() for end in (eta.p50, eta.p90)]
    assert summed == pytest.approx(one_by_one, rel=0.03)


@given(st.lists(seconds, max_size=5), st.integers(1, 6), st.floats(1, 10_000))
def test_a_bulk_is_shared_by_the_trainers_that_are_free_first(
    left: list[float], hands: int, bulk: float
) -> None:
    running = [(mean, 0.0) for mean in left[:hands]]
    eta = estimate(running, [], [1.0], hands, NOON, 1, Bulk(bulk, bulk))
    assert eta.p50 is not None
    end = (eta.p50 - NOON).total_seconds()
    whole = bulk + sum(mean for mean, _ in running)
    longest = max((mean for mean, _ in running), default=0.0)
    assert end >= max(whole / hands, longest) - 1e-3
    assert end <= longest + bulk / hands + 1e-3
