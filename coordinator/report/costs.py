"""What the jobs of a night cost: time and memory by timeframe, and the stages in which it was spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from common.protocol.jobs import JobState
from coordinator.html.plots.spread import SpreadRow, spread_plot
from coordinator.report.contents import Contents
from coordinator.views.cells import ReportedJob

SURVEYS = "surveys"
SEVERAL = 3
TIMES = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))
SIZES = ((2.0**30, "GiB"), (2.0**20, "MiB"))


@dataclass(frozen=True)
class Cost:
    """The jobs of a timeframe that brought a result; `share` is theirs of all work in such jobs, 0 to 1."""

    name: str
    jobs: int
    median_seconds: float
    longest: ReportedJob
    median_peak_bytes: float | None
    largest: ReportedJob | None
    share: float


@dataclass(frozen=True)
class Costs:
    """What the jobs cost; `stages` are the stages of all trainings with their share, the longest first."""

    by_timeframe: tuple[Cost, ...]
    stages: tuple[tuple[str, float, float], ...]
    time_plot: Markup
    memory_plot: Markup


def costs_of(found: Contents) -> Costs | None:
    """Return what the jobs of a night cost; None before the first is done."""
    groups: dict[str, list[ReportedJob]] = {}
    for name in (SURVEYS, *(str(timeframe) for timeframe in found.config.timeframes)):
        own = [one for one in found.jobs if (one.job.timeframe or SURVEYS) == name]
        if done := [one for one in own if one.job.state is JobState.SUCCEEDED and one.seconds is not None]:
            groups[name] = done
    if not groups:
        return None
    work = sum(_seconds(one) for jobs in groups.values() for one in jobs)
    return Costs(
        by_timeframe=tuple(_cost(name, jobs, work) for name, jobs in groups.items()),
        stages=_stages(found.trained),
        time_plot=_plot("Time of each job", groups, _seconds, TIMES),
        memory_plot=_plot("Most memory of each job", groups, _peak, SIZES),
    )


def _cost(name: str, jobs: Sequence[ReportedJob], work: float) -> Cost:
    peaks = [one for one in jobs if one.peak_bytes is not None]
    return Cost(
        name=name,
        jobs=len(jobs),
        median_seconds=median(_seconds(one) for one in jobs),
        longest=max(jobs, key=_seconds),
        median_peak_bytes=median(_peak(one) for one in peaks) if peaks else None,
        largest=max(peaks, key=_peak) if peaks else None,
        share=sum(_seconds(one) for one in jobs) / work if work > 0 else 0.0,
    )


def _stages(trained: Sequence[ReportedJob]) -> tuple[tuple[str, float, float], ...]:
    seconds: dict[str, float] = {}
    for one in trained:
        if one.job.reused_from is not None:
            # Its stages were those of another night.
            continue
        for stage, took in (one.measured.stages if one.measured else {}).items():
            seconds[stage] = seconds.get(stage, 0.0) + took
    total = sum(seconds.values())
    ordered = sorted(seconds.items(), key=lambda stage: -stage[1])
    return tuple((stage, took, took / total if total > 0 else 0.0) for stage, took in ordered)


def _plot(
    what: str,
    groups: dict[str, list[ReportedJob]],
    value: Callable[[ReportedJob], float],
    units: Sequence[tuple[float, str]],
) -> Markup:
    """Draw a value of each job in the largest unit of which the greatest value has several."""
    greatest = max(value(one) for jobs in groups.values() for one in jobs)
    size, unit = next((one for one in units if greatest >= SEVERAL * one[0]), units[-1])

    def written(amount: float) -> str:
        return f"{amount:.3g} {unit}"

    rows = [
        SpreadRow(
            name, tuple((value(one) / size, f"{one.job.name}: {written(value(one) / size)}") for one in jobs)
        )
        for name, jobs in groups.items()
    ]
    return spread_plot(what, rows, written)


def _seconds(one: ReportedJob) -> float:
    return one.seconds or 0.0


def _peak(one: ReportedJob) -> float:
    return float(one.peak_bytes or 0)
