"""Sources of one symbol that tell of the same hours and do not agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from common.protocol.jobs import JobState
from tests.trust.nights import Night, night
from tests.trust.outcome import Outcome, Setup
from tests.trust.ties import LUCK
from tests.trust.walks import HOUR, MINUTE, Columns, hours_of, later, walk, write

DAYS = 50
SHIFTS = {"TOKYO": 9, "BERLIN": 1, "CHICAGO": -6}
"""Hours that a clock is ahead of UTC."""


def sources(setup: Setup) -> Iterator[Outcome]:
    """Minutes in UTC beside hours of the same market in local time, of another market, and equal ones."""
    shifts = {"TOKYO": SHIFTS["TOKYO"]} if setup.small else SHIFTS
    symbols = ["SAMEUSDT", *(f"{name}USDT" for name in shifts)]
    symbols += [] if setup.small else ["SUMMERUSDT", "OTHERUSDT"]
    for symbol in symbols:
        draw = setup.draw(symbol)
        minutes = walk(draw, DAYS * 1440, MINUTE)
        write(setup.folder / "candles", symbol, "1m", minutes)
        write(setup.folder / "candles", symbol, "1h", _hours(symbol, minutes, draw))
    setup.say(f"a night of {2 * len(symbols)} cells")
    found = night(setup.folder, symbols, ("15m", "1h"), (1,))
    local = [name for name in symbols if name not in ("SAMEUSDT", "OTHERUSDT")]
    named = sum(_names_shift(found, symbol) for symbol in local)
    yield Outcome(
        "sources: hours in local time beside minutes in UTC",
        "refused, and the shift named",
        f"{named} refused with it",
        f"{len(local)} symbols",
        named == len(local),
    )
    if "OTHERUSDT" in symbols:
        message = found.cell("OTHERUSDT", "1h").message
        yield Outcome(
            "sources: hours of another market",
            "refused, without a shift",
            "refused" if "no shift" in message else "not refused",
            "1 symbol",
            "no shift" in message,
        )
    same = [cell.state is JobState.SUCCEEDED for cell in found.cells("SAMEUSDT")]
    yield Outcome("sources: that agree", "trained", f"{sum(same)} trained", f"{len(same)} cells", all(same))
    beside = [found.cell(symbol, "15m") for symbol in symbols]
    promoted = sum(cell.promoted for cell in beside)
    yield Outcome(
        "sources: 15m from the minutes beside them",
        "none learns from the refused hours",
        f"{promoted} promoted, AUC at most {max(cell.scores.auc for cell in beside if cell.scores):.3f}",
        f"{len(beside)} cells",
        all(cell.p_value is not None and cell.p_value > LUCK / len(beside) for cell in beside),
    )


def _hours(symbol: str, minutes: Columns, draw: np.random.Generator) -> Columns:
    hours = hours_of(minutes)
    if symbol == "OTHERUSDT":
        return hours_of(walk(draw, DAYS * 1440, MINUTE))
    if symbol == "SUMMERUSDT":
        is_winter = np.arange(len(hours["open_time"])) < 400
        return later(hours, np.where(is_winter, -5 * HOUR, -4 * HOUR))
    return later(hours, SHIFTS.get(symbol.removesuffix("USDT"), 0) * HOUR)


def _names_shift(found: Night, symbol: str) -> bool:
    cell = found.cell(symbol, "1h")
    if symbol == "SUMMERUSDT":
        clocks = [
            f"by {one} hours in one part of the year and by {other} hours in the other"
            for one, other in (("+5", "+4"), ("+4", "+5"))
        ]
    else:
        back = -SHIFTS[symbol.removesuffix("USDT")]
        clocks = [f"by {back:+d} hour{'s' if abs(back) > 1 else ''}"]
    return cell.state is JobState.FAILED and any(f"shifted {words}, " in cell.message for words in clocks)
