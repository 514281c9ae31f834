"""`data download`: series of the archive fetched into a folder, with a way to stop."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

from cli.archive.download import Downloaded, Wanted, Watcher, assert_reachable, connect, download
from cli.archive.fetch import Fetched
from cli.archive.layout import Market, Period, Piece, Series, series_below
from cli.local.interrupt import Interrupt
from cli.screen.waiting import files_bar
from common.errors import ConfigurationError

YEARS = 2
"""How far back candles are fetched where nothing is said."""


@dataclass(frozen=True)
class Order:
    """What the command line asks for; empty symbols and timeframes are those that are there."""

    market: str
    symbols: Sequence[str]
    timeframes: Sequence[str]
    start: str | None
    update: bool
    out: Path
    url: str
    parallel: int
    timeout: float


def fetch(order: Order, interrupt: Interrupt) -> Downloaded:
    """Fetch what is asked for.

    Raises
    ------
    ConfigurationError
        The address or the first month is none, or an update finds nothing to update.
    ConflictError, StorageError
        As of `download`.
    UnavailableError
        The archive cannot be reached.
    """
    today = datetime.now(UTC).date()
    address = urlsplit(order.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        problem = f"--archive: {order.url!r} is no address"
        raise ConfigurationError(problem, "write it as https://data.binance.vision/data")
    try:
        market = Market(order.market)
    except ValueError:
        raise ConfigurationError(f"--market: no market {order.market!r}", "spot, um or cm") from None
    series = [Series(market, symbol, each) for symbol in order.symbols for each in order.timeframes]
    if order.update:
        there = series_below(order.out, market)
        series = [one for one in there if not order.symbols or one.symbol in order.symbols]
        if not series:
            problem = f"{order.out}: holds nothing of the archive's {market} that could be updated"
            raise ConfigurationError(problem, "fetch it first, without --update")
    start = None if order.update else _start(order.start, today)
    stop = threading.Event()
    interrupt.then = stop.set
    interrupt.saying = "what has come of each file is kept"
    client, fetcher = connect(order.url, stop, order.timeout, order.parallel)
    with closing(client), files_bar() as bar:
        assert_reachable(client, order.url)

        def ended(piece: Piece, fetched: Fetched) -> None:
            del piece, fetched
            bar.done()

        watcher = Watcher(bar.more, bar.arrived, ended)
        wanted = Wanted(series, start, today, order.out)
        result = download(wanted, fetcher, order.parallel, watcher)
    return result


def _start(text: str | None, today: date) -> date:
    if text is None:
        return today.replace(year=today.year - YEARS, day=1)
    period = Period.of(text)
    if period is None:
        raise ConfigurationError(f"--from: {text!r} is no month or day", "write it as 2023-01 or 2023-01-15")
    if period.first > today:
        raise ConfigurationError(f"--from: {text} is in the future", "name a month that has begun")
    return period.first
