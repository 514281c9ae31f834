"""Why a trainer did nothing for a while."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

from coordinator.policy.speed import GapKind
from coordinator.views.gaps import Around, Crowd, Stay, reason_of
from tests.coordinator.specimens import NOON


def stay(start: float, end: float, words: str = "") -> Stay:
    return Stay(NOON + timedelta(seconds=start), NOON + timedelta(seconds=end), words)


GAP = stay(100, 200)
ALIVE = Around(processes=[stay(0, 1000)], waiting=[stay(0, 1000)], note="no room: 3 GiB are needed")


def test_each_circumstance_has_its_words() -> None:
    def why(**changes: object) -> str:
        return reason_of(GAP, "", False, replace(ALIVE, **changes))[1]  # type: ignore[arg-type]

    assert why(absences=[stay(90, 190)]) == "the coordinator was away"
    assert why(closed=[stay(0, 180)]) == "the window was closed"
    assert why(held=[stay(0, 180)]) == "an operator had paused the night"
    assert why(alone=[stay(50, 300, "X had its host alone")]) == "X had its host alone"
    assert why(alone=[stay(300, 400, "X had its host alone")]).startswith("1 job waited")
    assert why(waiting=[stay(0, 110)]) == "no job could begin: all were done or at work"
    assert why().startswith("1 job waited: none fitted")
    assert why(processes=[stay(300, 400)]) == "it had not started yet"
    assert why(processes=[stay(0, 90), stay(300, 400)]) == "its process was gone"
    restarted = why(processes=[stay(0, 90), stay(150, 400)])
    assert restarted == "it was restarted, and registered at 12:02:30 UTC"
    late = why(processes=[stay(150, 400)])
    assert late == "it had not started yet: it registered at 12:02:30 UTC"


def test_how_the_job_before_ended_goes_before_what_was_going_on_elsewhere() -> None:
    assert reason_of(GAP, "it fell silent", False, ALIVE) == (GapKind.INTERRUPTED, "it fell silent")
    away = reason_of(GAP, "it paused", False, replace(ALIVE, absences=[GAP]))
    assert away == (GapKind.AWAY, "the coordinator was away")


def test_the_last_gap_says_what_the_trainer_was_told_or_when_it_was_last_heard() -> None:
    assert reason_of(GAP, "", True, ALIVE) == (GapKind.UNFIT, "no room: 3 GiB are needed")
    empty = reason_of(GAP, "", True, replace(ALIVE, waiting=[]))
    assert empty == (GapKind.NOTHING_LEFT, "no job was left that could begin")
    gone = reason_of(GAP, "", True, replace(ALIVE, processes=[stay(0, 120)]))
    assert gone[1] == "its process was gone: it was last heard at 12:02:00 UTC"
    assert reason_of(GAP, "", True, replace(ALIVE, ended=True))[1].startswith("1 job waited")


def test_the_jobs_that_waited_are_counted_as_if_each_were_looked_at() -> None:
    draw = random.Random(7)

    def some(longest: int, shortest: int = 0) -> Stay:
        start = draw.randrange(60)
        return stay(start, start + draw.randint(shortest, longest))

    counts = set()
    for _ in range(300):
        stays, gap = [some(40) for _ in range(draw.randrange(12))], some(30, 1)
        expected = sum(one.overlap(gap) > gap.seconds / 2 for one in stays)
        assert Crowd(stays).filling(gap) == expected
        counts.add(expected)
    assert len(counts) > 5


def test_the_work_does_not_grow_with_gaps_times_jobs() -> None:
    looks = 0

    class Watched(datetime):
        def __lt__(self, other: datetime) -> bool:
            nonlocal looks
            looks += 1
            return datetime.__lt__(self, other)

    def moment(seconds: int) -> datetime:
        return Watched.fromtimestamp(NOON.timestamp() + seconds, NOON.tzinfo)

    cells = 1000
    crowd = Crowd([Stay(moment(0), moment(9 * place + 1)) for place in range(cells)])
    looks = 0
    waited = [crowd.filling(Stay(moment(9 * place + 2), moment(9 * place + 8))) for place in range(cells)]
    assert waited == list(range(cells - 1, -1, -1))
    assert 0 < looks < 60 * cells
