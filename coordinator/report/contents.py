"""All that a night's report says, read in one transaction: page and digest are both made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.protocol.champions import ChampionChange
from common.protocol.job_views import RefusalReason
from common.protocol.jobs import Cause, JobKind, JobState
from common.protocol.retests import ChampionResult
from common.protocol.runs import RunState
from common.settings.grid import GridConfig, grid_of
from common.settings.night import NightSettings
from coordinator.champions.decision import tests_of
from coordinator.champions.registry import changes
from coordinator.policy.speed import Hint, Idle, Lane, Load, Piece, hints_of
from coordinator.store.database import Database, Transaction
from coordinator.store.rows import RunRow, find_run
from coordinator.views.candles import NightCandles, candles_of
from coordinator.views.cells import ReportedJob, reported_jobs
from coordinator.views.comparison import Comparison, comparison_of
from coordinator.views.failures import FailureGroup, failures_of
from coordinator.views.nights import NightSummary, nights_until
from coordinator.views.timeline import Timeline, TrainerTime, timeline_of

COMPARED_NIGHTS = 8
"""How many nights stand side by side, the reported one among them."""


@dataclass(frozen=True)
class Contents:
    """A night as its report shows it.

    `time` is when it was read, and until when a night that still runs is shown. `nights` are the last ones,
    the newest first, beginning with this; `comparison` is with the last night before it that trained a cell,
    None without one. `failures` are grouped by cause, `refusals` are those of data.
    """

    time: datetime
    run: RunRow
    config: GridConfig
    jobs: tuple[ReportedJob, ...]
    nights: tuple[NightSummary, ...]
    comparison: Comparison | None
    failures: tuple[FailureGroup, ...]
    refusals: tuple[FailureGroup, ...]
    candles: NightCandles
    timeline: Timeline
    champion_changes: tuple[ChampionChange, ...]
    champion_tests: tuple[ChampionResult, ...]
    load: Load
    hints: tuple[Hint, ...]

    @property
    def is_over(self) -> bool:
        """Whether the night has ended."""
        return self.run.state is not RunState.RUNNING

    @property
    def ended(self) -> datetime:
        """When it ended; now while it runs."""
        return self.run.decided or self.run.finished or self.time

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.ended - self.run.created).total_seconds()

    @property
    def night(self) -> NightSummary:
        """The night in figures."""
        return self.nights[0]

    @property
    def cells(self) -> tuple[ReportedJob, ...]:
        """The training jobs."""
        return tuple(one for one in self.jobs if one.job.kind is JobKind.TRAINING)

    @property
    def trained(self) -> tuple[ReportedJob, ...]:
        """Those that brought a model."""
        return tuple(one for one in self.cells if one.job.state is JobState.SUCCEEDED)

    @property
    def promoted(self) -> tuple[ReportedJob, ...]:
        """Those whose model was promoted, the highest AUC first."""
        found = [one for one in self.trained if one.job.promoted]
        return tuple(sorted(found, key=lambda one: -(one.auc or 0.0)))

    @property
    def refused_by(self) -> tuple[tuple[RefusalReason, int], ...]:
        """How many models missed each condition, the commonest first; a model may miss several."""
        missed = Counter(reason for one in self.trained for reason in one.job.refused_by)
        return tuple(missed.most_common())

    @property
    def failed(self) -> int:
        """How many cells failed for another cause than data."""
        return _cells_in(self.failures)

    @property
    def refused(self) -> int:
        """How many cells failed because their candles cannot be trained on."""
        return _cells_in(self.refusals)


def _cells_in(groups: Sequence[FailureGroup]) -> int:
    return sum(job.kind is JobKind.TRAINING for group in groups for job in group.jobs)


def read_contents(database: Database, run_id: int, settings: NightSettings) -> Contents:
    """Return what the report of a night says; of one that runs, what is known so far.

    Raises
    ------
    NotFoundError
        There is no such night.
    """
    with database.read() as tx:
        run = find_run(tx, run_id)
        found, timeline = reported_jobs(tx, run.id), timeline_of(tx, run, settings)
        nights = tuple(nights_until(tx, run, COMPARED_NIGHTS))
        groups, candles = failures_of(tx, run).groups, candles_of(tx, run)
        load = load_of(timeline, found, candles)
        return Contents(
            time=tx.now,
            run=run,
            config=grid_of(run.config),
            jobs=found,
            nights=nights,
            comparison=_comparison(tx, run, nights[1:]),
            failures=tuple(group for group in groups if group.cause is not Cause.DATA),
            refusals=tuple(group for group in groups if group.cause is Cause.DATA),
            candles=candles,
            timeline=timeline,
            champion_changes=changes(tx.connection, run.id),
            champion_tests=tests_of(tx, run.id),
            load=load,
            hints=hints_of(load),
        )


def _comparison(tx: Transaction, run: RunRow, before: Sequence[NightSummary]) -> Comparison | None:
    """Compare with the last night on candles of the same kind: synthetic ones say nothing of a market."""
    for night in before:
        if night.cells.succeeded and night.synthetic is run.synthetic:
            return comparison_of(tx, find_run(tx, night.id), run)
    return None


def load_of(timeline: Timeline, found: Sequence[ReportedJob], candles: NightCandles) -> Load:
    """Return what the time of a night was spent on; a trainer that never worked counts if it was there."""
    by_id = {one.job.id: one.job for one in found}
    peaks = [one.peak_bytes for one in found if one.peak_bytes]
    rooms = [attempt.memory_limit_bytes for one in found for attempt in one.attempts]

    def lane(trainer: TrainerTime) -> Lane:
        pieces = tuple(
            Piece(
                name=work.name,
                timeframe=by_id[work.job_id].timeframe or "",
                start=since(work.start),
                end=since(work.end),
                done=work.cause is None,
                cause=work.cause or "",
            )
            for work in trainer.work
        )
        idles = [Idle(gap.kind, since(gap.start), since(gap.end)) for gap in trainer.gaps if gap.kind]
        return Lane(pieces, tuple(idles))

    def since(moment: datetime) -> float:
        return (min(max(moment, timeline.start), timeline.end) - timeline.start).total_seconds()

    return Load(
        seconds=(timeline.end - timeline.start).total_seconds(),
        lanes=tuple(lane(one) for one in timeline.trainers),
        largest_peak_bytes=max(peaks, default=None),
        largest_room_bytes=max(rooms, default=None),
        surveys_read=sum(one.report is not None and not one.report.cache_hit for one in candles.symbols),
    )
