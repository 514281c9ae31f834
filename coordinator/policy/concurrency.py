"""How many trainers of a host may work at once: additive increase, multiplicative decrease.

A host begins with as many as it has cores; trainers over the limit wait at their claim, and none that works
is stopped. At each look at most one of these is done, the first that applies:

1. Memory above the threshold, or programs that wait for it: half as many.
2. Fewer would do the same: the smallest number, but at least half, that would still do nine tenths of the
   work. What others compute counts in it: a host shared with them gives each ready job an equal share of its
   processors, so that one trainer less leaves its share to them, and only what Nighttrain's own jobs take
   from each other is cut: down to the number of cores, and below it only where a quota holds them back.
3. Below the number of cores: one more. Above it: one more while all work and processors stay idle.

Nothing is done on a single look: processors are judged by means that forget within seconds, and
each change is followed by a rest. A decrease that undoes an increase doubles the rest before the next one, so
that a host that cannot bear one more is not tried again and again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

KEPT_SHARE = 0.9
"""Fewer trainers do the same if they do at least this share of the work."""

MEMORY_WAIT = 0.10
"""Above this share of time in which programs wait for memory, it is short."""

CPU_WAIT = 0.20
"""Below this share of time in which programs wait for a processor, processors are not short."""

HEADROOM = 0.05
"""Nothing is added unless so large a share of the memory is free below the threshold."""

IDLE_CORES, IDLE_SHARE = 0.75, 0.1
"""So many cores must be idle, and so large a share of them, for one more than there are cores."""

MEAN_SECONDS = 15.0
"""How fast the means forget."""

SETTLE_SECONDS = 10.0
"""No change of the limit is followed by another before this."""

LEAST_REST, LONGEST_REST = 30.0, 480.0
"""Bounds of the rest after a decrease, in seconds."""

FORGIVEN_RESTS = 8.0
"""After so many rests without a decrease the rest is the least again."""


@dataclass(frozen=True)
class Load:
    """A host at one moment, by what its trainers last said.

    `cores` may be used by all trainers together; `working` of `present` trainers have a job, of which those
    that measure it were on a processor for `run_ratio` of the time and waited for one for `wait_ratio`
    (means; None: not measured). `busy_cores` are in use. `cpu_wait` and `memory_wait` are shares of
    time in which some program waited, None where the kernel counts none; then the `load_average` stands for
    the first. `throttled` says that a quota which the trainers share holds them back. `memory_ratio` is in
    use.
    """

    cores: float
    present: int
    working: int
    busy_cores: float
    memory_ratio: float
    run_ratio: float | None = None
    wait_ratio: float | None = None
    cpu_wait: float | None = None
    memory_wait: float | None = None
    load_average: float | None = None
    throttled: bool = False

    @property
    def plenty(self) -> int:
        """As many trainers as there are cores, at least one."""
        return max(1, math.floor(self.cores))

    @property
    def short_of_processors(self) -> bool:
        """Whether programs wait for processors: by the kernel's count, else by the load."""
        if self.throttled:
            return True
        if self.cpu_wait is not None:
            return self.cpu_wait > CPU_WAIT
        return self.load_average is None or self.load_average > self.cores

    def enough(self) -> int:
        """Return how many of those that work would do as much, with a loss of a tenth at most."""
        if self.run_ratio is None or self.wait_ratio is None or self.run_ratio <= 0.0:
            return self.working
        demand = self.run_ratio + self.wait_ratio
        own = self.working * self.run_ratio
        foreign = 0.0 if self.throttled else max(0.0, self.busy_cores - own)
        served = self.run_ratio / demand
        # What others would like to have, if each ready program gets the same share as a job.
        others = foreign / served
        capacity = max(own + foreign, 1e-9) if served < KEPT_SHARE else max(self.cores, own + foreign)

        def work(trainers: int) -> float:
            wanted = trainers * demand
            return wanted * min(1.0, capacity / (wanted + others))

        least = KEPT_SHARE * work(self.working)
        return next(number for number in range(1, self.working + 1) if work(number) >= least)


@dataclass(frozen=True)
class Limit:
    """How many trainers of a host may work, since when, and why, with what the next look needs to know.

    `enough` and `idle_cores` are means of the looks until `looked`; None before the first. `cut` is when it
    was last decreased, None while it is what the cores allow. `raised`: the last change was an increase.
    `rest` is how long nothing is added after a decrease, in seconds.
    """

    trainers: int
    changed: datetime
    looked: datetime
    reason: str
    enough: float | None = None
    idle_cores: float | None = None
    cut: datetime | None = None
    raised: bool = False
    rest: float = LEAST_REST


