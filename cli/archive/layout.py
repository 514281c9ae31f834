"""Binance's public archive of candles: where each file is, there and here.

A month or a day of candles is one ZIP with a ``.CHECKSUM`` (SHA-256) beside it. Source: the README of
github.com/binance/binance-public-data. Below the folder of candles the paths are the archive's own, so that
spot and futures are told apart by their folders.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path, PurePosixPath

ADDRESS = "https://data.binance.vision/data"
_PERIOD = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


class Market(StrEnum):
    """Which of the exchange's markets; `UM` and `CM` are futures margined in dollars and in coins."""

    SPOT = "spot"
    UM = "um"
    CM = "cm"

    @property
    def folder(self) -> str:
        """Its folder in the archive."""
        return "spot" if self is Market.SPOT else f"futures/{self}"


@dataclass(frozen=True)
class Series:
    """The candles of a symbol at one length of a bar."""

    market: Market
    symbol: str
    timeframe: str

    @property
    def name(self) -> str:
        """How it is shown, such as ``BTCUSDT 1m``."""
        return f"{self.symbol} {self.timeframe}"

    def folder(self, kind: str) -> PurePosixPath:
        """Return the folder of its monthly or daily files."""
        return PurePosixPath(self.market.folder, kind, "klines", self.symbol, self.timeframe)


@dataclass(frozen=True, order=True)
class Period:
    """A month, or a day where `day` is not 0."""

    year: int
    month: int
    day: int = 0

    @classmethod
    def of(cls, text: str) -> Period | None:
        """Return the period of ``2024-01`` or ``2024-01-15``; None of anything else."""
        match = _PERIOD.fullmatch(text)
        if match is None:
            return None
        period = cls(int(match[1]), int(match[2]), int(match[3] or 0))
        try:
            date(period.year, period.month, period.day or 1)
        except ValueError:
            return None
        return period

    def __str__(self) -> str:
        month = f"{self.year:04}-{self.month:02}"
        return f"{month}-{self.day:02}" if self.day else month

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.month, self.day or 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return (
            self.first if self.day else self.first.replace(day=calendar.monthrange(self.year, self.month)[1])
        )

    @property
    def whole_month(self) -> Period:
        """The month that it is, or is in."""
        return Period(self.year, self.month)

    def days(self) -> list[Period]:
        """Return its days."""
        count = (self.last - self.first).days + 1
        return [day_of(self.first + timedelta(days=number)) for number in range(count)]


def day_of(day: date) -> Period:
    """Return a day as a period."""
    return Period(day.year, day.month, day.day)


@dataclass(frozen=True)
class Piece:
    """One file of the archive."""

    series: Series
    period: Period

    @property
    def relative(self) -> PurePosixPath:
        """Its path below the archive's address, and below the folder of candles."""
        kind = "daily" if self.period.day else "monthly"
        return self.series.folder(kind) / f"{self.series.symbol}-{self.series.timeframe}-{self.period}.zip"


def held(out: Path, series: Series) -> frozenset[Period]:
    """Return the periods of a series that are in the folder of candles already."""
    prefix = f"{series.symbol}-{series.timeframe}-"
    periods = {
        Period.of(path.name.removeprefix(prefix).removesuffix(".zip"))
        for kind in ("monthly", "daily")
        for path in (out / series.folder(kind)).glob(f"{prefix}*.zip")
    }
    return frozenset(period for period in periods if period is not None)


def series_below(out: Path, market: Market) -> list[Series]:
    """Return the series of a market that are in the folder of candles already."""
    folders = {
        path.parent.relative_to(out).parts[-2:]
        for kind in ("monthly", "daily")
        for path in (out / market.folder / kind / "klines").glob("*/*/*.zip")
    }
    return [Series(market, symbol, timeframe) for symbol, timeframe in sorted(folders)]
