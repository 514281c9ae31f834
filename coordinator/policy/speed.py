"""What would have made a night faster: a pure decision over what its trainers did, minute by minute.

How much sooner a night would have ended cannot be known without another night. What is given is a bound: the
trainer time that a circumstance cost, spread evenly over all trainers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

WORTH_SHARE = 0.01
"""What cost less than this share of the night is not worth a line."""
LEAST_SECONDS = 1.0
BOUND_BY_WORK = 0.8
"""Above this share of their time at work trainers are bound by computing, and more of them would help."""
HEAVY_SHARE = 0.4
"""A timeframe with more than this share of the work is named."""


class GapKind(StrEnum):
    """What kept a trainer from work.

    ABSENT: it was not there. AWAY: the coordinator was. CLOSED: the window was. HELD: an operator had paused
    the night. INTERRUPTED: it was stopped, restarted, silent, or could not write. ALONE: another job had its
    host. NOTHING_LEFT: no job was left that could begin. UNFIT: jobs waited, and none could be given to it.
    """

    ABSENT = "absent"
    AWAY = "away"
    CLOSED = "closed"
    HELD = "held"
    INTERRUPTED = "interrupted"
    ALONE = "alone"
    NOTHING_LEFT = "nothing_left"
    UNFIT = "unfit"


@dataclass(frozen=True)
class Piece:
    """An attempt at a job, in seconds since the night began.

    `timeframe` is empty for a survey, `done` says that it brought a result, `cause` why it did not.
    """

    name: str
    timeframe: str
    start: float
    end: float
    done: bool
    cause: str = ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start


@dataclass(frozen=True)
class Idle:
    """A time without a job, in seconds since the night began."""

    kind: GapKind
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.end - self.start


@dataclass(frozen=True)
class Lane:
    """What one trainer did, in order."""

    pieces: tuple[Piece, ...]
    idles: tuple[Idle, ...]


@dataclass(frozen=True)
class Load:
    """What a night of `seconds` was spent on.

    `largest_peak_bytes` is the most memory that a job took, `largest_room_bytes` the most that one was given
    (None: unknown). `surveys_read` says how many surveys read their files anew.
    """

    seconds: float
    lanes: tuple[Lane, ...]
    largest_peak_bytes: int | None = None
    largest_room_bytes: int | None = None
    surveys_read: int = 0

    @property
    def pieces(self) -> list[Piece]:
        """All attempts."""
        return [piece for lane in self.lanes for piece in lane.pieces]

    @property
    def work(self) -> float:
        """Seconds at work, of all trainers."""
        return sum(piece.seconds for piece in self.pieces)

    @property
    def busy_ratio(self) -> float:
        """Share of the trainers' time at work, 0 to 1."""
        return self.work / (self.seconds * len(self.lanes)) if self.lanes and self.seconds > 0 else 0.0


@dataclass(frozen=True)
class Hint:
    """What would have made the night faster, in words, and by how many seconds at most."""

    seconds: float
    words: str
    advice: str


WAITS = {
    GapKind.ABSENT: (
        "trainers were not there",
        "Start all trainers before the night opens, and look why those ended that did not last.",
    ),
    GapKind.AWAY: (
        "the coordinator was away",
        "Look in its log why it stopped; a night without a coordinator stands still.",
    ),
    GapKind.CLOSED: ("the window was closed", "Open the window earlier, or close it later."),
    GapKind.HELD: ("an operator had paused the night", "Resume a paused night sooner."),
    GapKind.INTERRUPTED: (
        "trainers were stopped, restarted, silent, or could not write",
        "Look at their logs; the timeline names each of these gaps.",
    ),
    GapKind.ALONE: (
        "a job had its host alone, after it had run out of memory",
        "Give trainers more memory, so that no job has to be tried again alone.",
    ),
}
"""By kind of gap: what was going on, and what to do about it."""


def hints_of(load: Load) -> tuple[Hint, ...]:
    """Return what would have made a night faster, the most first; nothing that is below a hundredth of it."""
    if not load.lanes or load.seconds <= 0:
        return ()
    found = [*_waits(load), *_unfit(load), *_ends(load), *_wasted(load), *_surveys(load), *_work(load)]
    worth = [hint for hint in found if hint.seconds >= max(WORTH_SHARE * load.seconds, LEAST_SECONDS)]
    return tuple(sorted(worth, key=lambda hint: -hint.seconds))


def _waits(load: Load) -> Iterable[Hint]:
    for kind, (words, advice) in WAITS.items():
        idle = _idle(load, kind)
        yield Hint(idle / len(load.lanes), f"{_long(idle)} of trainer time passed while {words}.", advice)


