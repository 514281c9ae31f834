"""What a file is of: spot, a perpetual, a contract that expires, or no price of trades; told by its path.

A night trains a symbol on one kind only: on spot where there is any, else on the perpetual. Mark, index,
premium and funding are no prices that were traded and are never read, and contracts that expire are never
joined: each is a symbol of its own, as `BTCUSD240329`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise

from trainer.sources.names import names_symbol, perpetual_of, words_of


class Kind(StrEnum):
    """Kinds of instrument; the words are those of messages."""

    SPOT = "spot"
    PERPETUAL = "perpetual"
    DELIVERY = "expiring contract"
    MARK = "mark price"
    INDEX = "index price"
    PREMIUM = "premium index"
    FUNDING = "funding rate"


TRADED = (Kind.SPOT, Kind.PERPETUAL)
"""Kinds that a symbol may be trained on, in the order of preference."""

PERPETUAL_WORDS = frozenset({"PERP", "PERPETUAL", "SWAP", "FUTURES", "UM", "CM", "LINEAR", "INVERSE"})

_UNTRADED = {"MARK": Kind.MARK, "INDEX": Kind.INDEX, "PREMIUM": Kind.PREMIUM, "FUNDING": Kind.FUNDING}
_UNTRADED_WORD = re.compile(
    r"(MARK|INDEX|PREMIUM|FUNDING)(INDEX)?(PRICE|RATE)S?(KLINES?)?|PREMIUMINDEX(KLINES?)?"
)
_FRIDAY = 4


@dataclass(frozen=True)
class Selection:
    """Of paths that name a symbol those of the one kind that is read, by place, and a word on the others.

    `left_out` is empty where all are read; `kind` is None where none can be.
    """

    kind: Kind | None
    chosen: tuple[int, ...]
    left_out: str


def kind_of(relative: str) -> Kind:
    """Tell what a path below the data folder is of; of an expiring contract see `expiry_of`."""
    *folders, name = relative.split("/")
    words = words_of(name)
    for word in words:
        # A folder may be called so for other reasons, and a file's own name hardly.
        if word in _UNTRADED:
            return _UNTRADED[word]
    everywhere = [*words, *(word for folder in folders for word in words_of(folder))]
    joined = [first + second for part in (*folders, name) for first, second in pairwise(words_of(part))]
    for word in (*everywhere, *joined):
        if _UNTRADED_WORD.fullmatch(word):
            return next(kind for start, kind in _UNTRADED.items() if word.startswith(start))
    return Kind.PERPETUAL if PERPETUAL_WORDS.intersection(everywhere) else Kind.SPOT


def expiry_of(relative: str, symbol: str) -> date | None:
    """Return the six digits behind the symbol in a file's name as a day, such as 240329; None without any."""
    words = words_of(relative.rpartition("/")[2])
    for place in range(len(words)):
        for length in range(1, 5):
            if "".join(words[place : place + length]) != symbol:
                continue
            following = words[place + length : place + length + 1]
            if following and re.fullmatch(r"\d{6}", following[0]):
                try:
                    return datetime.strptime(following[0], "%y%m%d").date()
                except ValueError:
                    return None
    return None


def selected(relatives: Sequence[str], symbol: str) -> Selection:
    """Choose among paths those that hold a symbol's candles.

    Parameters
    ----------
    relatives : sequence of str
        Paths below the data folder.
    symbol : str
        Canonical spelling. ``BTCUSDTUSDT`` is the perpetual ``BTC/USDT:USDT``: files that say so, and
        those of ``BTCUSDT`` in a folder of perpetuals.
    """
    pair = perpetual_of(symbol)
    kinds: dict[int, Kind] = {}
    days: dict[int, date] = {}
    for place, relative in enumerate(relatives):
        kind = kind_of(relative)
        if names_symbol(relative, symbol):
            day = expiry_of(relative, symbol)
            # Its settlement in the name makes it a perpetual whatever the folder.
            kinds[place] = Kind.PERPETUAL if pair and kind is Kind.SPOT else kind
        elif pair and kind is Kind.PERPETUAL and names_symbol(relative, pair):
            day = expiry_of(relative, pair)
            kinds[place] = kind
        else:
            continue
        if day is not None:
            days[place] = day
    # Contracts expire on Fridays. Other days are those of the rows, and then so are the Fridays among them.
    if days and all(day.weekday() == _FRIDAY for day in days.values()):
        kinds |= {place: Kind.DELIVERY for place in days if kinds[place] in TRADED}
    taken = next((one for one in TRADED if one in kinds.values()), None)
    chosen = tuple(place for place, of_file in kinds.items() if of_file is taken)
    left: dict[Kind, list[str]] = {}
    for place, of_file in kinds.items():
        if of_file is not taken:
            left.setdefault(of_file, []).append(relatives[place])
    return Selection(taken, chosen, "; ".join(_told(*one) for one in sorted(left.items())))


def _told(kind: Kind, files: Sequence[str]) -> str:
    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    return f"{kind}: {files[0]}{more}"
