"""Which disk takes a job."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.protocol.jobs import JobKind
from common.protocol.trainers import NoWork
from coordinator.policy.admission import Choice, Refusal, choose
from coordinator.policy.disk import (
    ANY_DISK,
    RESERVE_BYTES,
    Disk,
    matrix_bytes,
    pause_seconds,
)
from tests.coordinator.policy.test_admission import job, seat, terms
from tests.coordinator.specimens import GIB, NOON

MIB = 1024**2
ROOMY = Disk("/cache", 10 * GIB)


def told(disk: Disk, **changes: object) -> Choice | Refusal:
    return choose([job(1, **changes)], replace(seat(), disk=disk), terms())


@pytest.mark.parametrize(
    ("disk", "words"),
    [
        (
            replace(ROOMY, problem="Read-only file system"),
            "/cache cannot be written: Read-only file system; free some room or fix the folder",
        ),
        (replace(ROOMY, free_bytes=MIB // 2), "/cache has only 0.5 MiB left: free some room"),
        (
            replace(ROOMY, paused_until=NOON + timedelta(seconds=1), paused_by="/cache/x: no room"),
            "/cache/x: no room",
        ),
    ],
)
def test_a_disk_that_takes_nothing_says_why(disk: Disk, words: str) -> None:
    assert told(disk) == Refusal(NoWork.STORAGE, words, cannot_write=True)
    assert choose([], replace(seat(), disk=disk), terms()) == Refusal(
        NoWork.STORAGE, words, cannot_write=True
    )


@pytest.mark.parametrize(
    "disk", [ANY_DISK, ROOMY, Disk("/cache", RESERVE_BYTES), replace(ROOMY, paused_until=NOON)]
)
def test_a_disk_that_takes_a_job(disk: Disk) -> None:
    assert isinstance(told(disk), Choice)


def test_a_job_needs_room_for_its_matrix_and_a_little_more() -> None:
    needed = matrix_bytes(50_000)
    assert needed == 10_000_000
    assert isinstance(told(Disk("/cache", needed + RESERVE_BYTES), disk_bytes=needed), Choice)
    assert told(Disk("/cache", needed + RESERVE_BYTES - 1), disk_bytes=needed) == Refusal(
        NoWork.STORAGE, "10.5 MiB are needed in /cache, which has 10.5 MiB left: free some room"
    )
    assert isinstance(told(Disk("/cache", None), disk_bytes=needed), Choice), (
        "where nobody knows, it is tried"
    )
    assert isinstance(told(Disk("/cache", RESERVE_BYTES)), Choice), "its matrix is there"


def test_a_pause_is_as_long_as_the_trouble_has_lasted_within_bounds() -> None:
    assert [pause_seconds(seconds) for seconds in (0, 1, 2, 3, 59, 60, 1e6)] == [2, 2, 2, 3, 59, 60, 60]


@given(
    free=st.none() | st.integers(0, 100 * MIB),
    problem=st.sampled_from(["", "No space left on device"]),
    pause=st.none() | st.floats(-100, 100),
    needs=st.lists(st.integers(0, 100 * MIB), min_size=1, max_size=5),
)
def test_whatever_the_disk_the_job_fits_and_a_refusal_says_why(
    free: int | None, problem: str, pause: float | None, needs: list[int]
) -> None:
    until = None if pause is None else NOON + timedelta(seconds=pause)
    disk = Disk("/cache", free, problem, until, "it was full")
    jobs = [job(number, disk_bytes=needed) for number, needed in enumerate(needs)]
    choice = choose(jobs, replace(seat(), disk=disk), terms())
    paused = until is not None and until > NOON
    if isinstance(choice, Choice):
        assert not problem and not paused
        assert free is None or free >= RESERVE_BYTES
        needed = needs[choice.job_id]
        assert free is None or not needed or free >= needed + RESERVE_BYTES
    else:
        assert choice.reason is NoWork.STORAGE and choice.words
        assert problem or paused or free is not None
        smallest = min(needs)
        fits = free is None or free >= (smallest + RESERVE_BYTES if smallest else RESERVE_BYTES)
        assert problem or paused or not fits


def test_a_survey_is_tried_wherever_anything_can_be_written() -> None:
    assert isinstance(told(Disk("/cache", 2 * MIB), kind=JobKind.SURVEY, rows=0), Choice)
