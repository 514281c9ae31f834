"""What many trainers do with a whole market: the real queue with a clock of its own and simulated trainers.

``python -m tests.bench.scale [SYMBOLS] [TRAINERS ...]`` prints a line for each number of trainers. A trainer
asks, works for as long as `COSTS` say of its cell, and brings a report as real ones do. The coordinator does
one request after the other; each takes what the real code takes here (its time on a processor) and
`REQUEST_SECONDS` more for what is not simulated. So the answer says what bounds a night: the trainers, or the
one coordinator. What trainers share, disks and memory, is in the costs and does not grow with their number.
"""

from __future__ import annotations

import heapq
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import TypeVar

from common.protocol.jobs import SurveySpec
from common.protocol.reports import SurveyReport, TrainingReport
from common.protocol.trainers import Grant
from coordinator.store.database import Database, sqlite_url
from tests.coordinator.specimens import (
    GIB,
    NOON,
    Clock,
    Night,
    finish,
    settings,
    survey_report,
    training_report,
)

Answer = TypeVar("Answer")

SYMBOLS = 400
TRAINERS = (16, 64, 1000)
A_HOST = 16
"""Trainers of a machine."""

COSTS = {"1m": 0.58, "5m": 0.13, "15m": 0.07, "1h": 0.04, "4h": 0.03, "1d": 0.02}
"""Seconds of one core for a cell of two years with its share of the features, beside another trainer."""
SURVEY_SECONDS = 0.7
"""Seconds of one core for the survey of a symbol with two years of minutes."""
SPREAD = (0.8, 1.25)
"""What a job takes lies between these times its cost."""
REQUEST_SECONDS = 0.0015
"""What a request takes of the coordinator besides: HTTP, and its share of a sync of the disk."""
GAP_SECONDS = 0.02
"""What a trainer takes between two jobs: it sends, and mostly has a child that rests."""
IDLE_SECONDS = 2.0
"""After how long a trainer that got nothing asks again."""


@dataclass
class Course:
    """A night in the making.

    `busy` are the seconds that trainers worked, `waits` how long each request took from its arrival to its
    answer, `claims` and `results` what these took of a processor.
    """

    night: Night
    draw: Random
    free_at: float = 0.0
    busy: float = 0.0
    waits: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    results: list[float] = field(default_factory=list)

    def asked(self, now: float, kind: list[float], do: Callable[[], Answer]) -> tuple[float, Answer]:
        """Do a request that arrives at a moment, and return when it is answered, with the answer."""
        begins = max(now, self.free_at)
        self.night.clock.now = NOON + timedelta(seconds=begins)
        began = time.thread_time()
        answer = do()
        took = time.thread_time() - began
        kind.append(took)
        self.free_at = begins + took + REQUEST_SECONDS
        self.waits.append(self.free_at - now)
        return self.free_at, answer


def play(folder: Path, symbols: int, trainers: int) -> dict[str, float]:
    """Play a night, and return its figures."""
    database = Database(sqlite_url(folder / "nighttrain.db"), Clock())
    database.upgrade()
    night = Night(database, settings(), folder)
    names = tuple(f"S{number:05d}USDT" for number in range(symbols))
    night.begin(symbols=names, timeframes=tuple(COSTS), horizons=(1, 3, 5))
    course = Course(night, Random(7))
    boots = [night.register(f"t{one}", host=f"h{one // A_HOST}", limit=2 * GIB) for one in range(trainers)]
    last = dict.fromkeys(boots, "")
    queue = [(course.draw.uniform(0, 0.5), place, boot) for place, boot in enumerate(boots)]
    holding: dict[str, Grant] = {}
    ended, place = 0.0, trainers
    while queue:
        now, _, boot = heapq.heappop(queue)
        grant = holding.pop(boot, None)
        if grant is not None:
            now = _bring(course, now, grant)
            ended = now
        now, answer = course.asked(now, course.claims, lambda boot=boot: night.claim(boot, last[boot]))
        place += 1
        if isinstance(answer, Grant):
            holding[boot], last[boot] = answer, _symbol(answer)
            seconds = _seconds(course, answer)
            course.busy += seconds
            heapq.heappush(queue, (now + GAP_SECONDS + seconds, place, boot))
        elif holding or night.run_listing.view(1).training.queued:
            heapq.heappush(queue, (now + IDLE_SECONDS, place, boot))
    database.close()
    return {
        "seconds": ended,
        "used": course.busy / (ended * trainers),
        "pairs": len(course.results) / ended,
        "claim": median(course.claims),
        "result": median(course.results),
        "wait": sorted(course.waits)[int(len(course.waits) * 0.99)],
        "longest": max(course.waits),
        "coordinator": (sum(course.claims) + sum(course.results) + REQUEST_SECONDS * len(course.waits))
        / ended,
    }


def _symbol(grant: Grant) -> str:
    return grant.spec.symbol if isinstance(grant.spec, SurveySpec) else grant.spec.cell.symbol


def _seconds(course: Course, grant: Grant) -> float:
    cost = SURVEY_SECONDS if isinstance(grant.spec, SurveySpec) else COSTS[grant.spec.cell.timeframe]
    return cost * course.draw.uniform(*SPREAD)


def _bring(course: Course, now: float, grant: Grant) -> float:
    queue = course.night.queue
    report: SurveyReport | TrainingReport
    if isinstance(grant.spec, SurveySpec):
        report = survey_report(grant.spec, volume=course.draw.uniform(1e6, 1e9))
        done = finish(report, seconds=SURVEY_SECONDS)
        return course.asked(now, course.results, lambda: queue.finish(grant.lease_id, done))[0]
    report, content = training_report(grant.spec)
    sha256 = report.manifest.pickle_sha256
    done = finish(report, sha256, COSTS[grant.spec.cell.timeframe])

    def bring() -> None:
        queue.attach_artifact(grant.lease_id, sha256, len(content))
        queue.finish(grant.lease_id, done)

    return course.asked(now, course.results, bring)[0]


def main(words: list[str]) -> None:
    symbols = int(words[0]) if words else SYMBOLS
    counts = [int(word) for word in words[1:]] or TRAINERS
    work = symbols * (3 * sum(COSTS.values()) + SURVEY_SECONDS)
    print(f"{symbols} symbols, {symbols * 18} cells, {work:.0f} s of work for one core")
    print(
        "| trainers | night | trainers at work | jobs/s | claim ms | result ms | 99 % of answers within ms "
        "| longest ms | coordinator at work |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for trainers in counts:
        folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        try:
            found = play(folder, symbols, trainers)
        finally:
            shutil.rmtree(folder)
        minutes, seconds = divmod(round(found["seconds"]), 60)
        cells = (f"{found[name] * 1000:.1f}" for name in ("claim", "result", "wait", "longest"))
        print(
            f"| {trainers} | {minutes} min {seconds:02d} s | {found['used']:.0%} | {found['pairs']:.1f} | "
            f"{' | '.join(cells)} | {found['coordinator']:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
