"""What the folder of candles holds, by its files' names: for `all`, and to say what a night would lack."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from common.errors import ConfigurationError
from common.objects.address import Place
from common.settings.night import ALL, NightSettings
from common.timeframes import Timeframe

SHOWN = 10
"""Symbols that a message names."""

USUAL = ("1m", "5m", "15m", "1h", "4h", "1d")
"""What `all` makes of finer candles; other timeframes are trained where files of their own are there."""


@dataclass(frozen=True)
class Contents:
    """The timeframes that files' names tell, by symbol; none where not each of its files tells one."""

    timeframes: dict[str, frozenset[Timeframe]]

    def fills(self, symbol: str, timeframe: str) -> bool:
        """Whether the symbol may have candles of the timeframe, or finer ones that add up to it."""
        if symbol not in self.timeframes:
            return False
        asked, named = Timeframe(timeframe), self.timeframes[symbol]
        return not named or asked in named or any(one.divides(asked) for one in named)

    @property
    def words(self) -> str:
        """The symbols with their finest timeframe, such as ``BTCUSD from 1h``."""
        told = [f"{symbol} from {_finest(named)}" if named else symbol for symbol, named in self._first]
        more = f" and {len(self.timeframes) - SHOWN} more" if len(self.timeframes) > SHOWN else ""
        return f"{', '.join(told)}{more}" if told else "no symbol that its files' names tell"

    @property
    def _first(self) -> list[tuple[str, frozenset[Timeframe]]]:
        return list(self.timeframes.items())[:SHOWN]


def contents_of(folder: Place, asked: tuple[str, ...] = ()) -> Contents:
    """Look through the names of a folder's files, for what they tell and for the symbols that are asked for.

    Raises
    ------
    DataError
        The folder cannot be read.
    """
    # Here and not above: a night on a sample needs none of it.
    from trainer.sources.folder import files_below, named_timeframe
    from trainer.sources.instruments import selected
    from trainer.sources.names import symbol_named

    relatives = [file.relative for file in files_below(folder)]
    told = {symbol_named(relative) for relative in relatives} | set(asked) - {ALL}
    timeframes: dict[str, frozenset[Timeframe]] = {}
    for symbol in sorted(told):
        chosen = selected(relatives, symbol).chosen
        named = [named_timeframe(relatives[place]) for place in chosen]
        # A file that names a timeframe that cannot be trained, such as 1w, is none for a night.
        if any(one != "" for one in named) and 3 <= len(symbol) <= 30:
            timeframes[symbol] = frozenset() if None in named else frozenset(one for one in named if one)
    return Contents(timeframes)


def _finest(named: frozenset[Timeframe]) -> Timeframe:
    return min(named, key=lambda one: one.seconds)


def whole_folder(settings: NightSettings, folder: Place) -> tuple[NightSettings, str]:
    """Put what the folder holds in the place of `all`.

    Returns
    -------
    settings : NightSettings
        Without `all`: the folder's symbols, and the timeframes that each of the symbols has candles for.
    said : str
        What that is, in one line; empty where nothing was asked for by `all`.

    Raises
    ------
    ConfigurationError
        The folder holds nothing that can be trained.
    """
    if not (settings.all_symbols or settings.all_timeframes):
        return settings, ""
    contents = contents_of(folder, settings.symbols)
    symbols = tuple(contents.timeframes) if settings.all_symbols else settings.symbols
    if not symbols:
        hint = "name the symbols with --symbols; a file is a symbol's by its name, such as BTCUSDT-1h.csv"
        raise ConfigurationError(f"{folder}: no file's name tells a symbol, so all is none", hint)
    timeframes, lost = settings.timeframes, ""
    if settings.all_timeframes:
        timeframes, lost = _common(contents, symbols, folder)
    expanded = settings.model_copy(update={"symbols": symbols, "timeframes": timeframes})
    return expanded, f"all in {folder}: {', '.join(symbols)}; {', '.join(timeframes)}{lost}"


def _common(contents: Contents, symbols: tuple[str, ...], folder: Place) -> tuple[tuple[str, ...], str]:
    hint = "name the timeframes, such as --timeframes 1h 4h 1d"
    for symbol in symbols:
        if symbol not in contents.timeframes:
            raise ConfigurationError(f"{folder}: no file of {symbol}; it holds {contents.words}", hint)
        if not contents.timeframes[symbol]:
            raise ConfigurationError(f"{folder}: not every file of {symbol} names its timeframe", hint)
    own = {one for symbol in symbols for one in contents.timeframes[symbol]}
    offered = [one for one in Timeframe if one in USUAL or one in own]
    # A grid is the same for all symbols: what only some could train would be failures of the others.
    common = tuple(str(one) for one in offered if all(contents.fills(symbol, one) for symbol in symbols))
    if not common:
        raise ConfigurationError(f"{folder}: no timeframe that each symbol has; {contents.words}", hint)
    lost = [one for one in offered if one not in common and any(contents.fills(s, one) for s in symbols)]
    return common, f" (not {', '.join(lost)}, which some lack)" if lost else ""


def assert_mostly_there(settings: NightSettings, folder: Place) -> None:
    """Refuse a night of which most cells have no candles, before it begins.

    Raises
    ------
    ConfigurationError
        It names what is there, and how to train that.
    """
    contents = contents_of(folder, settings.symbols)
    cells = [(symbol, timeframe) for symbol in settings.symbols for timeframe in settings.timeframes]
    filled = sum(contents.fills(symbol, timeframe) for symbol, timeframe in cells)
    if filled * 2 >= len(cells):
        return
    per_cell = len(settings.horizons)
    raise ConfigurationError(
        f"{folder}: has candles for {filled * per_cell} of {len(cells) * per_cell} cells; it holds "
        f"{contents.words}",
        "train what is there with --symbols all --timeframes all (both keys in a file), or name them",
    )


def assert_named(symbols: tuple[str, ...], folder: Place) -> None:
    """Refuse symbols that no file is of, where the names of all files tell their symbol.

    Raises
    ------
    ConfigurationError
        It names the symbol, and what is there.
    """
    from trainer.sources.folder import files_below
    from trainer.sources.names import symbol_named

    contents = contents_of(folder, symbols)
    missing = [symbol for symbol in symbols if symbol not in contents.timeframes]
    if not missing or not all(symbol_named(file.relative) for file in files_below(folder)):
        return
    near = difflib.get_close_matches(missing[0], contents.timeframes, n=1)
    raise ConfigurationError(
        f"{folder}: no file of {', '.join(missing)}; it holds {contents.words}",
        f"did you mean {near[0]}?" if near else "put candles of it there, or leave it out of --symbols",
    )
