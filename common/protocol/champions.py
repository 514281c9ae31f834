"""The champions: the promoted model of each cell, what changed it night after night, and why.

GET  /api/champions                              -> ChampionPage
GET  /api/champions/{cell}                       -> ChampionHistory
GET  /api/models/difference?left=&right=         -> ModelDifference of the models of two jobs
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from common.frozen import Frozen
from common.protocol.reports import Manifest, Scores


class ChampionAction(StrEnum):
    """What became of the champion of a cell.

    PROMOTED: a model became champion where there was none. REPLACED: another model took its place. DEMOTED
    and EXPIRED: it is champion no longer, and no other model is.
    """

    PROMOTED = "promoted"
    REPLACED = "replaced"
    DEMOTED = "demoted"
    EXPIRED = "expired"


class ChampionChange(Frozen):
    """One change of the champion of a cell, with its reason."""

    time: datetime
    """When it was decided."""
    symbol: str
    """The symbol."""
    timeframe: str
    """Length of a bar."""
    horizon: int
    """Bars ahead."""
    action: ChampionAction
    """What became of the champion."""
    model: str
    """SHA-256 of the .pkl of the champion since then, in hexadecimal; empty if there is none."""
    former: str
    """SHA-256 of the .pkl of the champion until then; empty if there was none."""
    run: int | None
    """The run that decided it; null where a person did."""
    by: str
    """Who decided it; empty where a run did."""
    reason: str
    """Why, with the numbers it rests on."""


class ChampionView(Frozen):
    """The champion of a cell at a glance."""

    cell: str
    """Name of the cell, such as `BTCUSDT_1h_H3`."""
    symbol: str
    """The symbol."""
    timeframe: str
    """Length of a bar."""
    horizon: int
    """Bars ahead."""
    job: int
    """The job that trained it."""
    run: int
    """The run of that job."""
    model: str
    """SHA-256 of its .pkl, in hexadecimal."""
    synthetic: bool | None
    """Whether it was trained on synthetic candles; null if its manifest is malformed."""
    since: datetime
    """Since when it is champion."""
    by: str
    """Who made it champion; empty where a run did."""
    reason: str
    """Why it is champion."""
    trained_until: datetime | None
    """The end of the candles that it was trained on; null if its manifest is malformed."""
    scores: Scores | None
    """Its out-of-fold scores; null if its manifest is malformed."""
    p_value: float | None
    """Probability of such a score by luck, 0 to 1; null if its manifest is malformed."""


class ChampionPage(Frozen):
    """All champions."""

    champions: tuple[ChampionView, ...]
    """One a cell, by symbol, timeframe and horizon."""


class ChampionHistory(Frozen):
    """The champion of a cell with all that was changed of it."""

    cell: str
    """Name of the cell."""
    champion: ChampionView | None
    """The present champion; null if there is none."""
    before: int | None
    """The job whose model a rollback would make champion; null if it would leave the cell without one."""
    refusal: str = ""
    """Why a rollback would be refused all the same; empty: it would not."""
    changes: tuple[ChampionChange, ...]
    """Every change, the newest first."""
    manifest: Manifest | None
    """The champion's manifest; null if there is none, or it is malformed."""


class ValueDifference(Frozen):
    """A value that two models do not share."""

    name: str
    """What it is, such as `auc`, `candles_1h` or the name of a feature."""
    left: str
    """Its value in the first model; empty if it has none."""
    right: str
    """Its value in the second model; empty if it has none."""


def value_differences(values: Mapping[str, tuple[str, str]]) -> tuple[ValueDifference, ...]:
    """Return differing values, given as the first and the second one by name."""
    return tuple(ValueDifference(name=name, left=left, right=right) for name, (left, right) in values.items())


class ModelDifference(Frozen):
    """What differs between the models of two jobs."""

    left: int
    """The first job."""
    right: int
    """The second job."""
    scores: tuple[ValueDifference, ...]
    """Scores and p-value."""
    lineage: tuple[ValueDifference, ...]
    """Candles, configuration, features, programs and parameters: why they may differ."""
    coefficients: tuple[ValueDifference, ...]
    """Coefficients of the standardised features, the greatest change first."""
