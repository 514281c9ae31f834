"""How small a p-value must be when many cells are tried, on many nights.

Cells of one timeframe are a family: strong cells of minutes must not carry weak ones of days. First the
families compete, each with its Simes p-value, then the cells within those that were selected, at the rate
times the share of families that were (Y. Benjamini & M. Bogomolov, "Selective inference on multiple families
of hypotheses", J. R. Stat. Soc. B 76, 2014). Where nothing can be predicted at all, the chance of any
discovery in the whole grid is the rate at most; a family never gets more than the rate either.

Nights are tried one after another, on candles of which nearly all were there the night before. Paying for
each night out of one budget (alpha spending) leaves nearly nothing for the later ones. Instead a champion
stands only as long as its evidence does (`coordinator.policy.championship`), so that what counts is how many
false ones stand at a time, and the rate that a night may spend is `A_NIGHT` of the one that is configured.
The other half is for champions that linger until their evidence is gone. Both were chosen by measurement:
`deploy/promotion.md`.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

A_NIGHT = 0.5
"""The share of the configured rate that one night may spend."""

LEAST_P_VALUE = 1e-300
"""The least that a p-value is written as; smaller ones may be too small for a number, and so 0."""

Family = TypeVar("Family", bound=Hashable)


def p_value_words(p_value: float) -> str:
    """Return a p-value with three digits; none is 0."""
    return f"< {LEAST_P_VALUE:g}" if p_value < LEAST_P_VALUE else f"{p_value:.3g}"


def discovery_bounds(families: Mapping[Family, Sequence[float]], rate: float) -> dict[Family, float | None]:
    """Return for each family the greatest p-value that is a discovery tonight, or None where none is.

    Parameters
    ----------
    families : mapping of family to sequence of float
        The p-values of each family; one that is not a number counts as tried and is never a discovery.
    rate : float
        Expected share of standing champions that may be luck, 0 to 1.
    """
    simes = {family: simes_p_value(p_values) for family, p_values in families.items()}
    selected, within = _selected(simes, A_NIGHT * rate)
    return {
        family: false_discovery_bound(p_values, within) if family in selected else None
        for family, p_values in families.items()
    }


def needed_p_values(families: Mapping[Family, Sequence[float]], rate: float) -> dict[Family, list[float]]:
    """Return for each p-value the greatest in its place that would be a discovery, the others as they are.

    It is no one number for all of a family: the step-up procedure asks less of each the more others pass.

    Parameters
    ----------
    families, rate
        As for `discovery_bounds`; each family has the lengths and the order of the answer.
    """
    simes = {family: simes_p_value(p_values) for family, p_values in families.items()}
    found = {}
    for family, p_values in families.items():
        # Whatever passes in it, its family does: 0 stands for that.
        _, within = _selected({**simes, family: 0.0}, A_NIGHT * rate)
        found[family] = _needed_within(p_values, within)
    return found


def _selected(simes: Mapping[Family, float], rate: float) -> tuple[set[Family], float]:
    """Return the families among which there are discoveries, and the rate within each of them."""
    up_to = false_discovery_bound(list(simes.values()), rate)
    selected = {family for family, p in simes.items() if up_to is not None and p <= up_to}
    return selected, rate * len(selected) / len(simes) if simes else 0.0


def _needed_within(p_values: Sequence[float], rate: float) -> list[float]:
    """Return the same within one family.

    A p-value passes with as many as would be discoveries if it were 0: k of them allow k / m * rate.
    """
    cells = len(p_values)
    ordered = sorted(value for value in p_values if not math.isnan(value))
    # The k-th smallest is the one before it in order where a smaller one has come in, and else its own.
    with_one_more = [k for k, p in enumerate(ordered, start=2) if p <= k / cells * rate]
    without = [k for k, p in enumerate(ordered, start=1) if p <= k / cells * rate]
    needed = []
    for p_value in p_values:
        place = len(ordered) if math.isnan(p_value) else bisect_left(ordered, p_value)
        passing = max([1, *with_one_more[: bisect_right(with_one_more, place + 1)][-1:]])
        if without and without[-1] > place + 1:
            passing = max(passing, without[-1])
        needed.append(passing / cells * rate)
    return needed


def false_discovery_bound(p_values: Sequence[float], rate: float) -> float | None:
    """Return the greatest p-value that is a discovery at the given rate, or None where none is.

    A p-value of 0 is one that no float can tell from it, as strong cells of minutes have.

    The step-up procedure of Y. Benjamini and Y. Hochberg, "Controlling the False Discovery Rate", J. R.
    Stat. Soc. B 57 (1995): the largest k with p_(k) <= k / m * rate.
    """
    ordered = sorted(value for value in p_values if not math.isnan(value))
    passing = [p for k, p in enumerate(ordered, start=1) if p <= k / len(p_values) * rate]
    return max(passing, default=None)


def simes_p_value(p_values: Sequence[float]) -> float:
    """Return the p-value of a whole family: 1 where it is empty (R. J. Simes, Biometrika 73, 1986)."""
    ordered = sorted(value for value in p_values if not math.isnan(value))
    return min((p * len(p_values) / k for k, p in enumerate(ordered, start=1)), default=1.0)


def best_of(p_value: float, tried: int) -> float:
    """Return the p-value of the best of several tries: Bonferroni's, which no dependence makes too small."""
    return min(1.0, p_value * tried)
