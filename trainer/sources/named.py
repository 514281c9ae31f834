"""Columns with names: which of them is which field of a candle, by name first and then by content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from trainer.sources.content import Relation, assert_named_order, relation, settled_volumes
from trainer.sources.layouts import CLOCK, DATE, Choice
from trainer.sources.names import pair_of
from trainer.sources.probe import Asked, Probe, UnreadableError
from trainer.sources.times import NO_TIME

OPENINGS = ("open_time", "opentime", "open_timestamp")
"""Names that can only be the opening of a bar; they are believed whatever else there is."""

TIMES = (
    *OPENINGS,
    *("date", "datetime", "timestamp", "time", "unix", "unix_timestamp", "unix_time"),
    *("index_level_0", "", "unnamed:_0"),  # what pandas calls an index without a name
)
PRICES = {
    "open": ("open", "open_price"),
    "high": ("high", "high_price"),
    "low": ("low", "low_price"),
    "close": ("close", "close_price"),
}
AMOUNTS = ("base_volume", "base_asset_volume", "volumefrom")
VOLUMES = ("volume", "vol")
VALUES = (
    *("quote_volume", "quote_asset_volume", "quotevolume", "quote_vol", "turnover"),
    *("volumeto", "volume_currency"),
)
TICKS = ("tick_volume", "tickvol", "tick_vol")
SYMBOLS = ("symbol", "ticker", "pair", "instrument", "instrument_id", "market", "coin")
ALIASES = {"BTC": ("BTC", "XBT"), "DOGE": ("DOGE", "XDG")}

MOST_NAMES = 20
"""Names of columns that are shown."""

_NAME = re.compile(r"(?=.{1,40}$)(?!.*(\d.*){4})[A-Za-z<_ ][A-Za-z0-9 _:()/%.<>-]*")
_VOLUME_LIKE = re.compile(r"(^|_)vol(ume)?(_|$)")
_NOT_ALL = re.compile(r"taker|maker|buy|sell|count|quote|trades|(^|_)(ma|sma|ema|avg|mean)")
"""Volumes of a part of the trades, or made of others."""


def columns_by_name(names: Sequence[str], probe: Probe, asked: Asked) -> Choice:
    """Choose among named columns.

    Raises
    ------
    UnreadableError
        A field has no column, or several that differ.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        places.setdefault(plain(name), place)
    mapped = mapped_places(asked, names)
    names = [shown_name(name) for name in names]
    fields = {name: place for name, place in mapped.items() if name not in ("open_time", "clock")}
    for field, known in PRICES.items():
        matching = [places[name] for name in known if name in places]
        if field not in fields and not matching:
            raise _missing(field, field, names, asked)
        fields.setdefault(field, matching[0] if matching else -1)
    clock = mapped.get("clock")
    if "open_time" in mapped:
        fields["open_time"] = mapped["open_time"]
    else:
        fields["open_time"], clock = _time(places, names, probe, asked)
    notes: tuple[str, ...] = ()
    if "volume" not in fields:
        chosen, notes = _volumes(places, names, fields, probe, asked)
        fields = {**chosen, **fields}
    elif "quote_volume" not in fields:
        values = [places[name] for name in _values(asked) if name in places]
        fields |= {"quote_volume": values[0]} if values and values[0] != fields["volume"] else {}
    assert_named_order(probe, fields, asked)
    fields = settled_volumes(probe, fields, asked)
    symbol = next((places[name] for name in SYMBOLS if name in places), None)
    return Choice(fields, clock, symbol, notes)


def plain(name: str) -> str:
    """Return a name in lower case without its brackets, with ``_`` for spaces."""
    return re.sub(r"[\s()\[\]_-]+", "_", name.strip().strip("<>#\"' ").lower()).strip("_")


def mapped_places(asked: Asked, names: Sequence[str], count: int | None = None) -> dict[str, int]:
    """Return the places that the user's mapping names, with ``clock`` for the time of day.

    Raises
    ------
    UnreadableError
        A column that it names is not there.
    """
    count = len(names) if count is None else count
    mapping, places = asked.mapping, {plain(name): place for place, name in reversed([*enumerate(names)])}

    def place_of(column: str | int) -> int:
        if isinstance(column, int) and column <= count:
            return column - 1
        if isinstance(column, str) and plain(column) in places:
            return places[plain(column)]
        shown = _listed(names) if names else f"{count} without names"
        raise UnreadableError(
            f"it has no column {column!r}, which data.columns names; its columns are {shown}"
        )

    found: dict[str, int] = {}
    if mapping.time is not None:
        time = (mapping.time,) if isinstance(mapping.time, str | int) else mapping.time
        found |= {
            field: place_of(column) for field, column in zip(("open_time", "clock"), time, strict=False)
        }
    for field in (*PRICES, "volume", "quote_volume"):
        column = getattr(mapping, field)
        if column is not None:
            found[field] = place_of(column)
    return found


