"""What the agent is doing and has done since its start, kept for whoever asks.

The agent and its lease write, a scrape reads from another thread. Nothing of it is needed for the work, so
it is lost with the process.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from common.errors import NighttrainError
from common.protocol.reports import SurveyReport, TrainingReport
from common.protocol.trainers import Grant, Progress
from trainer.process.channel import Count, Lookup

SUCCEEDED = "succeeded"
LOST = "lost"
"""How a job ended that was done for nobody: its lease went to another, or the coordinator stayed away."""

NOTHING = Progress(stage="", done=0, total=0, memory_bytes=0, peak_memory_bytes=0)


class Phase(StrEnum):
    """What a trainer is doing: looking for its coordinator, waiting for a job, at one, or ending."""

    CONNECTING = "connecting"
    IDLE = "idle"
    WORKING = "working"
    STOPPING = "stopping"


@dataclass
class Vitals:
    """The present job, and counts since the start.

    `grant` is what is worked on, None while idle; `progress` is that of its child. `memory_kills` are
    children that the agent killed for their memory, `rows` the candles of finished jobs. `jobs` counts by
    kind and outcome, `lookups` by cache and outcome, `errors` requests that failed, by the error's code,
    `counts` what was done to the cache of candles. `concluded` is when the present job was, on the monotonic
    clock, None until it is.
    """

    phase: Phase = Phase.CONNECTING
    grant: Grant | None = None
    progress: Progress = NOTHING
    concluded: float | None = None
    memory_kills: int = 0
    rows: int = 0
    jobs: Counter[tuple[str, ...]] = field(default_factory=Counter)
    lookups: Counter[tuple[str, ...]] = field(default_factory=Counter)
    errors: Counter[tuple[str, ...]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    _beat: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def beat(self) -> None:
        """Say that the agent's main thread is not stuck."""
        self._beat = time.monotonic()

    @property
    def silence_seconds(self) -> float:
        """How long ago the main thread last showed that it is not stuck."""
        return time.monotonic() - self._beat

    def begin(self, grant: Grant) -> None:
        """Record that a job has begun."""
        self.phase, self.grant, self.progress = Phase.WORKING, grant, NOTHING

    def conclude(self) -> None:
        """Record that the job has an end, which the coordinator has yet to take."""
        self.concluded = time.monotonic()

    @property
    def unsent_seconds(self) -> float:
        """For how long what became of the job has been waiting to be taken; 0 where nothing is."""
        concluded = self.concluded
        return 0.0 if concluded is None else time.monotonic() - concluded

    def end(self, outcome: str) -> None:
        """Record that the job is over: ``succeeded``, its cause, or ``lost``."""
        assert self.grant is not None
        self.jobs[self.grant.spec.kind.value, outcome] += 1
        self.phase, self.grant, self.progress, self.concluded = Phase.IDLE, None, NOTHING, None

    def looked_up(self, lookups: Iterable[Lookup]) -> None:
        """Count what a child found in the caches, and what not."""
        self.lookups.update((lookup.cache, lookup.outcome) for lookup in lookups)

    def counted(self, counts: Iterable[Count]) -> None:
        """Add up what a child did to the cache of candles."""
        for count in counts:
            self.counts[count.what] += count.number

    def worked_through(self, report: SurveyReport | TrainingReport) -> None:
        """Count the candles of a job that is done; a survey that read no source worked through none."""
        if isinstance(report, TrainingReport):
            self.rows += report.rows
        elif not report.cache_hit:
            self.rows += sum(series.rows for series in report.series)

    def failed(self, error: NighttrainError) -> None:
        """Count a request to the coordinator that failed; any thread may say so."""
        with self._lock:
            self.errors[error.kind.code,] += 1
