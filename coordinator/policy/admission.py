"""Which queued job a trainer gets, or why it gets none: a pure decision over frozen facts.

The order among the jobs that fit: those that an operator wants next (the first wish first), those that are
not left for the next night (`coordinator.policy.shedding`), those that waited longer than the bound (the
longest wait first), the probe of a symbol on probation, surveys, the symbol that the trainer last had, the
symbol's quote volume, the longest job, the place in the grid. Where only the last two tell jobs apart,
those whose feature matrix another trainer of the host is building come last: they could but wait for it.
Surveys come before training, because they take seconds and tell what the night will be: the symbols' order,
what is refused, and when it will end.

Memory, in three rules:

1. Pressure. Above the threshold no job is handed out on that host, whoever uses the memory. The status says
   when it is not Nighttrain's own jobs, because then only the operator can end the wait.
2. A prediction steers. A job that is expected to need more than the trainer's limit is left to a larger
   live trainer; where there is none it is tried all the same, for only an out-of-memory proves.
3. An out-of-memory proves. The job never runs again in a room that is not larger. It goes to a trainer with
   a larger limit, or runs alone on a host whose agents hold their own limits: no other lease there, and the
   room is what the host has available x threshold, but at most `max_memory_alone`. A survey never does: its
   memory depends on files that anybody may have written. So that a job is not starved, one host is kept for
   it (the live one with most room) once it has waited for longer than the bound: that host gets no new job
   until this one ran. The host is kept only while its room, with our own running jobs gone, would be large
   enough, so that memory taken by others can keep this job waiting but never the others. Without an overdue
   job the lone one runs whenever its turn meets an idle host, and at the latest when nothing else is left
   to hand out.

Number: a trainer waits while as many of its host work as may, as `coordinator.policy.concurrency` says.

Disk: a trainer that could not write gets no job, as `coordinator.policy.disk` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.protocol.jobs import JobKind
from common.protocol.trainers import LimitKind, NoWork
from coordinator.policy.breaker import Gate
from coordinator.policy.disk import ANY_DISK, Disk

PEAK_MARGIN = 1.2
"""A job is expected to need at most this many times the highest peak that was measured."""

RAISE = "raise max_memory_per_process (in containers TRAINER_MEMORY in .env), then start the night again"
OR_ELSE = "or max_memory_per_process, then start the night again"
"""What to do about a job for which there is no room."""

MOST_USEFUL = (
    NoWork.STORAGE,
    NoWork.NEEDS_LONE_ROOM,
    NoWork.TOO_LARGE,
    NoWork.WAITING,
    NoWork.SYMBOL_PARKED,
)
"""The reasons why a trainer gets none of the queued jobs; that of the job that is nearest to it is given."""


@dataclass(frozen=True)
class Candidate:
    """A queued job of the running run.

    `waiting_since` is None before the survey of its symbol. `oom_room_bytes` is the largest room that it
    ran out of. `symbol_busy` says that another job of its symbol is leased, `parked_until` when the parking
    of its symbol ends or ended, `wanted_next` since when an operator wants it before all others. `building`
    says that a trainer of the host that asks has begun with the symbol and timeframe, and none there has
    ended: the feature matrix is likely being built. Seconds and peak are expectations, None where unknown;
    `disk_bytes` is what it is expected to write, 0 where unknown.
    """

    job_id: int
    kind: JobKind
    symbol: str
    ordinal: int
    volume: float
    waiting_since: datetime | None
    not_before: datetime | None
    oom_room_bytes: int | None
    seconds: float | None
    peak_bytes: int | None
    rows: int
    gate: Gate
    symbol_busy: bool
    disk_bytes: int = 0
    parked_until: datetime | None = None
    wanted_next: datetime | None = None
    shed: bool = False
    building: bool = False

    def delay_seconds(self, now: datetime) -> float:
        """Return for how long its backoff and its symbol's breaker keep it from every trainer, in seconds."""
        parked_until = self.parked_until if self.kind is JobKind.TRAINING else None
        moments = [moment for moment in (self.not_before, parked_until) if moment is not None]
        return max([0.0, *((moment - now).total_seconds() for moment in moments)])

    def overdue(self, now: datetime, max_wait_seconds: float) -> bool:
        """Return whether it has waited for longer than the bound."""
        return (
            self.waiting_since is not None and (now - self.waiting_since).total_seconds() > max_wait_seconds
        )


