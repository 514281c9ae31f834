"""Which child does a job: one that rests from another job, where that makes no difference, or a new one.

To fork a child, to copy the pages that it writes to and to take it apart again takes a third of a small
cell's time. A child that has trained a cell therefore rests for a moment, and does the next one if that is
of the same symbol and timeframe, so that it needs the same memory again, or of no finer timeframe if the
child holds little, or of any if what it holds is next to nothing beside the room for the next job. What it
holds counts as the next job's memory; so that no job dies of what another left, it is used again only with
plenty of room below the limit. A survey always has a child of its own, and after a failure there is a new
one.
"""

from __future__ import annotations

import time

from common.protocol.jobs import SurveySpec, TrainingSpec
from common.protocol.trainers import Grant
from trainer.process.channel import Task
from trainer.process.child import Child
from trainer.process.exit_cause import Limits

REST_SECONDS = 0.5
"""For how long a child holds its memory while the coordinator is asked for the next job."""

LIFE_SECONDS = 60.0
"""A child older than this gets no other job, so that what a process gathers cannot grow for a night."""

SMALL_BYTES = 32 * 1024**2
"""What a child may have grown by and still do a job that needs other memory."""

LEAST_SHARE = 1 / 64
"""And the share of the next job's room, where that may need more memory than the last one."""

SPARE_SHARE = 0.5
"""The share of its limit that a job may have taken at most for its child to do another."""


def can_follow(
    before: TrainingSpec,
    after: SurveySpec | TrainingSpec,
    grown_bytes: int,
    peak_bytes: int,
    limit_bytes: int,
) -> bool:
    """Return whether the child that trained `before` may do `after`.

    Parameters
    ----------
    before, after : TrainingSpec or SurveySpec
        Its last job, and the one to be done.
    grown_bytes : int
        What its anonymous memory has grown by since it was forked.
    peak_bytes : int
        The highest that its anonymous memory has been during its last job.
    limit_bytes : int
        The room for the next job.
    """
    if isinstance(after, SurveySpec) or peak_bytes > SPARE_SHARE * limit_bytes:
        return False
    if (before.cell.symbol, before.cell.timeframe) == (after.cell.symbol, after.cell.timeframe):
        return True
    # Bars of a finer timeframe are more, so that what is needed and what is held could be too much together.
    is_finer = after.cell.timeframe.seconds < before.cell.timeframe.seconds
    most = min(SMALL_BYTES, LEAST_SHARE * limit_bytes) if is_finer else SMALL_BYTES
    return grown_bytes <= most


class RestingChild:
    """The child that rests, if there is one.

    It holds memory, and never for long: who keeps it asks it to leave as soon as it is not needed.
    """

    def __init__(self) -> None:
        self._child: Child | None = None
        self._before: TrainingSpec | None = None
        self._since = 0.0

    def keep(self, child: Child, grant: Grant) -> None:
        """Have a child rest after its job, if it does."""
        if child.rests and isinstance(grant.spec, TrainingSpec):
            self._child, self._before, self._since = child, grant.spec, time.monotonic()

    def take(self, task: Task, limits: Limits) -> Child | None:
        """Return the child with the task given to it; None if there is none that may do it."""
        child, before, self._child = self._child, self._before, None
        if child is None or before is None:
            return None
        peak, grown = child.progress.peak_memory_bytes, child.grown_bytes
        is_fit = child.rests and child.age_seconds < LIFE_SECONDS
        if is_fit and can_follow(before, task.spec, grown, peak, limits.memory_bytes):
            child.give(task, limits)
            return child
        child.send_away()
        return None

    def send_away(self, after_seconds: float = 0.0) -> None:
        """Have it end if it has rested for so long."""
        if self._child is not None and time.monotonic() - self._since >= after_seconds:
            self._child.send_away()
            self._child = None
