"""What the boards take from `prometheus/alerts.yml`: the numbers at which alerts fire.

Red begins on a board at the very number that an alert compares with: there is no second place for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from promql_parser import BinaryExpr, Call, Expr, Function, NumberLiteral, VectorSelector

from grafana.generator.colours import GREEN, ORANGE, RED
from grafana.generator.promql import filters, operands, text, tree
from grafana.generator.rules import RULES_FILE, THRESHOLD_PREFIX, threshold
from grafana.generator.style import Steps

ALERTS_FILE = RULES_FILE.with_name("alerts.yml")
COMPARISONS = frozenset({">", ">=", "<", "<=", "==", "!="})


@dataclass(frozen=True)
class Condition:
    """A comparison of an alert with a constant: what is watched, the operator, and the limit.

    Where the constant is multiplied with a series, what is watched is the ratio to that series. `suffices` is
    False where the alert asks for more than this.
    """

    alert: str
    watched: str
    operator: str
    limit: float
    suffices: bool

    @property
    def is_floor(self) -> bool:
        """Whether the alert fires below, rather than above; of what is never negative, 0 is the lowest."""
        return self.operator in ("<", "<=") or (self.operator, self.limit) == ("==", 0)

    @property
    def whole(self) -> float:
        """Where the colour changes if the values are whole numbers: the first one on the upper side."""
        belongs_below = self.operator in (">", "<=") or (self.is_floor and self.operator == "==")
        return math.floor(self.limit) + 1 if belongs_below else math.ceil(self.limit)


@cache
def actions() -> Mapping[str, str]:
    """Return in a few words what to do, by alert."""
    return {rule["alert"]: rule["annotations"]["action"] for rule in _rules()}


@cache
def conditions() -> tuple[Condition, ...]:
    """Return the comparisons with constants of all alerts."""
    return tuple(condition for rule in _rules() for condition in _conditions(rule))


def condition(alert: str, watched: str = "") -> Condition:
    """Return the one comparison of an alert, or its one comparison of what is watched.

    Raises
    ------
    ValueError
        The alert has none, or several.
    """
    wanted = text(tree(watched)) if watched else ""
    found = [one for one in conditions() if one.alert == alert and wanted in ("", one.watched)]
    if len(found) != 1:
        raise ValueError(f"{ALERTS_FILE.name}: {alert} compares {watched!r} with {len(found)} constants")
    return found[0]


def firing(
    alert: str, watched: str = "", *, whole: bool = False, clear: str = GREEN, warning: float | None = None
) -> Steps:
    """Return the colours of what an alert watches: red where it fires.

    Parameters
    ----------
    alert, watched : str
        As for `condition`.
    whole : bool
        Whether the values are whole numbers, so that red begins at the next one.
    clear : str
        The colour of what is well.
    warning : float, optional
        Where orange begins, below an alert that fires above; the panel has to say what it means.
    """
    found = condition(alert, watched)
    limit = found.whole if whole else found.limit
    if found.is_floor:
        return ((None, RED), (limit, clear))
    return ((None, clear), *(((warning, ORANGE),) if warning is not None else ()), (limit, RED))


def to_spare(alert: str) -> Steps:
    """Return the colours of how far what an alert watches is below the limit of 0: red where it fires."""
    found = condition(alert)
    if found.is_floor or found.limit != 0:
        raise ValueError(f"{ALERTS_FILE.name}: {alert} does not fire above 0")
    return ((None, RED), (0, GREEN))


def _rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(ALERTS_FILE.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def _conditions(rule: Mapping[str, Any]) -> Iterator[Condition]:
    for alternative in operands(tree(str(rule["expr"])), "or"):
        parts = list(operands(alternative, "and", "unless"))
        for part in parts:
            if not (isinstance(part, BinaryExpr) and filters(part, *COMPARISONS)):
                continue
            limit, *factors = operands(part.rhs, "*")
            watched = " / ".join(map(text, (part.lhs, *factors)))
            if (constant := _constant(limit)) is not None:
                yield Condition(rule["alert"], watched, str(part.op), constant, len(parts) == 1)


def _constant(limit: Expr) -> float | None:
    match limit:
        case NumberLiteral(val=constant):
            return constant
        case Call(func=Function(name="scalar"), args=[VectorSelector(name=str(name))]):
            return (
                threshold(name.removeprefix(THRESHOLD_PREFIX)) if name.startswith(THRESHOLD_PREFIX) else None
            )
    return None
