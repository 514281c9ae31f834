"""Which names an expression may use: what is declared, what is recorded, and what Prometheus itself exports.

`check` refuses an expression that names a metric which nobody exports, a label that the metric has not, or a
value that the label never has: Prometheus would answer such a query with nothing, and the panel would look
like a quiet night.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from common.metrics.declarations import METRICS
from grafana.generator.rules import recorded

TARGET_LABELS = frozenset({"job", "instance"})
"""Labels that Prometheus puts on every series that it scrapes."""

_SUBJECTS = frozenset({"symbol", "timeframe", "horizon", "trainer", "kind"})
_ALERT_LABELS = frozenset({"alertname", "severity", "component"}) | _SUBJECTS

FOREIGN: Mapping[str, frozenset[str]] = {
    "up": frozenset(),
    "process_start_time_seconds": frozenset(),
    "ALERTS": _ALERT_LABELS | {"alertstate"},
    "ALERTS_FOR_STATE": _ALERT_LABELS,
}
"""Series that come from Prometheus, or from its client library, with their labels besides the target's."""

_KEYWORDS = frozenset({"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan"})
_LABEL_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_TOKEN = re.compile(
    r"""
    (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<duration>\[[^\]]*\])
    | (?P<name>\$?[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<number>[0-9][0-9.]*(?:e[+-]?[0-9]+)?[smhdwy]?)
    | (?P<sign>!=|=~|!~|==|>=|<=|\S)
    """,
    re.VERBOSE,
)


class UnknownNameError(ValueError):
    """An expression names a metric, a label or a label's value that does not exist."""


Matcher = tuple[str, str, str]


@dataclass(frozen=True)
class Names:
    """What an expression names: metrics with their matchers (label, operator, value), and grouping labels."""

    selectors: tuple[tuple[str, tuple[Matcher, ...]], ...]
    groupings: frozenset[str]

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics, without repetition."""
        return frozenset(name for name, _ in self.selectors)


@cache
def known() -> Mapping[str, frozenset[str]]:
    """Return every series that can be asked for, with all the labels that it can have."""
    series = {
        name: frozenset(metric.label_names) | TARGET_LABELS | ({"le"} if name.endswith("_bucket") else set())
        for metric in METRICS.values()
        for name in metric.series
    }
    series |= {name: rule.labels for name, rule in recorded().items()}
    return series | {name: labels | TARGET_LABELS for name, labels in FOREIGN.items()}


def check(expr: str) -> None:
    """Refuse an expression that names what does not exist.

    Raises
    ------
    UnknownNameError
        Says which name, and in which expression.
    """
    found = names(expr)
    if not found.selectors:
        raise UnknownNameError(f"no metric is named in: {expr}")
    available: set[str] = set()
    for metric, matched in found.selectors:
        if metric not in known():
            raise UnknownNameError(f"{metric} is not exported or recorded by anything: {expr}")
        available |= known()[metric]
        for label, operator, value in matched:
            if label not in known()[metric]:
                raise UnknownNameError(f"{metric} has no label {label!r}: {expr}")
            possible = _values().get((metric, label), ())
            if operator == "=" and possible and not value.startswith("$") and value not in possible:
                raise UnknownNameError(f"{metric}: {label} is never {value!r}: {expr}")
    for label in sorted(found.groupings - available):
        raise UnknownNameError(f"nothing in this expression has a label {label!r}: {expr}")


def names(expr: str) -> Names:
    """Find the metrics and labels that a PromQL expression (with Grafana's ``$variables``) names."""
    selectors: list[tuple[str, tuple[Matcher, ...]]] = []
    groupings: set[str] = set()
    tokens = [match for match in _TOKEN.finditer(expr) if match.lastgroup != "duration"]
    position = 0
    while position < len(tokens):
        token, following = tokens[position], tokens[position + 1 : position + 2]
        opens = following[0].group() if following else ""
        position += 1
        if token.lastgroup != "name" or token.group().startswith("$"):
            continue
        word = token.group()
        if word.lower() in _LABEL_LISTS and opens == "(":
            inside, position = _until(tokens, position + 1, ")")
            groupings |= set(inside) - {","}
        elif word.lower() in _KEYWORDS | _LABEL_LISTS or opens in ("(", "by", "without"):
            continue
        elif opens == "{":
            inside, position = _until(tokens, position + 1, "}")
            matchers = zip(inside[::4], inside[1::4], inside[2::4], strict=True)
            selectors.append((word, tuple((label, sign, value[1:-1]) for label, sign, value in matchers)))
        else:
            selectors.append((word, ()))
    return Names(tuple(selectors), frozenset(groupings))


def declared_in(expr: str) -> Iterator[str]:
    """Yield the declared metrics that an expression reads, directly or through recorded series."""
    declared = {series: metric.name for metric in METRICS.values() for series in metric.series}
    for name in sorted(names(expr).metrics):
        if name in declared:
            yield declared[name]
        elif name in recorded() and names(recorded()[name].expr).selectors:
            yield from declared_in(recorded()[name].expr)


@cache
def _values() -> Mapping[tuple[str, str], tuple[str, ...]]:
    return {
        (name, label.name): label.values
        for metric in METRICS.values()
        for name in metric.series
        for label in metric.labels
    }


def _until(tokens: list[re.Match[str]], position: int, closing: str) -> tuple[list[str], int]:
    inside: list[str] = []
    while tokens[position].group() != closing:
        inside.append(tokens[position].group())
        position += 1
    return inside, position + 1
