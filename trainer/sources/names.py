"""Symbols in the names of files and folders, in any spelling."""

from __future__ import annotations

import re
from collections.abc import Sequence

QUOTES = (
    *("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "DAI", "USD"),
    *("EUR", "GBP", "JPY", "KRW", "TRY", "BRL", "AUD", "BTC", "ETH", "BNB"),
)
"""Currencies that a symbol may end in; needed only to see that a name names some other symbol."""

MINUTES = (1, 5, 15, 30, 60, 240, 1440, 10080, 43200)
"""Lengths of bars that MetaTrader writes behind the symbol in a file's name: ``BTCUSDT60.csv``."""

_WORD = re.compile(r"[A-Za-z0-9]+")
_EXPORT = re.compile(rf"([A-Za-z0-9]+?)({'|'.join(map(str, MINUTES))})\.[A-Za-z0-9.]+")


def names_symbol(relative: str, symbol: str) -> bool:
    """Whether a path below the data folder names the symbol, in its last part that names any."""
    *folders, name = relative.split("/")
    words = words_of(name)
    if _holds(words, symbol):
        return True
    exported = exported_by_terminal(name)
    if exported:
        return exported[0] == symbol
    if symbols_in(words):
        return False
    for depth in range(len(folders), 0, -1):
        # A symbol may be spread over two folders, as in BTC/USDT.
        words = words_of(" ".join(folders[max(depth - 2, 0) : depth]))
        if _holds(words, symbol):
            return True
        if symbols_in(words_of(folders[depth - 1])):
            return False
    return False


def exported_by_terminal(name: str) -> tuple[str, int] | None:
    """Return the symbol and the minutes of a file's name such as ``BTCUSDT60.csv``; None for other names."""
    found = _EXPORT.fullmatch(name)
    if found is None:
        return None
    symbol = found[1].upper()
    return (symbol, int(found[2])) if symbols_in([symbol]) else None


def canonical(text: str) -> str:
    """Return a symbol in its one spelling: letters and digits only, in capitals."""
    return "".join(words_of(text))


def names_other_symbol(text: str, symbol: str) -> bool:
    """Whether a text names a symbol, and not this one."""
    words = words_of(text)
    return bool(symbols_in(words)) and not _holds(words, symbol)


def pair_of(symbol: str) -> tuple[str, str]:
    """Return base and quote currency of a symbol; the quote is empty where it is not known."""
    symbol = perpetual_of(symbol) or symbol
    known = [quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote]
    quote = max(known, key=len, default="")
    return symbol.removesuffix(quote), quote


def perpetual_of(symbol: str) -> str:
    """Return the pair of a perpetual, as ``BTCUSDT`` of ``BTCUSDTUSDT``, or ``""`` for what is none."""
    for quote in QUOTES:
        if symbol.endswith(quote + quote) and symbol.removesuffix(quote) not in QUOTES:
            return symbol.removesuffix(quote)
        base, found, settle = symbol.rpartition(quote)
        if found and base and base == settle:
            return base + quote
    return ""


def written(symbol: str) -> str:
    """Return a symbol as a user may write it: a perpetual as ``BTCUSDT:USDT``."""
    pair = perpetual_of(symbol)
    return f"{pair}:{symbol.removeprefix(pair)}" if pair else symbol


def symbol_named(relative: str) -> str:
    """Return the symbol that a path names in its last part that names any; empty if none does."""
    *folders, name = relative.split("/")
    exported = exported_by_terminal(name)
    if exported:
        return exported[0]
    parts = [name]
    for depth in range(len(folders), 0, -1):
        parts += [folders[depth - 1], " ".join(folders[max(depth - 2, 0) : depth])]
    return next((found[-1] for part in parts if (found := symbols_in(words_of(part)))), "")


def words_of(text: str) -> list[str]:
    """Return the runs of letters and digits, in capitals."""
    return [word.upper() for word in _WORD.findall(text)]


def symbols_in(words: Sequence[str]) -> list[str]:
    """Return what looks like symbols; ``BTC_USDT_USDT`` is one."""
    found: list[str] = []
    place = 0
    while place < len(words):
        word, following, settle = (*words[place : place + 3], "", "")[:3]
        if any(word.endswith(quote) and word != quote for quote in QUOTES):
            found.append(word)
        elif following in QUOTES:
            is_settled = settle != "" and settle in (word, following)
            found.append(word + following + (settle if is_settled else ""))
            place += 2 if is_settled else 1
        place += 1
    return found


def _holds(words: Sequence[str], symbol: str) -> bool:
    for place in range(len(words)):
        for length in range(1, 5):
            part = words[place : place + length]
            if "".join(part) != symbol:
                continue
            # BTC_USDT_USDT is a perpetual settled in USDT, another instrument than the pair BTC_USDT.
            settle = words[place + length : place + length + 1]
            if length == 2 and settle and settle[0] in part:
                continue
            return True
    return False
