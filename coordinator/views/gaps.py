"""Why a trainer did nothing for a while: a pure decision over what is kept of a night.

Why it got no job is kept only for its last claim. For what is past the reason is found from what was going
on: the coordinator was away, the window was closed, the trainer was restarted or fell silent, a job ran alone
on its host, or no job was left that could begin.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from coordinator.policy.speed import GapKind

LONGEST_ROUTINE_SECONDS = 3.0
"""Between two jobs a trainer reports, asks and forks: a shorter gap needs no reason."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A time from `start` to `end`, with what it is in words; `kind` is that of a gap."""

    start: datetime
    end: datetime
    words: str = ""
    kind: GapKind | None = None

    def overlap(self, other: Stay) -> float:
        """Return for how many seconds both are."""
        return max((min(self.end, other.end) - max(self.start, other.start)).total_seconds(), 0.0)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.start).total_seconds()


class Crowd:
    """Many stays, of which those that fill most of a gap are counted without a look at each."""

    def __init__(self, stays: Sequence[Stay]) -> None:
        self._by_start = sorted((one for one in stays if one.start < one.end), key=lambda one: one.start)
        self._starts = [one.start for one in self._by_start]
        self._ends = sorted(one.end for one in self._by_start)

    def filling(self, gap: Stay) -> int:
        """Return how many stays overlap more than half of a gap.

        Such a stay goes on at the gap's middle. Of those that do, only one that began within the first half
        can be too short.
        """
        half = (gap.end - gap.start) / 2
        middle = gap.start + half
        begun = bisect_left(self._starts, middle)
        going_on = begun - bisect_right(self._ends, middle)
        late = self._by_start[bisect_right(self._starts, gap.start) : begun]
        short = [one for one in late if middle < one.end and min(one.end, gap.end) - one.start <= half]
        return going_on - len(short)


@dataclass(frozen=True)
class Around:
    """What was going on during a night, for the gaps of one trainer.

    `absences` are of the coordinator, `closed` of the window, `held` are pauses by operators, `alone` are
    jobs that had the host for themselves on another trainer, `waiting` is the time of each job in which it
    could have been handed out.
    `processes` are the times from the registration of each process of the trainer to when it was last heard.
    `note` is why it got no job at its last claim, and `ended` says that the night is over.
    """

    absences: Sequence[Stay] = ()
    closed: Sequence[Stay] = ()
    held: Sequence[Stay] = ()
    alone: Sequence[Stay] = ()
    waiting: Sequence[Stay] = ()
    processes: Sequence[Stay] = ()
    note: str = ""
    ended: bool = False

    @cached_property
    def crowd(self) -> Crowd:
        """The jobs that waited."""
        return Crowd(self.waiting)


def reason_of(gap: Stay, before: str, is_last: bool, around: Around) -> tuple[GapKind, str]:
    """Return why a trainer did nothing in a gap: the kind of it, and in words.

    Parameters
    ----------
    gap : Stay
        The time in which it had no job.
    before : str
        How its job before the gap ended, if that alone explains a pause; empty otherwise.
    is_last : bool
        Whether it had no job after the gap.
    around : Around
        What was going on.
    """
    half = gap.seconds / 2
    if not any(process.overlap(gap) > 0 for process in around.processes):
        first = min((process.start for process in around.processes), default=gap.end)
        return GapKind.ABSENT, "it had not started yet" if first >= gap.end else "its process was gone"
    for kind, stays, words in (
        (GapKind.AWAY, around.absences, "the coordinator was away"),
        (GapKind.CLOSED, around.closed, "the window was closed"),
        (GapKind.HELD, around.held, "an operator had paused the night"),
    ):
        if sum(stay.overlap(gap) for stay in stays) > half:
            return kind, words
    restarts = [process.start for process in around.processes if gap.start < process.start < gap.end]
    if restarts and not any(process.start <= gap.start for process in around.processes):
        return GapKind.ABSENT, f"it had not started yet: it registered at {restarts[-1]:%H:%M:%S} UTC"
    if restarts:
        since = f"it was restarted, and registered at {restarts[-1]:%H:%M:%S} UTC"
        return GapKind.INTERRUPTED, f"{before}; {since}" if before else since
    silent = max(process.end for process in around.processes)
    if is_last and (gap.end - silent).total_seconds() > half:
        return GapKind.ABSENT, f"its process was gone: it was last heard at {silent:%H:%M:%S} UTC"
    if before:
        return GapKind.INTERRUPTED, before
    if any(stay.overlap(gap) > half for stay in around.alone):
        return GapKind.ALONE, next(stay.words for stay in around.alone if stay.overlap(gap) > half)
    waited = around.crowd.filling(gap)
    if not waited:
        return GapKind.NOTHING_LEFT, (
            "no job was left that could begin" if is_last else "no job could begin: all were done or at work"
        )
    if is_last and around.note and not around.ended:
        return GapKind.UNFIT, around.note
    count = f"{waited} job{'' if waited == 1 else 's'} waited"
    return (
        GapKind.UNFIT,
        f"{count}: none fitted its memory or its host's, or it was slow to ask; "
        "the reason at that time is not kept",
    )
