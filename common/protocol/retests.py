"""What a night found out about the champions that stood before it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from common.frozen import Frozen
from common.protocol.reports import Scores, Span


class Verdict(StrEnum):
    """What a night found about a champion, apart from whether a new model took its place."""

    STANDS = "stands"
    DEMOTED = "demoted"
    EXPIRED = "expired"


class ChampionResult(Frozen):
    """What a night found out about the champion of a cell that stood when the night ended."""

    symbol: str
    """The symbol."""
    timeframe: str
    """Length of a bar."""
    horizon: int
    """Bars ahead."""
    model: str
    """SHA-256 of the champion's .pkl, in hexadecimal."""
    verdict: Verdict
    """Whether it stands; one that was replaced may have stood the test too."""
    replaced: bool
    """Whether a model of this night took its place."""
    words: str
    """What was found out, or why it was not tested."""
    promised_auc: float | None
    """Its out-of-fold AUC when it was promoted; null if only one class was seen or it is damaged."""
    trained_until: datetime | None
    """End of its last training label; null if it is damaged."""
    since: datetime
    """When it became champion."""
    age_days: float
    """Its age, in days: newest candle after its training, or the time since its promotion if that is more."""
    new_rows: int = 0
    """Rows after its training that it was tested on."""
    new_span: Span | None = None
    """Time of these rows; null if there are none."""
    new_scores: Scores | None = None
    """Its scores on them; null if there are none."""
    lost_p_value: float | None = None
    """Probability of so low an AUC if a quarter of its promised edge were left; null if it was not judged."""
    record_p_value: float | None = None
    """Probability of its whole record's AUC by luck; null if it was not tested."""
    challenger_worse_p_value: float | None = None
    """Probability of the new model's log loss being so far above its own by luck; null if not compared."""
