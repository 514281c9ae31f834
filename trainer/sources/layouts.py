"""Columns without names: which of them is which field of a candle, by their number and their content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from trainer.candles.arrays import FloatArray
from trainer.sources.content import (
    Relation,
    price_order,
    relation,
    settled_volumes,
    whole_numbers,
    within_bars,
)
from trainer.sources.probe import ENOUGH, Asked, Probe, UnreadableError
from trainer.sources.times import NO_TIME

BINANCE_COLUMNS = 11
"""So many columns or more are a Binance dump: its 7th is the closing time, its 8th the quote volume."""

CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?|\d{6}")
DATE = re.compile(r"\d{4}([-./])\d{1,2}\1\d{1,2}|(19|20)\d{6}")


@dataclass(frozen=True)
class Choice:
    """Which columns hold what, by place from 0.

    `clock` is the column of the time of day where that of the time holds dates, `symbol` the one that says
    of what the row is; `notes` are sentences for the survey's findings.
    """

    fields: Mapping[str, int]
    clock: int | None = None
    symbol: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, int]:
        """All places, with ``clock`` and ``symbol`` among the fields."""
        others = {"clock": self.clock, "symbol": self.symbol}
        return {**self.fields, **{name: place for name, place in others.items() if place is not None}}


def columns_by_order(probe: Probe, mapped: Mapping[str, int], asked: Asked) -> Choice:
    """Choose among columns without names.

    Parameters
    ----------
    probe : Probe
        Some rows.
    mapped : mapping of int
        Places that the user's mapping names; they are not judged.
    asked : Asked
        What is wanted.

    Raises
    ------
    UnreadableError
        The layout is not known, or the content is not that of the layout.
    """
    count = len(probe.columns)
    if count < 6:
        raise UnreadableError(
            f"its rows have {count} fields where time, open, high, low, close, volume were due"
        )
    fields: dict[str, int] = {"open_time": 0}
    first, clock = 1, None
    if count >= 7 and _dates_and_clocks(probe):
        first, clock = 2, 1
    given = {name: place for name, place in mapped.items() if name != "clock"}
    if given.keys() & {"open", "high", "low", "close"}:
        order = ("open", "high", "low", "close")
    else:
        order = ("close", "high", "low", "open") if _is_gate(probe, first) else None  # type: ignore[assignment]
        if order is not None:
            fields |= {name: 2 + place for place, name in enumerate(order)}
            choice = Choice({**fields, "volume": 6, "quote_volume": 1, **given}, mapped.get("clock"))
            return replace(choice, fields=settled_volumes(probe, dict(choice.fields), asked))
        order = price_order(probe, first, asked)
    fields |= {name: first + place for place, name in enumerate(order)}
    notes: tuple[str, ...] = ()
    if clock is not None:
        fields["volume"] = first + 4
        notes = ("its volume is that of a MetaTrader export, which mostly counts ticks",)
    elif "volume" not in given:
        fields |= _volumes(probe, fields, asked)
    fields |= given
    if "open_time" in mapped:
        clock = mapped.get("clock")
    return Choice(settled_volumes(probe, fields, asked), clock, None, notes)


def _dates_and_clocks(probe: Probe) -> bool:
    dates, clocks = (probe.columns[place] for place in (0, 1))
    return bool(
        dates
        and all(DATE.fullmatch(text.strip()) for text in dates)
        and all(CLOCK.fullmatch(text.strip()) for text in clocks)
    )


def _is_gate(probe: Probe, first: int) -> bool:
    # gate: time, value, close, high, low, open, amount, closed
    if first != 1 or len(probe.columns) not in (7, 8) or len(probe) < ENOUGH:
        return False
    close, high, low, opened, amount = (probe.numbers(place) for place in (2, 3, 4, 5, 6))
    fits = (high >= np.fmax(close, opened)) & (low <= np.fmin(close, opened))
    return bool(fits.mean() > 0.95) and relation(probe.numbers(1), amount, close) is Relation.VALUE


def _volumes(probe: Probe, fields: Mapping[str, int], asked: Asked) -> dict[str, int]:
    count = len(probe.columns)
    price = probe.numbers(fields["close"])
    if count == 8:
        if within_bars(probe, 5, dict(fields)) and whole_numbers(probe, 7):
            return {"volume": 6}  # Kraken: vwap, volume, count
        if _value(probe, 6, 5, price):
            return {"volume": 5, "quote_volume": 6}
        raise asked.unsettled("what its eight columns without names are cannot be told", "volume")
    if within_bars(probe, 5, dict(fields)):
        raise asked.unsettled(
            "its sixth column has no name and lies between low and high, as an average price does and a "
            "volume does not",
            "volume",
        )
    if count == 6:
        return {"volume": 5}
    if count == 7:
        if _value(probe, 6, 5, price):
            return {"volume": 5, "quote_volume": 6}
        if whole_numbers(probe, 6) or len(probe) < ENOUGH:
            return {"volume": 5}  # Kraken's archive: volume, count
    if count == 9 and _value(probe, 7, 6, price) | _value(probe, 7, 5, price):
        # OKX: contracts or amount, amount, value, confirmed; of spot the second is the value too.
        return {"volume": 5 if _value(probe, 7, 5, price) else 6, "quote_volume": 7}
    if count >= BINANCE_COLUMNS and _closes_later(probe):
        return {"volume": 5, "quote_volume": 7}
    raise asked.unsettled(f"what its {count} columns without names are cannot be told", "volume")


def _value(probe: Probe, one: int, other: int, price: FloatArray) -> bool:
    return relation(probe.numbers(one), probe.numbers(other), price) is Relation.VALUE


def _closes_later(probe: Probe) -> bool:
    opens, closes = probe.times(0), probe.times(6)
    rows = (opens != NO_TIME) & (closes != NO_TIME)
    return bool((closes[rows] >= opens[rows]).all()) and bool(rows.any() or not len(probe))
