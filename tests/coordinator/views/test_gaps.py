"""Why a trainer did nothing for a while."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from coordinator.views.gaps import Around, Stay, reason_of
from tests.coordinator.specimens import NOON


def stay(start: float, end: float, words: str = "") -> Stay:
    return Stay(NOON + timedelta(seconds=start), NOON + timedelta(seconds=end), words)


GAP = stay(100, 200)
ALIVE = Around(processes=[stay(0, 1000)], waiting=[stay(0, 1000)], note="no room: 3 GiB are needed")


def test_each_circumstance_has_its_words() -> None:
    def why(**changes: object) -> str:
        return reason_of(GAP, "", False, replace(ALIVE, **changes))  # type: ignore[arg-type]

    assert why(absences=[stay(90, 190)]) == "the coordinator was away"
    assert why(closed=[stay(0, 180)]) == "the window was closed"
    assert why(alone=[stay(50, 300, "X had its host alone")]) == "X had its host alone"
    assert why(alone=[stay(300, 400, "X had its host alone")]).startswith("1 job waited")
    assert why(waiting=[stay(0, 110)]) == "no job could begin: all were done or at work"
    assert why().startswith("1 job waited, and none fitted")
    assert why(processes=[stay(300, 400)]) == "it had not started yet"
    assert why(processes=[stay(0, 90), stay(300, 400)]) == "its process was gone"
    restarted = why(processes=[stay(0, 90), stay(150, 400)])
    assert restarted == "it was restarted, and registered at 12:02:30 UTC"


def test_how_the_job_before_ended_goes_before_what_was_going_on_elsewhere() -> None:
    assert reason_of(GAP, "it had fallen silent", False, ALIVE) == "it had fallen silent"
    assert reason_of(GAP, "it paused", False, replace(ALIVE, absences=[GAP])) == "the coordinator was away"


def test_the_last_gap_says_what_the_trainer_was_told_or_when_it_was_last_heard() -> None:
    assert reason_of(GAP, "", True, ALIVE) == "no room: 3 GiB are needed"
    assert reason_of(GAP, "", True, replace(ALIVE, waiting=[])) == "no job was left that could begin"
    gone = reason_of(GAP, "", True, replace(ALIVE, processes=[stay(0, 120)]))
    assert gone == "its process was gone: it was last heard at 12:02:00 UTC"
    assert reason_of(GAP, "", True, replace(ALIVE, ended=True)).startswith("1 job waited")
