"""Every PromQL expression of the committed boards, with the variables filled in as Grafana fills them in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promql_parser import BinaryExpr, NumberLiteral

from common.metrics.declarations import (
    CHECKPOINT_TIMESTAMP,
    EARLIER_AUC,
    HTTP_DURATION,
    JOB_DURATION,
    LAST_CLAIM,
    NIGHT_DEADLINE,
    NIGHT_LAST_OPENING,
    NIGHT_NEXT_OPENING,
    RUN_ETA,
    RUNNING_JOB_EXPECTED,
    RUNNING_JOB_STARTED,
    TRAINER_JOB_INFO,
)
from common.metrics.exposition import Metric
from grafana.generator.promql import filters, names, nodes, tree
from grafana.generator.vocabulary import declared_in

DASHBOARDS = Path(__file__).parents[1] / "dashboards"


ALL = ".*"
"""The value of a variable while All is chosen."""

DEFAULTS: Mapping[str, str] = {
    "run": ALL,
    "symbol": ALL,
    "timeframe": ALL,
    "horizon": ALL,
    "trainer": ALL,
    "__range": "3600s",
    "__interval": "15s",
}
"""What each variable is unless told otherwise; the last two are Grafana's own."""

_LABEL_VALUES = re.compile(r"label_values\((.*), *(\w+)\)")
_VARIABLE = re.compile(r"\$(\w+)")


_PASSING: Mapping[Metric, str] = {
    RUN_ETA: "the run has ended",
    CHECKPOINT_TIMESTAMP: "the run has ended",
    RUNNING_JOB_STARTED: "nobody is at work",
    RUNNING_JOB_EXPECTED: "nobody is at work",
    TRAINER_JOB_INFO: "nobody is at work",
    NIGHT_DEADLINE: "there is no window, or it is closed",
    NIGHT_LAST_OPENING: "there is no window",
    NIGHT_NEXT_OPENING: "there is no window",
    EARLIER_AUC: "there is no run before",
    JOB_DURATION: "every result was reused",
}
_CERTAIN = {HTTP_DURATION.name, LAST_CLAIM.name}
"""Each of these has a series above zero after every night."""


@dataclass(frozen=True)
class Expression:
    """One expression: on which board and in what it stands, and whether it is asked for a single moment."""

    board: str
    place: str
    expr: str
    instant: bool

    @property
    def may_be_empty(self) -> str:
        """Why there may be no answer to it once a healthy night is over; "" if there must be one."""
        if "ALERTS" in names(self.expr).metrics:
            return "no alert is active"
        declared = set(declared_in(self.expr))
        if reasons := [reason for metric, reason in _PASSING.items() if metric.name in declared]:
            return reasons[0]
        rare = _hides_zeros(self.expr) and not declared & _CERTAIN
        return "shows nothing but what is above zero" if rare else ""


def expressions(values: Mapping[str, str] | None = None, folder: Path = DASHBOARDS) -> list[Expression]:
    """List the expressions of all panels, variables and annotations.

    Parameters
    ----------
    values : mapping, optional
        Values of variables by name, over `DEFAULTS`: ``{"run": "3", "symbol": "BTCUSDT|ETHUSDT"}``.
    folder : Path
        Where the boards lie.

    Raises
    ------
    ValueError
        A variable is used, or given, that no board has.
    """
    chosen = {**DEFAULTS, **(values or {})}
    if unknown := set(chosen) - set(DEFAULTS):
        raise ValueError(f"no board has the variables {sorted(unknown)}")
    return [
        Expression(board["title"], place, _filled_in(expr, chosen), instant)
        for file in sorted(folder.glob("*.json"))
        for board in [json.loads(file.read_text(encoding="utf-8"))]
        for place, expr, instant in _found(board)
    ]


def _hides_zeros(expr: str) -> bool:
    return any(
        filters(node, ">") and isinstance(node.rhs, NumberLiteral) and node.rhs.val == 0
        for node in nodes(tree(expr))
        if isinstance(node, BinaryExpr)
    )


def _found(board: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} ({target['refId']})", target["expr"], target["instant"]
    for variable in board["templating"]["list"]:
        if variable["type"] != "query":
            continue
        query = _LABEL_VALUES.fullmatch(variable["query"]["query"])
        if query is None:
            raise ValueError(f"{board['title']}: the variable {variable['name']} asks for no label's values")
        yield f"variable {variable['name']}", f"count by ({query[2]}) ({query[1]})", True
    for annotation in board["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["target"]["expr"], False


def _filled_in(expr: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise ValueError(f"the variable ${found[1]} is not known: {expr}")
        return values[found[1]]

    return _VARIABLE.sub(value, expr)
