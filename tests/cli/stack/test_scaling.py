"""How many containers of trainers there should be, by what the coordinator says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.stack.scaling import LOWER_AFTER, Bounds, Course, Wish, due, wish
from common.protocol.status import HostView, StatusDocument
from coordinator.api.openapi import example

NOW = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
BOUNDS = Bounds(1, 6)


def status(queued: int = 50, leased: int = 2, finished: bool = False, **host: Any) -> StatusDocument:
    """A night of so many jobs, on one host."""
    shown = example("operators")["show_status"]["responses"]["200"]["examples"]["under_way"]
    document = StatusDocument.model_validate(shown)
    assert document.run is not None
    view = {"name": "here", "trainers": 2, "working": 2, "limit": 4, "reason": "4 cores may be used", **host}
    training = document.run.training.model_copy(update={"queued": queued, "leased": leased})
    surveys = document.run.surveys.model_copy(update={"queued": 0, "leased": 0})
    run = document.run.model_copy(
        update={"training": training, "surveys": surveys, "finished": NOW if finished else None}
    )
    return document.model_copy(update={"run": run, "hosts": (HostView(**view),)})


@pytest.mark.parametrize(
    ("said", "present", "wanted", "why"),
    [
        ({}, 2, 4, "4 cores may be used"),
        ({"limit": 9}, 2, 6, "4 cores may be used, and 1 to 6 may run"),
        ({"queued": 1}, 2, 3, "only 3 jobs are left"),
        ({"queued": 0}, 4, 4, "4 cores may be used"),
        ({"limit": 1, "working": 3}, 4, 3, "4 cores may be used"),
        ({"limit": 1, "working": 1}, 4, 1, "4 cores may be used"),
        ({"limit": None, "reason": ""}, 3, 3, "sets no limit"),
        ({"asked_for": True}, 3, 3, "num_workers asks for a number"),
        ({"queued": 0, "leased": 0}, 5, 5, "no job"),
        ({"finished": True}, 5, 5, "no job"),
        ({"finished": True}, 0, 1, "at least 1"),
        ({"finished": True}, 9, 6, "no more than 6"),
    ],
)
def test_the_number_follows_the_limit_of_this_machine_within_bounds(
    said: dict[str, Any], present: int, wanted: int, why: str
) -> None:
    found = wish(status(**said), "here", present, BOUNDS)
    assert found.trainers == wanted and why in found.why


def test_the_limit_of_another_machine_says_nothing_if_this_one_has_trainers_too() -> None:
    there = status(name="there", limit=5)
    both = there.model_copy(update={"hosts": (*there.hosts, *status(limit=3).hosts)})
    assert wish(both, "here", 2, BOUNDS).trainers == 3
    assert wish(both, "elsewhere", 2, BOUNDS) == Wish(2, "no trainer of this machine is alive")
    # In the machine of Docker Desktop the only host has a name that nobody outside knows.
    assert wish(there, "here", 2, BOUNDS).trainers == 5


def test_more_are_started_at_once_and_fewer_kept_only_when_that_has_lasted() -> None:
    more, fewer = Wish(4, "why"), Wish(1, "why")
    assert due(more, 2, Course(), NOW) == (more, Course())
    todo, course = due(fewer, 4, Course(), NOW)
    assert todo is None
    todo, course = due(Wish(2, "why"), 4, course, NOW + LOWER_AFTER / 2)
    assert todo is None
    todo, course = due(fewer, 4, course, NOW + LOWER_AFTER)
    assert todo == Wish(2, "why") and course == Course()


def test_a_limit_that_falls_and_rises_again_stops_no_container() -> None:
    course, present = Course(), 4
    for minute in range(60):
        wished = Wish(2 if minute % 4 else 4, "why")
        todo, course = due(wished, present, course, NOW + timedelta(minutes=minute))
        assert todo is None