@dataclass(frozen=True)
class Host:
    """The memory of a host in bytes as its trainers last reported it, and what of it our own children hold.

    `leases` counts live leases; `lone` says that one of them runs alone; `agent` that a live trainer there
    holds its own limit, so that a larger room can be given. `limit` is how many of its `trainers` may work at
    once (`coordinator.policy.concurrency`), None where that is not known, and `limit_reason` says why.
    """

    name: str
    total_bytes: int
    available_bytes: int
    own_bytes: int = 0
    leases: int = 0
    lone: bool = False
    agent: bool = False
    trainers: int = 0
    limit: int | None = None
    limit_reason: str = ""

    def pressed(self, threshold: float) -> bool:
        """Return whether more than `threshold` of the memory is in use."""
        return self.total_bytes - self.available_bytes > threshold * self.total_bytes

    def lone_room_bytes(self, threshold: float) -> int:
        """Return the room for a job that would run alone, once our own running jobs are gone."""
        return int((self.available_bytes + self.own_bytes) * threshold) if self.agent else 0


@dataclass(frozen=True)
class Seat:
    """The trainer that asks, on its host and with its disk; if `limited`, its host's limit holds it."""

    limit_kind: LimitKind
    limit_bytes: int
    last_symbol: str
    host: Host
    disk: Disk = ANY_DISK
    limited: bool = False


@dataclass(frozen=True)
class Terms:
    """What the decision depends on besides the jobs and the seat.

    `limits` are the memory limits of all live trainers, `hosts` their hosts by name, both with the asking
    one's. `most_alone_bytes` is what a job may take at most where it has its host alone.
    """

    now: datetime
    max_wait_seconds: float
    threshold: float
    limits: Sequence[int]
    hosts: Mapping[str, Host]
    most_alone_bytes: int

    def lone_room_bytes(self, candidate: Candidate, host: Host) -> int:
        """Return the room that a job would have alone on a host, once our own running jobs are gone there."""
        if candidate.kind is JobKind.SURVEY:
            return 0
        return min(host.lone_room_bytes(self.threshold), self.most_alone_bytes)


@dataclass(frozen=True)
class Choice:
    """The job that is handed out, its room in bytes, and whether it runs alone on the host."""

    job_id: int
    room_bytes: int
    alone: bool


@dataclass(frozen=True)
class Refusal:
    """Why nothing is handed out: the slug for the trainer and the words for people."""

    reason: NoWork
    words: str
    cannot_write: bool = False


EMPTY = Refusal(NoWork.EMPTY, "no job is queued")
"""The whole queue was read, and nothing is in it."""


def choose(candidates: Sequence[Candidate], seat: Seat, terms: Terms) -> Choice | Refusal:
    """Return the best job for the seat, or why there is none, by the rules at the head of this module."""
    kept = kept_back(candidates, seat, terms)
    line = ranked(candidates, seat.last_symbol, terms)
    return kept or first_fit(builders_last(line, seat.last_symbol, terms), seat, terms)


def kept_back(candidates: Sequence[Candidate], seat: Seat, terms: Terms) -> Refusal | None:
    """Return what keeps all of the queue from the seat, whichever job it is, or None."""
    barred = bar(seat, terms)
    if barred is not None:
        return barred
    if not candidates:
        return EMPTY
    return over_limit(seat) or emptied(candidates, seat.host, terms)


def bar(seat: Seat, terms: Terms) -> Refusal | None:
    """Return what keeps every job from the seat, or None."""
    host = seat.host
    if host.pressed(terms.threshold):
        return Refusal(NoWork.MEMORY_PRESSURE, pressure_words(host, terms.threshold))
    unwritable = seat.disk.obstacle(terms.now)
    if unwritable:
        return Refusal(NoWork.STORAGE, unwritable, cannot_write=True)
    if host.lone:
        return Refusal(NoWork.NEEDS_LONE_ROOM, f"host {host.name} is kept for a job that runs alone")
    return None


def over_limit(seat: Seat) -> Refusal | None:
    """Return that as many trainers of the host work as may, or None."""
    host = seat.host
    if seat.limited and host.limit is not None and host.leases >= host.limit:
        return Refusal(NoWork.OVER_LIMIT, limit_words(host))
    return None


