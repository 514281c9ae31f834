"""The grid of a night as rows and columns of small texts, and what a filter leaves of it. Decisions only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from common.protocol.job_views import JobView
from common.protocol.jobs import Cause, JobKind, JobState
from common.timeframes import Timeframe

HORIZON = re.compile(r"[hH](\d+)")


@dataclass(frozen=True)
class Sign:
    """How cells of one state look: a glyph, a word, and a style."""

    glyph: str
    word: str
    style: str


SIGNS = {
    "queued": Sign("○", "waits", "bright_black"),
    "leased": Sign("◐", "running", "cyan"),
    "succeeded": Sign("✓", "done", "green"),
    "promoted": Sign("★", "promoted", "bold yellow"),
    "failed": Sign("✗", "failed", "bold red"),
    "untrainable": Sign("∅", "untrainable", "yellow"),
    "cancelled": Sign("⊘", "cancelled", "bright_black"),
}
"""By state, in the order of a night; `promoted` is what a succeeded cell may be too."""


@dataclass(frozen=True)
class Filter:
    """What of the grid is looked at; of each kind any, and all where none is named.

    `states` dims the others; the rest hides rows and columns.
    """

    symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    horizons: tuple[int, ...] = ()
    states: tuple[str, ...] = ()

    @classmethod
    def of(cls, words: str) -> Filter:
        """Return the filter of words such as ``btc 1h H3 failed``; any other word is part of a symbol."""
        symbols: list[str] = []
        timeframes: list[str] = []
        horizons: list[int] = []
        states: list[str] = []
        for word in words.replace(",", " ").split():
            state = next((key for key, sign in SIGNS.items() if word.lower() in (key, sign.word)), None)
            if state is not None:
                states.append(state)
            elif word in tuple(Timeframe):
                timeframes.append(word)
            elif match := HORIZON.fullmatch(word):
                horizons.append(int(match[1]))
            else:
                symbols.append(word.upper().replace("/", ""))
        return cls(tuple(symbols), tuple(timeframes), tuple(horizons), tuple(states))

    def takes_symbol(self, symbol: str) -> bool:
        """Whether the row of a symbol is shown."""
        return not self.symbols or any(one in symbol for one in self.symbols)

    def takes_column(self, timeframe: str, horizon: int) -> bool:
        """Whether a column is shown."""
        return (not self.timeframes or timeframe in self.timeframes) and (
            not self.horizons or horizon in self.horizons
        )

    def takes_state(self, state: str) -> bool:
        """Whether a cell of this state is looked for."""
        return not self.states or state in self.states or (state == "promoted" and "succeeded" in self.states)


@dataclass(frozen=True)
class Grid:
    """The rows and columns that a filter leaves, and the job of each place."""

    symbols: tuple[str, ...]
    columns: tuple[tuple[str, int], ...]
    jobs: dict[tuple[str, str, int], JobView]
    surveys: dict[str, JobView]


def grid_of(jobs: Sequence[JobView], wanted: Filter) -> Grid:
    """Return the grid of a run's jobs, in their order."""
    cells = {
        (job.symbol, job.timeframe, job.horizon): job
        for job in jobs
        if job.kind is JobKind.TRAINING and job.timeframe is not None and job.horizon is not None
    }
    surveys = {job.symbol: job for job in jobs if job.kind is JobKind.SURVEY}
    timeframes = sorted({timeframe for _, timeframe, _ in cells}, key=lambda one: Timeframe(one).seconds)
    horizons = sorted({horizon for _, _, horizon in cells})
    return Grid(
        tuple(
            one for one in dict.fromkeys((*surveys, *(s for s, _, _ in cells))) if wanted.takes_symbol(one)
        ),
        tuple((t, h) for t in timeframes for h in horizons if wanted.takes_column(t, h)),
        cells,
        surveys,
    )


def state_of(job: JobView) -> str:
    """Return the key of a cell's sign."""
    if job.state is JobState.FAILED and job.cause is Cause.DATA:
        return "untrainable"
    return "promoted" if job.promoted else str(job.state)


def text_of(job: JobView) -> str:
    """Return what a cell says: its sign, and its AUC, its step, or its cause."""
    glyph = SIGNS[state_of(job)].glyph
    if job.state is JobState.SUCCEEDED and job.scores is not None and job.scores.auc is not None:
        return f"{glyph}{job.scores.auc:.3f}".replace("0.", ".", 1)
    if job.state is JobState.LEASED and job.progress is not None:
        return f"{glyph}{job.progress.done}/{job.progress.total}"
    if state_of(job) == "failed" and job.cause is not None:
        return f"{glyph}{job.cause}"
    return glyph


def survey_text(job: JobView | None, is_parked: bool) -> str:
    """Return what stands beside a symbol: that it is parked, or where its survey is; else nothing."""
    if is_parked:
        return "parked"
    if job is None or job.state is JobState.SUCCEEDED:
        return ""
    return f"{SIGNS[state_of(job)].glyph} survey"
