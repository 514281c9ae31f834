"""What columns of numbers are, told by their content: the order of prices, and amounts against values."""

from __future__ import annotations

from enum import Enum

import numpy as np

from trainer.candles.arrays import FloatArray
from trainer.sources.probe import ENOUGH, Asked, Probe

Order = tuple[str, str, str, str]

ORDERS: tuple[Order, ...] = (
    ("open", "high", "low", "close"),
    ("open", "close", "high", "low"),  # Bitfinex, KuCoin, Huobi
    ("low", "high", "open", "close"),  # Coinbase
)
"""In which order exchanges write the four prices, the usual one first."""

NEARLY_ALL = 0.95
SOME = 5
"""Rows with an amount that a relation needs."""


class Relation(Enum):
    """What one amount is to another of the same bars."""

    EQUAL = "equal"
    VALUE = "value"
    AMOUNT = "amount"
    CONTRACTS = "contracts"
    INVERSE = "inverse"
    NONE = "none"
    UNKNOWN = "unknown"


def relation(one: FloatArray, other: FloatArray, price: FloatArray) -> Relation:
    """Tell what `one` is to `other`.

    Parameters
    ----------
    one, other, price : ndarray of float64, shape (n,)
        Two columns of amounts, and the bars' price in the quote currency.

    Returns
    -------
    Relation
        EQUAL: the same numbers. VALUE: `one` is the value of `other`. AMOUNT: `other` is the value of `one`.
        CONTRACTS: `one` is a constant times the value of `other`. INVERSE: `other` counts contracts of 10 or
        100 units of the quote currency, and `one` is their amount. UNKNOWN: too few rows have both.
    """
    with np.errstate(all="ignore"):
        rows = (one > 0) & (other > 0) & (price > 0) & np.isfinite(one + other + price)
        one, other, price = one[rows], other[rows], price[rows]
        if len(one) < SOME:
            return Relation.UNKNOWN
        if np.median(np.abs(one / other - 1)) < 1e-6:
            return Relation.EQUAL
        ratio, inverse = one / (other * price), other / (one * price)
        told = (ratio > 0) & (inverse > 0) & np.isfinite(ratio + inverse)
        ratio, inverse = ratio[told], inverse[told]
        if len(ratio) < SOME:
            return Relation.UNKNOWN
    if _near(ratio, 1):
        return Relation.VALUE
    if _near(inverse, 1):
        return Relation.AMOUNT
    # Over a quiet span a constant number of coins a contract looks alike; the steadier of both is right.
    if any(_near(inverse, size) for size in (10, 100)) and _spread(inverse) <= _spread(ratio):
        return Relation.INVERSE
    return Relation.CONTRACTS if _spread(ratio) < 1.3 else Relation.NONE


def _near(ratio: FloatArray, target: float) -> bool:
    return bool(0.8 < np.median(ratio) / target < 1.25 and _spread(ratio) < 1.5)


def _spread(ratio: FloatArray) -> float:
    low, high = np.quantile(ratio, (0.1, 0.9))
    return float(high / low)


def price_order(probe: Probe, first: int, asked: Asked) -> Order:
    """Tell in which order four columns without names, from place `first` on, hold the prices.

    Raises
    ------
    UnreadableError
        Prices in no known order.
    """
    columns = [probe.numbers(first + place) for place in range(4)]
    shares = {order: ordered_share(dict(zip(order, columns, strict=True))) for order in ORDERS}
    usual = shares[ORDERS[0]]
    best = max(ORDERS, key=shares.__getitem__)
    # A few rows, or damage to some, are no reason to read the usual order otherwise.
    if len(probe) < ENOUGH or (usual >= 0.5 and usual > shares[best] - 0.2):
        return ORDERS[0]
    if shares[best] < NEARLY_ALL:
        raise asked.unsettled(
            f"its columns {first + 1} to {first + 4} have no names and are not open, high, low, close",
            *ORDERS[0],
        )
    return best


def ordered_share(prices: dict[str, FloatArray]) -> float:
    """Return the share of the rows with four prices whose low is the least and whose high the greatest."""
    table = np.array([prices[name] for name in ORDERS[0]])
    table = table[:, np.isfinite(table).all(axis=0)]
    if not table.shape[1]:
        return 0.0
    return float(((table[2] <= table.min(axis=0)) & (table[1] >= table.max(axis=0))).mean())


def assert_named_order(probe: Probe, fields: dict[str, int], asked: Asked) -> None:
    """Refuse columns whose names contradict their content.

    Raises
    ------
    UnreadableError
        Under other names of the four prices nearly all rows would be right, and under theirs few.
    """
    if len(probe) < ENOUGH:
        return
    prices = {name: probe.numbers(fields[name]) for name in ORDERS[0]}
    if ordered_share(prices) >= 0.5:
        return
    columns = [prices[name] for name in ORDERS[0]]
    swapped: tuple[Order, ...] = (*ORDERS[1:], ("open", "low", "high", "close"))
    if any(ordered_share(dict(zip(order, columns, strict=True))) >= NEARLY_ALL for order in swapped):
        raise asked.unsettled(
            "its columns open, high, low, close are named in another order than they hold", *ORDERS[0]
        )


def within_bars(probe: Probe, place: int, fields: dict[str, int]) -> bool:
    """Whether nearly all numbers of a column lie from low to high, as an average or adjusted price does."""
    values, low, high = probe.numbers(place), probe.numbers(fields["low"]), probe.numbers(fields["high"])
    rows = np.isfinite(values + low + high) & (low > 0) & (values != 0)
    if rows.sum() < ENOUGH:
        return False
    slack = 1e-6 * high[rows]
    inside = (values[rows] >= low[rows] - slack) & (values[rows] <= high[rows] + slack)
    return bool(inside.mean() >= NEARLY_ALL)


def settled_volumes(probe: Probe, fields: dict[str, int], asked: Asked) -> dict[str, int]:
    """Check the volume against the quote volume.

    Returns
    -------
    dict of int
        The fields. Where the volume counts contracts of a fixed value and the other column is the amount, as
        in dumps of COIN-M, the amount is the volume and there is no quote volume.

    Raises
    ------
    UnreadableError
        One is not the value of the other.
    """
    if "quote_volume" not in fields:
        return fields
    price = probe.numbers(fields["close"])
    told = relation(probe.numbers(fields["quote_volume"]), probe.numbers(fields["volume"]), price)
    if told is Relation.INVERSE:
        others = {name: place for name, place in fields.items() if name != "quote_volume"}
        return {**others, "volume": fields["quote_volume"]}
    if told is Relation.AMOUNT:
        raise asked.unsettled(
            "its quote volume is the amount and its volume the value: they are swapped",
            *("volume", "quote_volume"),
        )
    if told is Relation.NONE:
        raise asked.unsettled("its quote volume is no multiple of volume x price", "volume", "quote_volume")
    return fields


def whole_numbers(probe: Probe, place: int) -> bool:
    """Whether a column holds counts."""
    values = probe.numbers(place)
    values = values[np.isfinite(values)]
    return bool(len(values) and (values >= 0).all() and (values == np.rint(values)).all())
