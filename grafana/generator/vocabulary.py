"""Which names an expression may use: what is declared, what is recorded, and what Prometheus itself exports.

`check` refuses an expression that names a metric which nobody exports, a label that the metric has not, or a
value that the label never has: Prometheus would answer such a query with nothing, and the panel would look
like a quiet night.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from common.metrics.declarations import METRICS
from grafana.generator.promql import names
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


class UnknownNameError(ValueError):
    """An expression names a metric, a label or a label's value that does not exist."""


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
    ValueError
        The expression is no PromQL.
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
    for label in sorted(found.groupings - available - found.made):
        raise UnknownNameError(f"nothing in this expression has a label {label!r}: {expr}")


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