def emptied(candidates: Iterable[Candidate], host: Host, terms: Terms) -> Refusal | None:
    """Return that a host gets no new job until one of the candidates ran alone there, or None."""
    if host.leases and any(keeps(candidate, host, terms) for candidate in candidates):
        words = f"host {host.name} is being emptied for a job that must run alone"
        return Refusal(NoWork.NEEDS_LONE_ROOM, words)
    return None


def first_fit(line: Iterable[Candidate], seat: Seat, terms: Terms) -> Choice | Refusal:
    """Return the first job of a line that fits the seat, or why none does; no more of it is read than that.

    The reason given is the one that a change in this trainer's surroundings could lift, if there is one.
    """
    best: Refusal | None = None
    for candidate in line:
        obstacle = obstacle_of(candidate, seat, terms)
        if obstacle is None:
            alone = not _fits(candidate, seat)
            room = terms.lone_room_bytes(candidate, seat.host) if alone else seat.limit_bytes
            return Choice(candidate.job_id, room, alone)
        if best is None or MOST_USEFUL.index(obstacle.reason) < MOST_USEFUL.index(best.reason):
            best = obstacle
    return best or EMPTY


def builders_last(line: Iterable[Candidate], last_symbol: str, terms: Terms) -> Iterator[Candidate]:
    """Iterate over a line, with those last among jobs of one standing whose matrix is being built.

    All that is read ahead are jobs of such a matrix, of which a host has a few for each of its trainers.
    """
    held: list[Candidate] = []
    for candidate in line:
        if held and standing(candidate, last_symbol, terms) != standing(held[0], last_symbol, terms):
            yield from held
            held = []
        if candidate.building:
            held.append(candidate)
        else:
            yield candidate
    yield from held


def ranked(candidates: Sequence[Candidate], last_symbol: str, terms: Terms) -> list[Candidate]:
    """Return the jobs in the order in which a trainer that last had `last_symbol` would get them."""
    return sorted(candidates, key=lambda candidate: order(candidate, last_symbol, terms))


def order(candidate: Candidate, last_symbol: str, terms: Terms) -> tuple[float | bool | int, ...]:
    """Return the place of a job among all others, the smallest first, as the head of this module says it.

    `coordinator.queue.line` reads the queue in this order; what is changed here is to be changed there.
    """
    return (
        *standing(candidate, last_symbol, terms),
        -length(candidate.seconds, candidate.rows),
        candidate.ordinal,
    )


def standing(candidate: Candidate, last_symbol: str, terms: Terms) -> tuple[float | bool | int, ...]:
    """Return what of a job's place says more than how long it takes and where it is in the grid."""
    overdue = candidate.overdue(terms.now, terms.max_wait_seconds)
    since = candidate.waiting_since.timestamp() if overdue and candidate.waiting_since else 0.0
    wanted = candidate.wanted_next
    return (
        wanted is None,
        wanted.timestamp() if wanted is not None else 0.0,
        candidate.shed,
        not overdue,
        since,
        candidate.gate is not Gate.PROBATION,
        candidate.kind is not JobKind.SURVEY,
        candidate.symbol != last_symbol,
        -candidate.volume,
    )


def length(seconds: float | None, rows: int) -> float:
    """Return by what the longest job is told: what it is expected to take, or its rows if nobody knows."""
    return seconds if seconds is not None else rows * 1e-5


def obstacle_of(candidate: Candidate, seat: Seat, terms: Terms) -> Refusal | None:
    """Return what keeps the job from the seat, or None."""
    waiting = wait_of(candidate, terms.now)
    if waiting is not None:
        return waiting
    lack = seat.disk.lack(candidate.disk_bytes)
    if lack:
        return Refusal(NoWork.STORAGE, f"{lack}: free some room")
    room = candidate.oom_room_bytes
    if room is not None and not _fits(candidate, seat):
        needed = f"it ran out of memory in {gibibytes(room)} and needs a larger room"
        if seat.limit_kind is not LimitKind.AGENT or candidate.kind is JobKind.SURVEY:
            return Refusal(NoWork.TOO_LARGE, needed)
        if seat.host.leases or terms.lone_room_bytes(candidate, seat.host) <= room:
            return Refusal(NoWork.NEEDS_LONE_ROOM, f"{needed}: it waits to run alone on a host")
    elif room is None and candidate.peak_bytes is not None:
        peak = int(candidate.peak_bytes * PEAK_MARGIN)
        if peak > seat.limit_bytes and seat.limit_bytes < max(terms.limits, default=0):
            return Refusal(
                NoWork.TOO_LARGE, f"it is expected to need {gibibytes(peak)}: it waits for a larger trainer"
            )
    return None


