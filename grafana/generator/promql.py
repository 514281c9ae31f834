"""What a PromQL expression consists of: read off its syntax tree, never off its text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import promql_parser
from promql_parser import (
    AggModifierType,
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatchOp,
    MatrixSelector,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

MAKERS = frozenset({"label_replace", "label_join"})
"""Functions whose second argument is a label that they make."""

# Grafana fills these in, where PromQL allows a duration only; all other variables stand in strings.
_DURATION = re.compile(r"\$__(?:range|interval|rate_interval)\b")


class Matcher(NamedTuple):
    """A condition of a selector on a label; `operator` is one of ``=``, ``!=``, ``=~``, ``!~``."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True)
class Names:
    """What an expression names: metrics with their matchers, and labels to group by or to match on."""

    selectors: tuple[tuple[str, tuple[Matcher, ...]], ...]
    groupings: frozenset[str]
    made: frozenset[str] = frozenset()
    """Labels that the expression makes itself."""

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics, without repetition."""
        return frozenset(name for name, _ in self.selectors)


def tree(expr: str) -> Expr:
    """Return the syntax tree of an expression, which may use Grafana's ``$variables``.

    Raises
    ------
    ValueError
        The expression is no PromQL.
    """
    try:
        return promql_parser.parse(_DURATION.sub("1m", expr))
    except ValueError as error:
        raise ValueError(f"{error}: {expr}") from None


def text(node: Expr) -> str:
    """Return the expression below a node on one line: the same text for the same tree."""
    return " ".join(node.prettify().split()).replace("( ", "(").replace(" )", ")")


def nodes(node: Expr) -> list[Expr]:
    """Return a node and all below it."""
    found: list[Expr] = []
    promql_parser.walk(node, found.append)
    return found


def operands(node: Expr, *operators: str) -> Iterator[Expr]:
    """Yield what these operators join, from left to right, also within parentheses."""
    while isinstance(node, ParenExpr):
        node = node.expr
    if isinstance(node, BinaryExpr) and str(node.op) in operators:
        yield from operands(node.lhs, *operators)
        yield from operands(node.rhs, *operators)
    else:
        yield node


def filters(node: Expr, *comparisons: str) -> bool:
    """Whether a node keeps those series for which one of these comparisons holds."""
    return (
        isinstance(node, BinaryExpr)
        and str(node.op) in comparisons
        and not (node.modifier and node.modifier.return_bool)
    )


@cache
def names(expr: str) -> Names:
    """Find the metrics and labels that an expression names; raises ValueError as `tree` does."""
    found = nodes(tree(expr))
    selectors = tuple(
        (node.name or "", _matchers(node)) for node in found if isinstance(node, VectorSelector)
    )
    made = frozenset(label for node in found if (label := _made(node)))
    return Names(selectors, frozenset(label for node in found for label in _labels(node)), made)


def grouped_by(expr: str) -> frozenset[str]:
    """Return the labels that the outermost aggregations of an expression keep."""
    return frozenset(
        label
        for node in outermost(tree(expr))
        if isinstance(node, AggregateExpr) and node.modifier and node.modifier.type == AggModifierType.By
        for label in node.modifier.labels
    )


def outermost(node: Expr) -> Iterator[Expr]:
    """Yield what an expression's labels come from: aggregations that are in no other, and selectors."""
    match node:
        case AggregateExpr() | VectorSelector():
            yield node
        case _:
            for child in children(node):
                yield from outermost(child)


def children(node: Expr) -> list[Expr]:
    """Return the nodes directly below a node, but the parameter of an aggregation."""
    match node:
        case Call():
            return list(node.args)
        case AggregateExpr() | ParenExpr() | SubqueryExpr() | UnaryExpr():
            return [node.expr]
        case MatrixSelector():
            return [node.vector_selector]
        case BinaryExpr():
            return [node.lhs, node.rhs]
        case _:
            return []


def _labels(node: Expr) -> Iterator[str]:
    if isinstance(node, AggregateExpr) and node.modifier:
        yield from node.modifier.labels
    elif isinstance(node, BinaryExpr) and node.modifier:
        if node.modifier.matching:
            yield from node.modifier.matching.labels
        yield from node.modifier.group_labels or ()


def _made(node: Expr) -> str:
    """Return the label that a call or an aggregation makes, or nothing."""
    if isinstance(node, Call) and node.func.name in MAKERS and isinstance(node.args[1], StringLiteral):
        return node.args[1].val
    if isinstance(node, AggregateExpr) and isinstance(node.param, StringLiteral):
        return node.param.val
    return ""


def _matchers(selector: VectorSelector) -> tuple[Matcher, ...]:
    return tuple(
        Matcher(matcher.name, _operator(matcher.op), matcher.value) for matcher in selector.matchers.matchers
    )


def _operator(op: MatchOp) -> str:
    signs = ((MatchOp.Equal, "="), (MatchOp.NotEqual, "!="), (MatchOp.Re, "=~"), (MatchOp.NotRe, "!~"))
    return next(sign for known, sign in signs if op == known)