def begin(load: Load, by_cores: bool, now: datetime) -> Limit:
    """Return the limit of a host that was never looked at.

    Parameters
    ----------
    load : Load
        The host.
    by_cores : bool
        Whether cores bound the limit; otherwise an operator has said how many trainers there are, and only
        memory does.
    now : datetime
        An aware time.
    """
    usual = _usual(load, by_cores)
    reason = f"{load.cores:g} cores may be used" if by_cores else "so many were asked for"
    return Limit(usual, now, now, reason)


def look(limit: Limit, load: Load, threshold: float, by_cores: bool, now: datetime) -> Limit:
    """Return the limit after one more look at the host, by the rules at the head of this module.

    Parameters
    ----------
    limit : Limit
        The limit until now.
    load : Load
        The host as it is.
    threshold : float
        The share of memory above which no job is handed out, from 0 to 1.
    by_cores : bool
        As of `begin`.
    now : datetime
        An aware time, later than that of the last look.
    """
    limit = _remember(limit, load, now)
    usual = _usual(load, by_cores)
    if limit.cut is None and not (limit.raised and limit.trainers > usual) and limit.trainers != usual:
        # The number of cores, or that of trainers by request, has changed.
        return replace(limit, trainers=usual, changed=now, reason=begin(load, by_cores, now).reason)
    rested = (now - limit.changed).total_seconds()
    if rested < SETTLE_SECONDS or load.working > limit.trainers:
        # What a decrease does is seen only when the jobs over it have ended.
        return limit
    held = max(1, min(limit.trainers, load.present))
    if load.memory_ratio > threshold:
        why = f"{load.memory_ratio:.0%} of the memory was in use, more than {threshold:.0%}"
        return _cut(limit, held // 2, why, now)
    if load.memory_wait is not None and load.memory_wait > MEMORY_WAIT:
        return _cut(limit, held // 2, f"programs waited for memory {load.memory_wait:.0%} of the time", now)
    fewer = None if not by_cores or limit.enough is None else math.ceil(limit.enough - 0.25)
    if fewer is not None and fewer < min(held, load.working) and load.short_of_processors:
        # Below the number of cores a job less leaves its core to others, unless a quota is what is short.
        fewer = max(fewer, held // 2, 1 if load.throttled else usual)
        if fewer < held:
            quota = "a quota held them back" if load.throttled else f"they shared {load.cores:g} cores"
            return _cut(limit, fewer, f"{fewer} do as much as {load.working} did: {quota}", now)
    if limit.cut is not None and (now - limit.cut).total_seconds() < limit.rest:
        return limit
    if load.memory_ratio > threshold - HEADROOM:
        return limit
    if limit.trainers < usual:
        return _raise(limit, f"it was cut, and has rested for {limit.rest:.0f} s", usual, now)
    idle = limit.idle_cores or 0.0
    full = load.working >= limit.trainers and rested >= LEAST_REST
    if by_cores and full and idle >= max(IDLE_CORES, IDLE_SHARE * load.cores) and not load.throttled:
        return _raise(limit, f"{idle:.1f} cores were idle while {limit.trainers} worked", usual, now)
    return limit


def _usual(load: Load, by_cores: bool) -> int:
    return load.plenty if by_cores else max(1, load.present)


def _remember(limit: Limit, load: Load, now: datetime) -> Limit:
    weight = 1.0 - math.exp(-max(0.0, (now - limit.looked).total_seconds()) / MEAN_SECONDS)
    # What was measured while nobody, or fewer, worked says nothing of the number that may work.
    enough = limit.enough
    if load.run_ratio is not None and load.working:
        enough = _mean(enough, float(load.enough()), weight)
    idle = _mean(limit.idle_cores, max(0.0, load.cores - load.busy_cores), weight)
    return replace(limit, looked=now, enough=enough, idle_cores=idle)


def _mean(before: float | None, now: float, weight: float) -> float:
    return now if before is None else before + weight * (now - before)


def _cut(limit: Limit, trainers: int, reason: str, now: datetime) -> Limit:
    trainers = max(1, trainers)
    rest = limit.rest
    since = (now - limit.changed).total_seconds()
    if limit.raised and since < FORGIVEN_RESTS * rest:
        rest = min(LONGEST_REST, 2 * rest)
    elif limit.cut is None or (now - limit.cut).total_seconds() > FORGIVEN_RESTS * rest:
        rest = LEAST_REST
    if trainers >= limit.trainers:
        # It is one already: the rest before the next begins anew, and nothing else has changed.
        return replace(limit, cut=now, rest=rest, reason=reason)
    return replace(
        limit, trainers=trainers, changed=now, reason=reason, cut=now, raised=False, rest=rest, enough=None
    )


def _raise(limit: Limit, reason: str, usual: int, now: datetime) -> Limit:
    trainers = limit.trainers + 1
    cut = limit.cut if trainers < usual or limit.rest > LEAST_REST else None
    return replace(
        limit,
        trainers=trainers,
        changed=now,
        reason=reason,
        cut=cut,
        raised=True,
        enough=None,
        idle_cores=None,
    )
