"""What the boards take from `prometheus/rules.yml`: the recorded series, and the thresholds of the alerts.

A threshold is drawn with the very number that its alert compares with: there is no second place for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from promql_parser import Call, Function, NumberLiteral, VectorSelector

from grafana.generator.promql import grouped_by, outermost, tree

RULES_FILE = Path(__file__).parents[2] / "prometheus" / "rules.yml"
THRESHOLD_PREFIX = "nighttrain:threshold:"


@dataclass(frozen=True)
class Recorded:
    """A recorded series: its name, the expression that makes it, and the labels that it can have."""

    name: str
    expr: str
    labels: frozenset[str]


@cache
def recorded() -> Mapping[str, Recorded]:
    """Return the recorded series by name; rules of one name are one series with the labels of all."""
    found: dict[str, Recorded] = {}
    for rule in _rules():
        name, expr = str(rule["record"]), str(rule["expr"])
        labels = grouped_by(expr) | frozenset(rule.get("labels") or {})
        for node in outermost(tree(expr)):
            if isinstance(node, VectorSelector) and node.name in found:
                labels |= found[node.name].labels
        if name in found:
            labels |= found[name].labels
        found[name] = Recorded(name, expr, labels)
    return found


def threshold(name: str, **labels: str) -> float:
    """Return the number that the alerts compare with, for example ``threshold("host_memory_ratio")``.

    Parameters
    ----------
    name : str
        The recorded series without its prefix ``nighttrain:threshold:``.
    **labels : str
        The labels of the series, where it has some.

    Raises
    ------
    ValueError
        There is no such threshold, or it is no constant.
    """
    for rule in _rules():
        if rule["record"] == THRESHOLD_PREFIX + name and dict(rule.get("labels") or {}) == labels:
            match tree(str(rule["expr"])):
                case Call(func=Function(name="vector"), args=[NumberLiteral(val=constant)]):
                    return constant
            raise ValueError(f"{RULES_FILE.name}: {rule['record']} is no constant: {rule['expr']}")
    raise ValueError(f"{RULES_FILE.name} has no threshold {name!r} with the labels {labels}")


@cache
def _rules() -> tuple[dict[str, Any], ...]:
    document = yaml.safe_load(RULES_FILE.read_text(encoding="utf-8"))
    return tuple(rule for group in document["groups"] for rule in group["rules"])
