"""How many bars each series of a grid has: by a night's surveys, else by the size of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cli.local.folder_contents import contents_of
from cli.local.night_length import Series
from common.objects.address import Place
from common.protocol.reports import SeriesReport
from common.protocol.results import Results
from common.settings.night import NightSettings
from common.timeframes import Timeframe

DAY_SECONDS = 86400
BARS_A_DAY = 1440.0
"""Of a symbol whose files' names tell no timeframe."""


def rows_of(settings: NightSettings, data: Place | None, nights: Sequence[Results]) -> list[Series]:
    """Return the series of the grid; a symbol that no night surveyed is taken to be as its files are large.

    Parameters
    ----------
    settings : NightSettings
        The grid, without ``all``.
    data : Path, str or None
        The candles; None is the sample.
    nights : sequence of Results
        Nights on these candles, the calibration too; at least one.
    """
    surveyed: dict[str, SeriesReport] = {}
    empty: set[tuple[str, str]] = set()
    for night in reversed(nights):
        for survey in night.surveys:
            if survey.report and (filled := [one for one in survey.report.series if one.rows]):
                surveyed[survey.symbol] = min(filled, key=lambda one: one.timeframe.seconds)
                told = {
                    (survey.symbol, str(one.timeframe)): bool(one.refusal) for one in survey.report.series
                }
                empty = (empty - told.keys()) | {place for place, refused in told.items() if refused}
    days = {symbol: _days(one) for symbol, one in surveyed.items()}
    if data is None:
        days = dict.fromkeys(settings.symbols, float(settings.data.sample.days))
    else:
        days |= _days_by_size(settings.symbols, data, days)
        contents = contents_of(data, settings.symbols)
        empty |= {
            (symbol, timeframe)
            for symbol in settings.symbols
            for timeframe in settings.timeframes
            if symbol not in surveyed and not contents.fills(symbol, timeframe)
        }
    return [
        Series(symbol, rows, len(settings.horizons))
        for symbol in settings.symbols
        for timeframe in settings.timeframes
        if (symbol, timeframe) not in empty
        if (rows := int(days[symbol] * DAY_SECONDS / Timeframe(timeframe).seconds)) > 0
    ]


def unsurveyed(symbols: Sequence[str], nights: Sequence[Results]) -> list[str]:
    """Return the symbols of which no night's survey has seen a bar."""
    seen = {
        survey.symbol
        for night in nights
        for survey in night.surveys
        if survey.report and any(one.rows for one in survey.report.series)
    }
    return [symbol for symbol in symbols if symbol not in seen]


def _days_by_size(symbols: Sequence[str], data: Place, known: Mapping[str, float]) -> dict[str, float]:
    """Return the days of the symbols that no survey knows, and 0 for those of which no file is left.

    Files are as large as their finest bars are many.
    """
    contents = contents_of(data, tuple({*symbols, *known}))
    bars = {
        symbol: DAY_SECONDS / min(one.seconds for one in named)
        for symbol, named in contents.timeframes.items()
        if named
    }
    sizes = {symbol: bytes_of(data, symbol) for symbol in {*symbols, *known}}
    rates = [
        days * bars.get(symbol, BARS_A_DAY) / sizes[symbol] for symbol, days in known.items() if sizes[symbol]
    ]
    rate = sum(rates) / len(rates) if rates else 0.0
    return {
        symbol: sizes[symbol] * rate / bars.get(symbol, BARS_A_DAY)
        for symbol in symbols
        if symbol not in known or not sizes[symbol]
    }


def _days(series: SeriesReport) -> float:
    return series.rows * series.timeframe.seconds / DAY_SECONDS


def bytes_of(data: Place, symbol: str) -> int:
    """Return the size of the files of a symbol; 0 where it has none."""
    from common.errors import DataError
    from trainer.sources.folder import symbol_files

    try:
        return sum(file.size for file in symbol_files(data, symbol).files)
    except DataError:
        # Its cells will fail at once, which costs no time.
        return 0