def shown_name(name: str) -> str:
    """Return the name of a column for a message, or ``?`` for what does not look like one.

    Whoever links or copies a secret into the folder of candles would read it in the report.
    """
    return name if _NAME.fullmatch(name) else "?"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return (", ".join(map(shown_name, names[:MOST_NAMES])) or "none") + more


def _missing(field: str, key: str, names: Sequence[str], asked: Asked) -> UnreadableError:
    return asked.unsettled(f"it has no column for {field}; its columns are {_listed(names)}", key)


def _time(
    places: Mapping[str, int], names: Sequence[str], probe: Probe, asked: Asked
) -> tuple[int, int | None]:
    candidates = [places[name] for name in TIMES if name in places]
    if not candidates:
        raise _missing("open_time", "time", names, asked)
    if any(name in places for name in OPENINGS):
        return candidates[0], None
    moments, dates, clocks = _kinds(candidates, probe)
    if clocks:
        # A date that pandas wrote with midnight behind it is a date all the same.
        midnights = [place for place in moments if _all_midnight(probe, place)]
        moments, dates = [place for place in moments if place not in midnights], dates + midnights
    for one, other in pairwise(moments):
        ours, theirs = probe.times(one), probe.times(other)
        both = (ours != NO_TIME) & (theirs != NO_TIME)
        if (np.abs(ours - theirs)[both] >= 1000).any():
            raise asked.unsettled(
                f"its columns {names[one]} and {names[other]} tell different times",
                "time",
            )
    if moments:
        if clocks and not _same_clock(probe, moments[0], clocks[0]):
            raise asked.unsettled(
                f"its columns {names[moments[0]]} and {names[clocks[0]]} tell different times of day",
                "time",
            )
        return moments[0], None
    if dates:
        return dates[0], clocks[0] if clocks else None
    if clocks:
        raise asked.unsettled(f"its column {names[clocks[0]]} tells the time of day without a date", "time")
    return candidates[0], None


def _kinds(candidates: Sequence[int], probe: Probe) -> tuple[list[int], list[int], list[int]]:
    moments: list[int] = []
    dates: list[int] = []
    clocks: list[int] = []
    for place in candidates:
        texts = [text.strip() for text in probe.columns[place] if text.strip()]
        if texts and all(CLOCK.fullmatch(text) for text in texts):
            clocks.append(place)
        elif texts and all(DATE.fullmatch(text) for text in texts):
            dates.append(place)
        elif texts and (probe.times(place) != NO_TIME).mean() > 0.5:
            moments.append(place)
    return moments, dates, clocks


def _all_midnight(probe: Probe, place: int) -> bool:
    times = probe.times(place)
    return bool((times[times != NO_TIME] % 86_400_000 == 0).all())


def _same_clock(probe: Probe, moment: int, clock: int) -> bool:
    told = [text.strip()[:5].zfill(5) for text in probe.columns[clock]]
    of_moments = probe.times(moment).astype("datetime64[ms]").astype(str)
    return all(mine == text[11:16] for mine, text in zip(told, of_moments, strict=True) if text != "NaT")


def _values(asked: Asked) -> tuple[str, ...]:
    _, quote = pair_of(asked.symbol)
    return (*VALUES, *_of_currency(quote))


def _of_currency(currency: str) -> list[str]:
    names = ALIASES.get(currency, (currency,)) if currency else ()
    return [spelled for name in names for spelled in (f"volume_{name}".lower(), f"{name}_volume".lower())]


def _volumes(
    places: Mapping[str, int], names: Sequence[str], fields: Mapping[str, int], probe: Probe, asked: Asked
) -> tuple[dict[str, int], tuple[str, ...]]:
    base, _ = pair_of(asked.symbol)
    amounts = [places[name] for name in (*_of_currency(base), *AMOUNTS) if name in places]
    plains = [places[name] for name in VOLUMES if name in places]
    values = [places[name] for name in _values(asked) if name in places]
    ticks = [places[name] for name in TICKS if name in places]
    if plains and ticks and not amounts and not (probe.numbers(plains[0]) > 0).any():
        plains = []
    if not (amounts or plains) and ticks:
        return {"volume": ticks[0]}, ("its volume counts ticks, for it has no amounts",)
    others = [
        place
        for name, place in places.items()
        if _VOLUME_LIKE.search(name) and not _NOT_ALL.search(name) and place not in (*values, *ticks)
    ]
    volume = (amounts or plains or [-1])[0]
    if volume < 0:
        raise _missing("volume", "volume", names, asked)
    for other in others:
        if other == volume:
            continue
        told = relation(probe.numbers(other), probe.numbers(volume), probe.numbers(fields["close"]))
        if told is Relation.VALUE and amounts:
            values = values or [other]
        elif told in (Relation.VALUE, Relation.AMOUNT, Relation.NONE):
            raise asked.unsettled(
                f"which of its columns {names[volume]} and {names[other]} is the amount in the base currency "
                "cannot be told",
                "volume",
            )
    chosen = {"volume": volume}
    if values and values[0] != volume:
        chosen["quote_volume"] = values[0]
    return chosen, ()