def _unfit(load: Load) -> Iterable[Hint]:
    idle = _idle(load, GapKind.UNFIT)
    words = (
        f"{_long(idle)} of trainer time passed while jobs waited: none fitted the memory that was free, or "
        "the trainer was slow to ask."
    )
    if load.largest_peak_bytes is not None and load.largest_room_bytes is not None:
        words += (
            f" The largest job took {_mib(load.largest_peak_bytes)}, "
            f"the largest room was {_mib(load.largest_room_bytes)}."
        )
    yield Hint(
        idle / len(load.lanes),
        words,
        "Where the largest job comes near its room, give fewer trainers more memory each (TRAINER_MEMORY, "
        "max_memory_per_process).",
    )


def _ends(load: Load) -> Iterable[Hint]:
    """Yield what the end of the night cost, where few jobs kept it open, and what waits before it did."""
    pieces = load.pieces
    empty = [(lane, idle) for lane in load.lanes for idle in lane.idles if idle.kind is GapKind.NOTHING_LEFT]
    last = max(pieces, key=lambda piece: piece.end, default=None)
    tail = [idle for lane, idle in empty if all(piece.end <= idle.start + 1e-6 for piece in lane.pieces)]
    tail_seconds = sum(idle.seconds for idle in tail)
    if last is not None and tail:
        began = min(idle.start for idle in tail)
        idlers = "1 trainer" if len(tail) == 1 else f"{len(tail)} trainers"
        yield Hint(
            tail_seconds / len(load.lanes),
            f"In the last {_long(load.seconds - began)} {idlers} had no job left, and waited for "
            f"{last.name}, which began {_long(load.seconds - last.start)} before the end and took "
            f"{_long(last.seconds)}.",
            "Begin the longest jobs first (nighttrain jobs next), or use fewer, larger trainers at the end.",
        )
    between = sum(idle.seconds for _, idle in empty) - tail_seconds
    yield Hint(
        between / len(load.lanes),
        f"{_long(between)} of trainer time passed while no job could begin, because surveys were not done or "
        "jobs waited to be tried again.",
        "No more trainers than symbols can begin at once; how long a retry waits is retry.backoff_base.",
    )


def _wasted(load: Load) -> Iterable[Hint]:
    lost: dict[str, list[Piece]] = {}
    for piece in load.pieces:
        if not piece.done and piece.cause:
            lost.setdefault(piece.cause, []).append(piece)
    for cause, pieces in lost.items():
        seconds = sum(piece.seconds for piece in pieces)
        attempts = "1 attempt" if len(pieces) == 1 else f"{len(pieces)} attempts"
        yield Hint(
            seconds / len(load.lanes),
            f"{attempts} that brought no result ({cause.replace('_', ' ')}) took {_long(seconds)}, "
            "saved folds included.",
            "See the failures below; what is mended is not tried twice.",
        )


def _surveys(load: Load) -> Iterable[Hint]:
    pieces = [piece for piece in load.pieces if not piece.timeframe and piece.done]
    if load.surveys_read:
        seconds = sum(piece.seconds for piece in pieces)
        yield Hint(
            seconds / len(load.lanes),
            f"Candles were read for {_long(seconds)}, {load.surveys_read} "
            f"{'symbol' if load.surveys_read == 1 else 'symbols'} anew.",
            "Keep the cache: files that have not changed are not read again the next night.",
        )


def _work(load: Load) -> Iterable[Hint]:
    count, work = len(load.lanes), load.work
    if load.busy_ratio < BOUND_BY_WORK:
        return
    words = f"The trainers were at work {load.busy_ratio:.0%} of the time: the night was bound by computing."
    heavy = _heaviest([piece for piece in load.pieces if piece.timeframe], work)
    yield Hint(
        work / count - work / (count + 1),
        f"{words}{heavy}",
        f"One more trainer than {count}, on a core that is free, or fewer cells.",
    )


def _heaviest(pieces: Sequence[Piece], work: float) -> str:
    seconds: dict[str, float] = {}
    for piece in pieces:
        seconds[piece.timeframe] = seconds.get(piece.timeframe, 0.0) + piece.seconds
    timeframe, most = max(seconds.items(), key=lambda one: one[1], default=("", 0.0))
    share = most / work if work > 0 else 0.0
    return f" {timeframe} alone took {share:.0%} of it." if share >= HEAVY_SHARE and len(seconds) > 1 else ""


def _idle(load: Load, kind: GapKind) -> float:
    return sum(idle.seconds for lane in load.lanes for idle in lane.idles if idle.kind is kind)


def _long(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def _mib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
