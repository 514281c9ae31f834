"""Timeframes: the lengths of a bar that can be trained, and which coarser ones each is trained with."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}


class Timeframe(StrEnum):
    """Length of one bar; iterating goes from fine to coarse.

    As text, in JSON and in the database it is its value, such as ``15m``. Two are compared by their seconds:
    as text ``1d`` would come before ``1m``.
    """

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"
    H6 = "6h"
    H8 = "8h"
    H12 = "12h"
    D1 = "1d"

    @classmethod
    def named(cls, text: str) -> Timeframe:
        """Return the timeframe of a name.

        Raises
        ------
        ValueError
            There is none of this name; it says which there are.
        """
        try:
            return cls(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a timeframe; use some of {', '.join(cls)}") from None

    @property
    def seconds(self) -> int:
        """Length of one bar in seconds."""
        return int(self.value[:-1]) * _UNIT_SECONDS[self.value[-1]]

    @property
    def milliseconds(self) -> int:
        """Length of one bar in milliseconds, the unit of candle times."""
        return self.seconds * 1000

    @property
    def context(self) -> tuple[Timeframe, ...]:
        """The context timeframes that are not finer, from fine to coarse."""
        return tuple(coarse for coarse in CONTEXT_TIMEFRAMES if coarse.seconds >= self.seconds)

    def divides(self, coarser: Timeframe) -> bool:
        """Return whether bars of a coarser timeframe can be made of bars of this one."""
        return self.seconds < coarser.seconds and coarser.seconds % self.seconds == 0

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Messages and configuration name the timeframes in our words, and the interface describes a text.
        del source, handler
        return core_schema.no_info_after_validator_function(cls.named, core_schema.str_schema())


CONTEXT_TIMEFRAMES = (Timeframe.H1, Timeframe.D1)
"""Timeframes that every cell reads besides its own, where they exist, for their trend and volatility."""
