"""The night in words: how far it is, when it ends, why nothing happens, what failed. Decisions only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cli.monitor.look import Look
from cli.screen.columns import shown
from common.protocol.job_views import JobView
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.runs import RunState
from common.protocol.status import StatusDocument, TrainerState

READY = "it waits for a free trainer"
"""Begins the words of a job that nothing keeps from a trainer."""
OF_SURVEY = "it waits for the survey"
"""Begins those of a cell whose survey is not done: why that one waits is the reason."""
MOMENT = timedelta(seconds=10)
"""In a night that was begun a moment ago trainers are about to ask for work."""
NAMED = 3
"""So many reasons of a standstill are named."""
EXPECTED = ("the night is paused", "the night is closed", "the night is ended early")
"""Begin the warnings about what somebody wanted."""
SYNTHETIC = "trains on synthetic candles"


@dataclass(frozen=True)
class FailureGroup:
    """Jobs that failed by the same cause with the same message; cells are with the survey that failed."""

    cause: Cause
    message: str
    jobs: tuple[JobView, ...]


def headline(status: StatusDocument) -> str:
    """Return how far the newest night is, in a sentence."""
    run = status.run
    if run is None:
        return "There is no night yet: nighttrain start begins one"
    training = run.training
    others = {"not trainable": run.untrainable, "failed": run.broken, "cancelled": training.cancelled}
    apart = [f"{count} {what}" for what, count in others.items() if count]
    reused = run.of_these_reused
    trained = ", ".join([f"{training.succeeded} of {training.total} cells trained{reused}", *apart])
    if run.state is RunState.CANCELLED:
        return f"Night {run.id} was cancelled: {trained}"
    if run.state is RunState.DONE:
        return f"Night {run.id} is over: {trained}"
    done = f"Night {run.id}: {training.final} of {training.total} cells done"
    return (
        f"{done} ({', '.join([f'{training.succeeded} trained{reused}', *apart])})"
        if apart or reused
        else done
    )


def outlook(status: StatusDocument) -> str:
    """Return when the night ends or has ended, in a sentence; times are of this machine's zone."""
    run, night, eta = status.run, status.night, status.eta
    if run is None:
        return ""
    if run.finished is not None:
        words = f"It ended at {clock(run.finished)} after {span(run.finished - run.created)}"
        return f"{words}; the window opens next at {clock(night.opens)}" if night.opens else words
    if run.paused is not None:
        return f"Paused {shown(run.paused.words)}"
    if run.ended_early is not None:
        return f"Ending early, {shown(run.ended_early.words)}: running cells save their folds"
    if not night.open:
        return f"The window is closed{f' until {clock(night.opens)}' if night.opens else ''}"
    if eta.p50 is None or eta.p90 is None:
        closes = f"; the window closes at {clock(night.closes)}" if night.closes else ""
        return f"The end is not known before the first cells are trained{closes}"
    ends = f"Ends by {clock(eta.p50)} as likely as not, and by {clock(eta.p90)} 9 times of 10"
    if night.closes is None:
        return ends
    if eta.p90 <= night.closes:
        return f"{ends}, {span(night.closes - eta.p90)} before the window closes"
    likely = "will" if eta.p50 > night.closes else "may"
    return f"{ends}: it {likely} not fit into the window, which closes at {clock(night.closes)}"


def figures(status: StatusDocument) -> Iterator[tuple[str, str]]:
    """Yield the figures of the night, each with its name."""
    run = status.run
    if run is None:
        return
    yield "promoted", str(run.promoted)
    yield "failed", str(run.broken)
    if run.untrainable:
        yield "not trainable", str(run.untrainable)
    if run.state is RunState.RUNNING:
        working = sum(one.state is TrainerState.WORKING for one in status.trainers)
        alive = sum(one.state is not TrainerState.LOST for one in status.trainers)
        yield "trainers at work", f"{working} of {alive}"
    if status.speed.jobs_per_hour is not None:
        yield "cells an hour", f"{status.speed.jobs_per_hour:,.0f}"
    if status.best is not None and status.best.scores.auc is not None:
        best = status.best
        yield "best AUC", f"{best.scores.auc:.3f} {shown(best.symbol)} {best.timeframe} H{best.horizon}"


def standstill(look: Look) -> list[str]:
    """Return why nothing happens in an unfinished night, the commonest reason first; none if something does.

    A job that only has to be asked for is no reason: a trainer is about to.
    """
    run = look.status.run
    if run is None or run.state is not RunState.RUNNING or run.paused is not None:
        return []
    if run.training.leased or run.surveys.leased or look.status.time - run.created < MOMENT:
        return []
    words = (shown(job.waits) for job in look.jobs)
    reasons = Counter(one for one in words if one and not one.startswith((READY, OF_SURVEY)))
    return [f"{count} job{'s' * (count > 1)}: {words}" for words, count in reasons.most_common(NAMED)]


def failures(jobs: Sequence[JobView]) -> list[FailureGroup]:
    """Return what failed, the largest group first."""
    groups: dict[tuple[Cause, str], list[JobView]] = {}
    for job in jobs:
        if job.state is JobState.FAILED and job.cause is not None:
            own = job.message.removeprefix(f"the survey of {job.symbol} failed: ")
            groups.setdefault((job.cause, own), []).append(job)
    found = [FailureGroup(cause, message, tuple(same)) for (cause, message), same in groups.items()]
    return sorted(found, key=lambda group: -len(group.jobs))


def worth_a_look(status: StatusDocument) -> list[str]:
    """Return the warnings about what nobody wanted."""
    return [
        shown(one) for one in status.warnings if not one.startswith(EXPECTED) and not one.endswith(SYNTHETIC)
    ]


def parked(jobs: Sequence[JobView]) -> set[str]:
    """Return the symbols of which cells wait because they are parked."""
    return {job.symbol for job in jobs if job.kind is JobKind.TRAINING and "is parked" in job.waits}


def clock(moment: datetime | None) -> str:
    """Return a time of day in the zone of this machine, with the day where it is another one."""
    if moment is None:
        return ""
    here = moment.astimezone()
    far = abs(here - datetime.now().astimezone()) > timedelta(hours=20)
    return f"{here:%Y-%m-%d %H:%M}" if far else f"{here:%H:%M}"


def span(length: timedelta | float) -> str:
    """Return a length of time by its two largest units."""
    seconds = max(0, round(length.total_seconds() if isinstance(length, timedelta) else length))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s" if seconds < 600 else f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02} min"
    return f"{seconds // 86400} d {seconds % 86400 // 3600} h"
