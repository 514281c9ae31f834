"""What jobs cost on this machine, from the results of nights that were trained on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import fmean, median

from cli.local.night_length import Costs, Series, length
from common.protocol.job_views import AttemptView, Outcome
from common.protocol.results import Results
from common.settings.night import NightSettings

FEWEST_JOBS = 3
"""Trainings that must have been measured before anything is said by them."""

LEAST_SECONDS = 0.01


@dataclass(frozen=True)
class _Job:
    rows: int
    first: bool
    attempt: AttemptView

    @property
    def seconds(self) -> float:
        return max(LEAST_SECONDS, self.attempt.seconds or 0.0)


def comparable(night: Results, settings: NightSettings) -> bool:
    """Return whether jobs of a night cost what those of the settings do: as many folds and values of C."""
    ours = (settings.n_splits, len(settings.model.C))
    return ours == (night.config.n_splits, len(night.config.model.C))


def costs_of(nights: Sequence[Results], spread: float) -> Costs | None:
    """Return the costs that these nights tell, the newest first; None where they tell too little.

    Nights in which a job was resumed or failed count by their other jobs alone.
    """
    trainings = [job for night in nights for job in _trainings(night)]
    surveys = [job for night in nights for job in _surveys(night)]
    if len(trainings) < FEWEST_JOBS or not surveys:
        return None
    training, training_row, features_row = _fitted(trainings)
    survey, survey_row = _line(surveys)
    computed = [training + (training_row + features_row * job.first) * job.rows for job in trainings]
    costs = Costs(
        training=training,
        training_row=training_row,
        features_row=features_row,
        survey=survey,
        survey_row=survey_row,
        gap=median([gap for night in nights for gap in _gaps(night)] or [0.1]),
        fixed=0.0,
        ratios=tuple(
            job.seconds / max(one, LEAST_SECONDS) for job, one in zip(trainings, computed, strict=True)
        ),
        most_rows=max(job.rows for job in trainings),
        trainers=max(1, round(median(_trainers(night) for night in nights))),
        spread=spread,
    )
    whole = [night for night in nights if night.totals.attempts == len(night.jobs) + len(night.surveys)]
    left = [
        night.totals.wall_seconds - length(_with(costs, spread=0.0), grid_of(night), _trainers(night)).p50
        for night in whole
    ]
    return _with(costs, fixed=max(0.0, median(left or [2.0])))


@dataclass(frozen=True)
class Peak:
    """The memory of a training in bytes, by its rows."""

    start: float
    row: float

    def at(self, rows: int) -> float:
        """Return what a training of so many rows takes."""
        return self.start + self.row * rows


def peaks_of(nights: Sequence[Results]) -> tuple[list[int], Peak]:
    """Return the most that each survey took, and a line above what the trainings took."""
    surveys = [survey.peak_memory_bytes for night in nights for survey in night.surveys]
    jobs = [job for night in nights for job in _trainings(night) if job.attempt.peak_memory_bytes]
    points = [(job.rows, job.attempt.peak_memory_bytes or 0) for job in jobs]
    row = _slope(points)
    start = max((peak - row * rows for rows, peak in points), default=0.0)
    return [peak for peak in surveys if peak is not None], Peak(start, row)


def _slope(points: Sequence[tuple[int, int]]) -> float:
    if len({rows for rows, _ in points}) < 2:
        return 0.0
    mean_rows = fmean(rows for rows, _ in points)
    mean_peak = fmean(peak for _, peak in points)
    joint = sum((rows - mean_rows) * (peak - mean_peak) for rows, peak in points)
    return max(0.0, joint / sum((rows - mean_rows) ** 2 for rows, _ in points))


def grid_of(night: Results) -> list[Series]:
    """Return the series of a night that were trained, with their rows."""
    return [
        Series(survey.symbol, one.rows, len(night.config.horizons))
        for survey in night.surveys
        if survey.report
        for one in survey.report.series
        if one.timeframe in night.config.timeframes and not one.refusal
    ]


def _with(costs: Costs, **changed: float) -> Costs:
    return Costs(**(vars(costs) | changed))


def _trainings(night: Results) -> Iterator[_Job]:
    rows = {
        (survey.symbol, str(one.timeframe)): one.rows
        for survey in night.surveys
        if survey.report
        for one in survey.report.series
    }
    seen: dict[tuple[str, str], datetime] = {}
    done = [(job, job.attempts[0]) for job in night.jobs if len(job.attempts) == 1]
    done = [(job, one) for job, one in done if one.outcome is Outcome.SUCCEEDED and one.seconds]
    for job, attempt in done:
        key = (job.symbol, job.timeframe)
        seen[key] = min(seen.get(key, attempt.started), attempt.started)
    for job, attempt in done:
        key = (job.symbol, job.timeframe)
        if rows.get((job.symbol, job.timeframe)):
            yield _Job(rows[key], attempt.started == seen[key], attempt)


def _surveys(night: Results) -> Iterator[_Job]:
    for survey in night.surveys:
        # A survey whose files are known reads none of them: that is no measure of one that does.
        if survey.report and not survey.report.cache_hit and len(survey.attempts) == 1:
            rows = max((one.rows for one in survey.report.series), default=0)
            yield _Job(rows, False, survey.attempts[0])


def _fitted(jobs: Sequence[_Job]) -> tuple[float, float, float]:
    """Return start, seconds a row, and seconds a row of the first: none negative, least relative error."""
    import numpy as np
    from scipy.optimize import nnls

    design = np.array([[1.0, job.rows, job.rows * job.first] for job in jobs])
    seconds = np.array([job.seconds for job in jobs])
    scale = np.array([1.0, 1e-5, 1e-5])
    found, _ = nnls(design * scale / seconds[:, None], np.ones(len(jobs)))
    start, row, first = (float(value) for value in found * scale)
    return start, row, first


def _line(jobs: Sequence[_Job]) -> tuple[float, float]:
    import numpy as np
    from scipy.optimize import nnls

    if len({job.rows for job in jobs}) == 1:
        # One size alone does not tell start from slope; most of a survey is reading.
        return 0.0, median(job.seconds for job in jobs) / max(1, jobs[0].rows)
    design = np.array([[1.0, job.rows * 1e-5] for job in jobs])
    seconds = np.array([job.seconds for job in jobs])
    found, _ = nnls(design / seconds[:, None], np.ones(len(jobs)))
    return float(found[0]), float(found[1]) * 1e-5


def _gaps(night: Results) -> Iterator[float]:
    by_trainer: dict[str, list[AttemptView]] = {}
    for attempt in _attempts(night):
        if attempt.ended is not None:
            by_trainer.setdefault(attempt.trainer, []).append(attempt)
    for attempts in by_trainer.values():
        attempts.sort(key=lambda one: one.started)
        for before, after in pairwise(attempts):
            if before.ended is not None:
                # What passes between coordinator and trainer is in it, which no attempt counts.
                yield max(0.0, (after.started - before.started).total_seconds() - (before.seconds or 0.0))


def _attempts(night: Results) -> list[AttemptView]:
    jobs = [attempt for job in night.jobs for attempt in job.attempts]
    return jobs + [attempt for survey in night.surveys for attempt in survey.attempts]


def _trainers(night: Results) -> int:
    return max(1, len({attempt.trainer for attempt in _attempts(night)}))
