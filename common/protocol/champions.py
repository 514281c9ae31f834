"""The champions: the promoted model of each cell, what changed it night after night, and why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from common.frozen import Frozen


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
