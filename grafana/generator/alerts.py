"""What the boards take from `prometheus/alerts.yml`: the numbers at which alerts fire.

Red begins on a board at the very number that an alert compares with: there is no second place for it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from grafana.generator.rules import RULES_FILE, THRESHOLD_PREFIX, threshold
from grafana.generator.style import GREEN, ORANGE, RED, Steps

ALERTS_FILE = RULES_FILE.with_name("alerts.yml")
COMPARISONS = frozenset({">", ">=", "<", "<=", "==", "!="})

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|\{[^}]*\}|\[[^\]]*\]|[\w:]+(?:\.\d+)?|[<>=!]=|\s+|.')
_MATCHING = re.compile(r"\s*(?:on|ignoring)\s*\([^)]*\)\s*")
_THRESHOLD = re.compile(rf"scalar\({THRESHOLD_PREFIX}(\w+)\)(?: \* (.+))?")
_NUMBER = re.compile(r"-?[0-9.]+")


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
def conditions() -> tuple[Condition, ...]:
    """Return the comparisons with constants of all alerts."""
    document = yaml.safe_load(ALERTS_FILE.read_text(encoding="utf-8"))
    rules = (rule for group in document["groups"] for rule in group["rules"])
    return tuple(condition for rule in rules for condition in _conditions(rule))


def condition(alert: str, watched: str = "") -> Condition:
    """Return the one comparison of an alert, or its one comparison of what is watched.

    Raises
    ------
    ValueError
        The alert has none, or several.
    """
    found = [one for one in conditions() if one.alert == alert and watched in ("", one.watched)]
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


def split(expr: str, words: Collection[str]) -> list[str]:
    """Split an expression at the operators that stand in no parentheses, and drop what they match on."""
    parts, depth = [""], 0
    for piece in _PIECE.findall(expr):
        depth += (piece == "(") - (piece == ")")
        if depth == 0 and piece in words:
            parts.append("")
        else:
            parts[-1] += piece
    rest = (_MATCHING.sub("", part, count=1) if _MATCHING.match(part) else part for part in parts[1:])
    return [" ".join(part.split()) for part in (parts[0], *rest)]


def _conditions(rule: Mapping[str, Any]) -> Iterator[Condition]:
    alternatives = (split(text, ("and", "unless")) for text in split(str(rule["expr"]), ("or",)))
    for part, suffices in ((part, len(parts) == 1) for parts in alternatives for part in parts):
        watched, *limits = split(part, COMPARISONS)
        if len(limits) != 1:
            continue
        operator = next(piece for piece in _PIECE.findall(part.removeprefix(watched)) if piece in COMPARISONS)
        if _NUMBER.fullmatch(limits[0]):
            yield Condition(rule["alert"], watched, operator, float(limits[0]), suffices)
        elif recorded := _THRESHOLD.fullmatch(limits[0]):
            measure = f"{watched} / {recorded[2]}" if recorded[2] else watched
            yield Condition(rule["alert"], measure, operator, threshold(recorded[1]), suffices)
