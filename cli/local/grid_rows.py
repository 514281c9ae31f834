"""How many bars each series of a grid has: by a night's surveys, else by the size of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cli.local.night_length import Series
from common.protocol.reports import SeriesReport
from common.protocol.results import Results
from common.settings.night import NightSettings
from common.timeframes import Timeframe

DAY_SECONDS = 86400


def rows_of(settings: NightSettings, data: Path | None, nights: Sequence[Results]) -> list[Series]:
    """Return the series of the grid; a symbol that no night surveyed is taken to be as its files are large.

    Parameters
    ----------
    settings : NightSettings
        The grid, without ``all``.
    data : Path or None
        The candles; None is the sample.
    nights : sequence of Results
        Nights on these candles, the calibration too; at least one.
    """
    surveyed: dict[str, SeriesReport] = {}
    for night in reversed(nights):
        for survey in night.surveys:
            if survey.report and (filled := [one for one in survey.report.series if one.rows]):
                surveyed[survey.symbol] = min(filled, key=lambda one: one.timeframe.seconds)
    days = {symbol: _days(one) for symbol, one in surveyed.items()}
    if data is None:
        days = dict.fromkeys(settings.symbols, float(settings.data.sample.days))
    sizes = {} if data is None else {symbol: bytes_of(data, symbol) for symbol in {*settings.symbols, *days}}
    known = [days[symbol] / sizes[symbol] for symbol in days if sizes.get(symbol)]
    for symbol in settings.symbols:
        if data is not None and not sizes[symbol]:
            # Whatever a night has surveyed once is not in this folder.
            days[symbol] = 0.0
        elif symbol not in days:
            days[symbol] = sizes[symbol] * (sum(known) / len(known) if known else 0.0)
    return [
        Series(symbol, rows, len(settings.horizons))
        for symbol in settings.symbols
        for timeframe in settings.timeframes
        if (rows := int(days[symbol] * DAY_SECONDS / Timeframe(timeframe).seconds)) > 0
    ]


def _days(series: SeriesReport) -> float:
    return series.rows * series.timeframe.seconds / DAY_SECONDS


def bytes_of(data: Path, symbol: str) -> int:
    """Return the size of the files of a symbol; 0 where it has none."""
    from common.errors import DataError
    from trainer.sources.folder import symbol_files

    try:
        return sum(file.size for file in symbol_files(data, symbol).files)
    except DataError:
        # Its cells will fail at once, which costs no time.
        return 0
