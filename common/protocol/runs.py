"""Runs as operators ask for them and see them; reading needs no token on trusted networks.

POST /api/runs                   RunRequest      -> 201 RunView, or 200 if that night is unfinished
GET  /api/runs                                   -> RunPage, the newest first
GET  /api/runs/{run}                             -> RunView
GET  /api/runs/{run}/results                     -> results.Results, 404 until the run has ended
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from common.frozen import Frozen
from common.protocol.steering import Hold
from common.settings.grid import GridConfig

HAS_ENDED = "has ended; its results are in"
"""Words in the coordinator's log by which whoever started its process knows when to ask for the results."""


class RunRequest(Frozen):
    """An operator asks for a night; an unfinished run of an equal configuration is continued."""

    config: GridConfig
    """The night that is asked for."""
    fresh: bool = False
    """Whether an unfinished run of another configuration is cancelled instead of being in conflict."""
    retrain: bool = False
    """Whether cells are trained again whose candles, settings and program are those of an earlier run; a run
    that is continued is not changed by it."""


class RunState(StrEnum):
    """Where a run is in its life: RUNNING until each job is final, then DONE, or CANCELLED by an operator."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class JobCounts(Frozen):
    """Jobs by state."""

    queued: int = 0
    """Jobs that wait."""
    leased: int = 0
    """Jobs that a trainer works on."""
    succeeded: int = 0
    """Jobs that brought a result."""
    failed: int = 0
    """Jobs that were given up."""
    cancelled: int = 0
    """Jobs that an operator cancelled."""

    @property
    def total(self) -> int:
        """All jobs."""
        return self.queued + self.leased + self.final

    @property
    def final(self) -> int:
        """Jobs that are over, one way or the other."""
        return self.succeeded + self.failed + self.cancelled


class RunView(Frozen):
    """A run and how far it is."""

    id: int
    """The run's id."""
    state: RunState
    """Where the run is in its life."""
    config: GridConfig
    """What it trains."""
    synthetic: bool
    """Whether a survey saw synthetic candles."""
    created: datetime
    """When it was begun."""
    finished: datetime | None
    """When it ended; null until then."""
    surveys: JobCounts
    """Its survey jobs by state, one a symbol."""
    training: JobCounts
    """Its training jobs by state, one a cell."""
    progress_ratio: float
    """Share of the training that is done, saved folds of unfinished jobs included, 0 to 1."""
    promoted: int
    """Number of models that were promoted."""
    results_path: str
    """Path of the file with the results; empty until they were written."""
    report_path: str = ""
    """Path of the report as HTML; empty until it was written."""
    paused: Hold | None = None
    """Who paused it, since when and why; null if nobody did."""
    ended_early: Hold | None = None
    """Who ended it before all was done, when and why; null if nobody did."""
    untrainable: int = 0
    """How many of the failed training jobs have candles that cannot be trained on: nothing broke there."""
    retrain: bool = False
    """Whether its cells are trained even where nothing has changed since an earlier run."""
    reused: int = 0
    """How many of the succeeded training jobs took over the result of an earlier run: nothing had changed."""

    @property
    def broken(self) -> int:
        """How many training jobs failed for another reason than their candles."""
        return self.training.failed - self.untrainable

    @property
    def of_these_reused(self) -> str:
        """How many of the trained cells were reused, to follow their number: ` (79 reused)`, or nothing."""
        return f" ({self.reused} reused)" if self.reused else ""


class RunPage(Frozen):
    """Some of the runs."""

    total: int
    """How many runs there are in all."""
    limit: int
    """How many were asked for at most."""
    offset: int
    """How many were skipped."""
    runs: tuple[RunView, ...]
    """The runs, the newest first."""
