"""Which cells are left for the next night."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from coordinator.policy.shedding import Waiting, shed

PLAIN = Waiting(job_id=1, seconds=10.0, champion_days=10.0, volume=1.0, auc=0.53)

WAITING = st.lists(
    st.builds(
        Waiting,
        job_id=st.integers(1, 1000),
        seconds=st.floats(0.1, 100),
        champion_days=st.none() | st.floats(0, 1000),
        volume=st.floats(0, 1e9),
        auc=st.none() | st.floats(0.4, 0.7),
    ),
    max_size=30,
    unique_by=lambda cell: cell.job_id,
)


def cells(**values: list[object]) -> list[Waiting]:
    (column,) = values
    return [
        replace(PLAIN, job_id=number, **{column: value})
        for number, value in enumerate(values[column], start=1)
    ]


def test_where_all_fit_nothing_is_left() -> None:
    assert shed(cells(volume=[1.0, 2.0, 3.0]), 30.0) == frozenset()
    assert shed([], -5.0) == frozenset()


def test_what_is_traded_least_is_left_first() -> None:
    assert shed(cells(volume=[2.0, 1.0, 3.0]), 25.0) == {2}
    assert shed(cells(volume=[2.0, 1.0, 3.0]), 15.0) == {1, 2}


def test_a_young_champion_can_wait_and_no_champion_is_the_oldest() -> None:
    assert shed(cells(champion_days=[300.0, 2.0, None]), 20.0) == {2}
    assert shed(cells(champion_days=[300.0, 2.0, None]), 10.0) == {1, 2}


def test_what_scored_worst_is_left_first_and_what_was_never_scored_is_middling() -> None:
    assert shed(cells(auc=[0.55, None, 0.51]), 20.0) == {3}
    assert shed(cells(auc=[0.55, None, 0.51]), 10.0) == {2, 3}


def test_a_long_cell_that_no_longer_fits_lets_a_short_one_pass() -> None:
    long, short = replace(PLAIN, job_id=1, volume=9.0, seconds=60.0), replace(PLAIN, job_id=2, seconds=5.0)
    assert shed([long, short], 20.0) == {1}


def test_of_equal_cells_the_first_of_the_grid_are_kept() -> None:
    assert shed([replace(PLAIN, job_id=number) for number in (7, 8, 9)], 20.0) == {9}


@given(WAITING, st.floats(-10, 2000))
def test_what_is_kept_fits_and_nothing_that_is_left_would(waiting: list[Waiting], capacity: float) -> None:
    left = shed(waiting, capacity)
    kept = sum(cell.seconds for cell in waiting if cell.job_id not in left)
    assert kept <= max(capacity, 0.0) + 1e-9
    for cell in waiting:
        if cell.job_id in left:
            assert kept + cell.seconds > capacity - 1e-9
