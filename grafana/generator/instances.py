"""Whether an expression stays right when Prometheus scrapes several coordinators over one database.

Each reports all facts of the night and what else they share, so that of these one may count: the largest over
the coordinators, before anything is added, averaged, matched or shown. What each process counts for itself is
added.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Expr,
    LabelModifier,
    LabelModifierType,
    VectorMatchCardinality,
    VectorSelector,
)

from common.metrics.declarations import METRICS
from common.metrics.exposition import Exporter, Kind, Source
from grafana.generator.promql import children, text, tree

ONE = frozenset({"max", "min"})
"""Aggregations that a second coordinator with the same facts does not change."""

OF_TARGETS = frozenset({"instance", "pod", "container", "endpoint", "node"})
"""Labels by which coordinators differ."""

FILTERS = frozenset({"and", "unless"})
UNION = "or"


@cache
def _shared() -> frozenset[str]:
    return frozenset(name for metric in METRICS.values() if metric.is_shared for name in metric.series)


@cache
def _own() -> frozenset[str]:
    return frozenset(
        name
        for metric in METRICS.values()
        if metric.source is Source.PROCESS and Exporter.COORDINATOR in metric.exporters
        if metric.kind in (Kind.COUNTER, Kind.HISTOGRAM)
        for name in metric.series
    )


def doubled(expr: str) -> list[str]:
    """Return what of an expression counts, shows or matches a shared metric once for each coordinator."""
    return sorted(_doubled(tree(expr), is_one=False))


def undercounted(expr: str) -> list[str]:
    """Return what of an expression takes one coordinator's own count for that of all."""
    return sorted(_undercounted(tree(expr), ""))


def _doubled(node: Expr, *, is_one: bool) -> Iterator[str]:
    """Yield selectors of shared metrics of which more than one series a coordinator would be left.

    `is_one` says that an aggregation around the node leaves one of those that differ by coordinator only.
    """
    match node:
        case VectorSelector():
            if node.name in _shared() and not is_one:
                yield text(node)
        case AggregateExpr():
            yield from _doubled(node.expr, is_one=str(node.op) in ONE and not _kept(node) & OF_TARGETS)
        case BinaryExpr() if str(node.op) in FILTERS:
            yield from _doubled(node.lhs, is_one=is_one)
            # It only decides whether there is an answer.
            yield from _doubled(node.rhs, is_one=True)
        case BinaryExpr() if str(node.op) != UNION:
            left, right = _sides(node)
            yield from _doubled(node.lhs, is_one=is_one and left)
            yield from _doubled(node.rhs, is_one=is_one and right)
        case _:
            for child in children(node):
                yield from _doubled(child, is_one=is_one)


def _undercounted(node: Expr, around: str) -> Iterator[str]:
    match node:
        case VectorSelector():
            if node.name in _own() and around != "sum":
                yield text(node)
        case AggregateExpr():
            yield from _undercounted(node.expr, str(node.op))
        case _:
            for child in children(node):
                yield from _undercounted(child, around)


def _kept(node: AggregateExpr) -> frozenset[str]:
    if node.modifier is None:
        return frozenset()
    if node.modifier.type == AggModifierType.By:
        return frozenset(node.modifier.labels)
    return OF_TARGETS - frozenset(node.modifier.labels)


def _sides(node: BinaryExpr) -> tuple[bool, bool]:
    """Return for each side whether it may have a series for each coordinator, as far as matching goes."""
    modifier = node.modifier
    if modifier is None or modifier.matching is None or _matches_targets(modifier.matching):
        return True, True
    return (
        modifier.card == VectorMatchCardinality.ManyToOne,
        modifier.card == VectorMatchCardinality.OneToMany,
    )


def _matches_targets(matching: LabelModifier) -> bool:
    labels = frozenset(matching.labels)
    if matching.type == LabelModifierType.Include:
        return "instance" in labels
    return not labels & OF_TARGETS
