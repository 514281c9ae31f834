"""A night in ten lines, and two nights side by side, cell by cell.

GET  /api/runs/{run}/report                      -> the report as an HTML page; of a running night, so far
GET  /api/runs/{run}/digest                      -> NightDigest, likewise
GET  /api/nights/difference?left=&right=         -> NightDifference
"""

from __future__ import annotations

from datetime import datetime

from common.frozen import Frozen
from common.protocol.champions import ValueDifference
from common.protocol.jobs import JobState
from common.protocol.runs import RunState


class NightDigest(Frozen):
    """A night in at most ten lines, as its receivers get it when it ends."""

    run: int
    """The run's id."""
    state: RunState
    """Whether it has ended; the digest of a running one says what is known so far."""
    time: datetime
    """Until when it is told: the end of the night, or now while it runs."""
    subject: str
    """What was promoted, what failed and how long it took, in one line."""
    lines: tuple[str, ...]
    """The night in at most ten lines of plain text."""


class CellSide(Frozen):
    """A cell as one of the two nights has it."""

    job_id: int
    """Its job."""
    state: JobState
    """Where the job is in its life."""
    auc: float | None
    """Its out-of-fold AUC; null where it has none."""
    p_value: float | None
    """Probability of such a score by luck, 0 to 1; null where it has none."""
    promoted: bool | None
    """Whether the night has promoted its model; null before its decision."""


class CellDifference(Frozen):
    """A cell in two nights."""

    symbol: str
    """The symbol."""
    timeframe: str
    """Length of a bar."""
    horizon: int
    """Bars ahead."""
    before: CellSide | None
    """As the first night has it; null if it has no such cell."""
    after: CellSide | None
    """As the second night has it; null if it has no such cell."""
    gain: float | None
    """By how much the AUC of the second night is higher; null where one of them has none."""
    changed: tuple[str, ...]
    """What the two models were made from that differs: `candles`, `configuration`, `code`."""


class NightDifference(Frozen):
    """What differs between two nights."""

    left: int
    """The first run."""
    right: int
    """The second run."""
    configuration: tuple[ValueDifference, ...]
    """Values of the configuration that differ."""
    code: tuple[ValueDifference, ...]
    """Versions of programs, features and labels that differ."""
    candles: dict[str, int]
    """Symbols whose candles differ, with how many of their cells."""
    mean_gain: float | None
    """By how much the AUC rose on the mean of the cells that both have trained; null if there is none."""
    cells: tuple[CellDifference, ...]
    """All cells of both, in the order of the second night and then of the first."""
