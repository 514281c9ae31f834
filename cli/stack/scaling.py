"""How many containers of trainers there should be: as many as the coordinator lets work. Decisions only.

More are started at once. Fewer are kept only after a while, because a limit that was cut for a minute already
holds the trainers over it back, and one that is stopped gives its job back with the folds that are saved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.protocol.runs import JobCounts
from common.protocol.status import HostView, StatusDocument

LOWER_AFTER = timedelta(minutes=5)
"""So long fewer must have been enough before any is stopped."""


@dataclass(frozen=True)
class Bounds:
    """At least and at most so many containers."""

    least: int
    most: int


@dataclass(frozen=True)
class Wish:
    """How many containers there should be, and why."""

    trainers: int
    why: str


@dataclass(frozen=True)
class Course:
    """Since when fewer have been enough, and the most that were wanted since; None: they are not."""

    since: datetime | None = None
    most: int = 0


def wish(status: StatusDocument, host: str, present: int, bounds: Bounds) -> Wish:
    """Return how many containers there should be.

    Parameters
    ----------
    status : StatusDocument
        What the coordinator says.
    host : str
        The machine of the containers, as its trainers name it.
    present : int
        Containers that run.
    bounds : Bounds
        What the operator allows.
    """
    if present < bounds.least:
        return Wish(bounds.least, f"at least {bounds.least} are to run")
    if present > bounds.most:
        return Wish(bounds.most, f"no more than {bounds.most} are to run")
    here = _host(status, host)
    if here is None:
        return Wish(present, "no trainer of this machine is alive")
    if here.asked_for:
        return Wish(present, "num_workers asks for a number; with auto it follows what the machine bears")
    if here.limit is None:
        return Wish(present, "the coordinator sets no limit (parallelism.adaptive)")
    run = status.run
    jobs = 0 if run is None or run.finished is not None else _open(run.surveys) + _open(run.training)
    if jobs == 0:
        return Wish(present, "there is no job to hand out")
    wanted = min(max(here.limit, bounds.least), bounds.most)
    why = (
        here.reason if wanted == here.limit else f"{here.reason}, and {bounds.least} to {bounds.most} may run"
    )
    if wanted > present and jobs < wanted:
        return Wish(max(present, jobs), f"only {jobs} jobs are left")
    # A container too many that works is stopped when its job has ended.
    return Wish(wanted if wanted > present else min(present, max(wanted, here.working)), why)


def due(wished: Wish, present: int, course: Course, now: datetime) -> tuple[Wish | None, Course]:
    """Return what is to be done now, None for nothing, and what was seen until now.

    Parameters
    ----------
    wished : Wish
        How many there should be.
    present : int
        How many there are.
    course : Course
        What was seen until the last look.
    now : datetime
        An aware time.
    """
    if wished.trainers == present:
        return None, Course()
    if wished.trainers > present:
        return wished, Course()
    if course.since is None:
        return None, Course(now, wished.trainers)
    most = max(course.most, wished.trainers)
    if now - course.since < LOWER_AFTER:
        return None, replace(course, most=most)
    return replace(wished, trainers=most), Course()


def _open(counts: JobCounts) -> int:
    return counts.queued + counts.leased


def _host(status: StatusDocument, name: str) -> HostView | None:
    named = [host for host in status.hosts if host.name == name]
    # On a Mac or on Windows the containers are in a machine of their own, whose name is not known outside.
    return named[0] if named else status.hosts[0] if len(status.hosts) == 1 else None