def wait_of(candidate: Candidate, now: datetime) -> Refusal | None:
    """Return what keeps the job from every seat, or None."""
    if candidate.waiting_since is None:
        return Refusal(NoWork.WAITING, f"it waits for the survey of {candidate.symbol}")
    if candidate.not_before is not None and candidate.not_before > now:
        seconds = (candidate.not_before - now).total_seconds()
        return Refusal(NoWork.WAITING, f"it waits {seconds:.0f} s before its next attempt")
    if candidate.kind is JobKind.TRAINING and candidate.gate is Gate.PARKED:
        return Refusal(
            NoWork.SYMBOL_PARKED, f"{candidate.symbol} is parked, because cell after cell of it failed"
        )
    if candidate.kind is JobKind.TRAINING and candidate.gate is Gate.PROBATION and candidate.symbol_busy:
        return Refusal(
            NoWork.SYMBOL_PARKED, f"{candidate.symbol} is on probation: one job of it is tried first"
        )
    return None


def keeps(candidate: Candidate, host: Host, terms: Terms) -> bool:
    """Return whether `host` gets no other new job until this one ran alone there."""
    room = candidate.oom_room_bytes
    if room is None or candidate.shed or wait_of(candidate, terms.now) is not None:
        return False
    if max(terms.limits, default=0) > room or not candidate.overdue(terms.now, terms.max_wait_seconds):
        return False
    rooms = {name: terms.lone_room_bytes(candidate, other) for name, other in terms.hosts.items()}
    best = max(rooms, key=lambda name: (rooms[name], name), default="")
    return host.name == best and rooms[best] > room


def roomless(candidate: Candidate, terms: Terms) -> str:
    """Return why no live trainer can ever take the job after its out-of-memory, or nothing.

    The limits and the hosts' whole memory decide at once. A host that would be large enough but whose
    memory others hold gets the time of the wait bound to become free. While no trainer is alive nothing is
    decided.
    """
    room = candidate.oom_room_bytes
    if room is None or not terms.limits or max(terms.limits) > room:
        return ""
    largest = max(terms.limits)
    hosts = [host for host in terms.hosts.values() if host.agent and candidate.kind is not JobKind.SURVEY]
    needed = f"ran out of memory in {gibibytes(room)}, and no trainer has more room"
    whole = max((int(host.total_bytes * terms.threshold) for host in hosts), default=0)
    if whole > room >= terms.most_alone_bytes:
        most = gibibytes(terms.most_alone_bytes)
        return f"{needed}: max_memory_alone gives a job at most {most}; raise it, {OR_ELSE}"
    if whole <= room:
        return f"{needed}: the largest has {gibibytes(max(largest, whole))}; {RAISE}"
    free = max(terms.lone_room_bytes(candidate, host) for host in hosts)
    if free > room or not candidate.overdue(terms.now, terms.max_wait_seconds):
        return ""
    return (
        f"{needed}: {gibibytes(free)} at most became free for it in {terms.max_wait_seconds:.0f} s; {RAISE}"
    )


def pressure_words(host: Host, threshold: float) -> str:
    """Return in words that a host is above the threshold, and whether our own jobs are the reason."""
    used = host.total_bytes - host.available_bytes
    words = f"host {host.name} uses {used / host.total_bytes:.0%} of its memory, more than {threshold:.0%}"
    if used - host.own_bytes > threshold * host.total_bytes:
        words += ", and not for Nighttrain's jobs: free some, or raise memory_threshold"
    return words


def limit_words(host: Host) -> str:
    """Return in words how many trainers of a host may work at once, and why."""
    return f"{host.limit} of {host.trainers} trainers may work at once on this host: {host.limit_reason}"


def gibibytes(count: int) -> str:
    """Return a number of bytes in GiB, in words."""
    return f"{count / 1024**3:.2f} GiB"


def _fits(candidate: Candidate, seat: Seat) -> bool:
    return candidate.oom_room_bytes is None or seat.limit_bytes > candidate.oom_room_bytes
