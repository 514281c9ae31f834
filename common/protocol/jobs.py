"""What a job is: kinds, states, causes of failure, and the specifications that trainers get."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from common.errors import InvalidRequestError
from common.frozen import Frozen
from common.settings.sections import Label, SurveyPolicy
from common.timeframes import Timeframe


class JobKind(StrEnum):
    """What a job does: survey one symbol's candles, or train one cell."""

    SURVEY = "survey"
    TRAINING = "training"


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    LEASED = "leased"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Cause(StrEnum):
    """Why an attempt ended without a result. The first five can fail a job; the others are free.

    STORAGE: the trainer could not write, for example because its disk is full, or the store that holds its
    candles was away or refused.
    """

    ERROR = "error"
    CRASH = "crash"
    TIMEOUT = "timeout"
    OOM = "oom"
    DATA = "data"
    STORAGE = "storage"
    STOPPED = "stopped"
    NIGHT_CLOSED = "night_closed"
    CANCELLED = "cancelled"


FREE_CAUSES = frozenset({Cause.STORAGE, Cause.STOPPED, Cause.NIGHT_CLOSED, Cause.CANCELLED})
"""Causes that are no fault of the job and charge no budget."""

BREAKER_CAUSES = frozenset({Cause.ERROR})
"""Causes that count for the breaker of a symbol. A data error is final at once: parking the symbol would only
delay its other cells."""


CELL_NAME = re.compile(r"(?P<symbol>.{1,30})_(?P<timeframe>\w{1,4})_H(?P<horizon>\d{1,6})")


class Cell(Frozen):
    """One cell of the grid: whether the close rises over the next `horizon` bars of `timeframe`."""

    symbol: Annotated[str, Field(max_length=30)]
    """The symbol, such as `BTCUSDT`."""
    timeframe: Timeframe
    """Length of a bar, such as `1h`."""
    horizon: Annotated[int, Field(ge=1, le=999_999)]
    """For how many bars ahead a rise is predicted."""

    @property
    def name(self) -> str:
        """Name used in file names: ``BTCUSDT_1h_H3``."""
        return f"{self.symbol}_{self.timeframe}_H{self.horizon}"

    @classmethod
    def of_name(cls, name: str) -> Cell:
        """Return the cell of a name.

        Raises
        ------
        InvalidRequestError
            It is none.
        """
        found = CELL_NAME.fullmatch(name)
        if found is None or found["timeframe"] not in tuple(Timeframe):
            raise InvalidRequestError(f"{name!r} is no cell", "write it as BTCUSDT_1h_H3")
        timeframe = Timeframe(found["timeframe"])
        return cls(symbol=found["symbol"], timeframe=timeframe, horizon=int(found["horizon"]))


class SurveySpec(Frozen):
    """What a survey job has to do: read one symbol's candles and cache every timeframe that is asked for."""

    kind: Literal[JobKind.SURVEY] = JobKind.SURVEY
    """Always `survey`."""
    symbol: str
    """The symbol to survey."""
    timeframes: tuple[Timeframe, ...]
    """Lengths of a bar that are asked for."""
    policy: SurveyPolicy
    """How damaged its candles may be."""


class TrainingSpec(Frozen):
    """What a training job has to do."""

    kind: Literal[JobKind.TRAINING] = JobKind.TRAINING
    """Always `training`."""
    cell: Cell
    """The cell to train."""
    n_splits: int
    """Folds of the expanding walk-forward."""
    embargo_minutes: int
    """Minutes between the end of the last training label and the first test row."""
    Cs: tuple[float, ...]
    """Inverse regularisation strengths, ascending."""
    min_train_rows: int
    """The least rows that a fold may train on."""
    min_test_rows: int
    """The least rows that a fold may be tested on."""
    data_digests: dict[str, str]
    """Digest of the candles that the survey saw, of each timeframe that the cell or its context reads."""
    synthetic: bool
    """Whether the candles are synthetic."""
    label: Label = Label()
    """What is predicted, and what a trade costs."""
    policy: SurveyPolicy | None = None
    """The survey's, so that a host whose cache lacks the candles can survey them itself."""


SPEC: TypeAdapter[SurveySpec | TrainingSpec] = TypeAdapter(
    Annotated[SurveySpec | TrainingSpec, Field(discriminator="kind")]
)
