"""The PromQL that boards share: what belongs to the chosen run, symbol, cell or trainer.

Facts of the night describe the run that was current at the time. With `All` runs chosen, a single value or a
table shows the run that is current at the end of the time range, or nothing where nothing is known then; with
one run chosen, it shows the last that was known of that run within the range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promql_parser import AggregateExpr, Call, VectorSelector

from common.metrics.declarations import METRICS, RUN_INFO, TRAINER_INFO
from common.metrics.exposition import Metric
from common.timeframes import Timeframe
from grafana.generator import vocabulary
from grafana.generator.instances import doubled, undercounted
from grafana.generator.promql import names, tree

CHOSEN_RUN = f'{RUN_INFO.name}{{run=~"$run"}}'
# 1, with the run's number. If Prometheus was away as the run changed, both runs are there for some minutes.
CURRENT_RUN = f"(topk(1, max by (run) (timestamp({RUN_INFO.name}))) > bool 0)"
ONE_RUN = f'{RUN_INFO.name}{{run="$run"}}'  # matches nothing while All runs are chosen
CHOSEN_TRAINERS = '{trainer=~"$trainer"}'
RANGE = "[$__range:$__interval]"


@dataclass(frozen=True)
class Query:
    """One query of a panel.

    `legend` names a series with ``{{label}}``, `ref` identifies the query in the panel. Making one raises
    `vocabulary.UnknownNameError` for a metric or label that does not exist, and a ValueError where several
    coordinators would make it wrong.
    """

    expr: str
    legend: str = ""
    ref: str = ""

    def __post_init__(self) -> None:
        vocabulary.check(self.expr)
        if found := doubled(self.expr):
            raise ValueError(f"{', '.join(found)} would count once for each coordinator in: {self.expr}")
        if found := undercounted(self.expr):
            raise ValueError(f"{', '.join(found)} is not summed over the coordinators in: {self.expr}")


def of_run(expr: str) -> str:
    """Return `expr` at those moments when the chosen run was the current one."""
    return f"{_operand(expr)} and on () {CHOSEN_RUN}"


def last_of_run(expr: str) -> str:
    """Return `expr` for the run that is shown, as the module explains; for instant queries."""
    return f"{of_run(expr)} or last_over_time(({_operand(expr)} and on () {ONE_RUN}){RANGE})"


def last_by_run(expr: str) -> str:
    """Return the last value of `expr`, which has no labels, for each run of the range, labelled with it."""
    labelled = f"{_operand(expr)} * on () group_left (run) {CURRENT_RUN}"
    # What is known now, first: the steps of a month are minutes apart, and a new run would be missing.
    return f"max by (run) ({labelled}) or max by (run) (last_over_time(({labelled}){RANGE}))"


def every(metric: Metric | str, **matchers: str) -> str:
    """Return the selector of all series with the labels in `matchers`."""
    return _selector(metric, {}, matchers)


def of_symbols(metric: Metric | str, **matchers: str) -> str:
    """Return the selector of the chosen symbols, and of the labels in `matchers`."""
    return _selector(metric, {"symbol": "$symbol"}, matchers)


def of_cells(metric: Metric | str, **matchers: str) -> str:
    """Return the selector of the chosen cells, and of the labels in `matchers`."""
    return _selector(
        metric, {"symbol": "$symbol", "timeframe": "$timeframe", "horizon": "$horizon"}, matchers
    )


def once(selector: str) -> str:
    """Return each series of a selector of a shared metric once, however many coordinators report it."""
    [(name, _)] = names(selector).selectors
    [metric] = (one for one in METRICS.values() if name in one.series)
    labels = ", ".join((*metric.label_names, *(["le"] if name.endswith("_bucket") else [])))
    return f"max by ({labels}) ({selector})" if labels else f"max({selector})"


def by_trainer(expr: str) -> str:
    """Leave of the series of `expr`, which each trainer exports, those of the chosen trainers."""
    return f"{_operand(expr)} and on (instance, trainer) {TRAINER_INFO.name}{CHOSEN_TRAINERS}"


def each_trainer(operation: str, expr: str, *labels: str) -> str:
    """Aggregate the series of `expr`, which trainers export, by the trainer's name and further labels."""
    return f"{operation} by ({', '.join(('trainer', *labels))}) ({by_trainer(expr)})"


def of_trainers(series: str) -> str:
    """Return the series of the chosen trainers, of those that bear the trainer's name themselves."""
    return f"max by (trainer) ({series}{CHOSEN_TRAINERS})"


def numbered(metric: Metric, select: Callable[..., str]) -> str:
    """Return the number (from 0) of the state that a set of states is in; `select` is `every` or its like."""
    states = metric.labels[-1]
    terms = (
        f"{number} * {select(metric, **{states.name: value})}" for number, value in enumerate(states.values)
    )
    return f" + ignoring ({states.name}) ".join(terms)


def milliseconds(expr: str) -> str:
    """Return a time in whole milliseconds, as Grafana wants its moments, in links above all."""
    return f"round(1000 * {_operand(expr)})"


UP = 'up{job="coordinator"} == 1'


UNKNOWN = "unknown: no scrape"


def or_words(expr: str, label: str, known: str) -> str:
    """Return `expr`, or where it has no answer one series without a number that says why.

    Parameters
    ----------
    expr : str
        An instant query of a table.
    label : str
        The label that bears the words: a column with room for them.
    known : str
        What is true if Prometheus hears the coordinator, and there is nothing nevertheless. Otherwise
        nothing is known, and that is said.
    """
    nothing = f'label_replace(0 * max({UP}) / 0, "{label}", "{known}", "", "")'
    return f'{expr} or on () {nothing} or on () label_replace(vector(0) / 0, "{label}", "{UNKNOWN}", "", "")'


def each_timeframe(series: str) -> str:
    """Return the length of a bar in seconds for each timeframe of `series`: what tables are sorted by.

    By their names, 12h would come before 15m.
    """
    return " or ".join(
        f'max by (timeframe) ({series}{{timeframe="{timeframe}"}}) * 0 + {timeframe.seconds}'
        for timeframe in Timeframe
    )


def per_minute(metric: Metric, *labels: str, **matchers: str) -> str:
    """Return how often something happened a minute, over 5 minutes, by the labels; nothing where never.

    Of a shared metric `labels` and `matchers` have to name all labels.
    """
    by = f" by ({', '.join(labels)})" if labels else ""
    # What each coordinator reports alike must not be added; who is counted apart is.
    total = "max" if metric.is_shared else "sum"
    return f"60 * {total}{by} (rate({every(metric, **matchers)}[5m]))"


def _operand(expr: str) -> str:
    # A selector or a call stands for itself; all else needs parentheses, or is clearer with them.
    node = tree(expr)
    alone = isinstance(node, VectorSelector | Call) or (isinstance(node, AggregateExpr) and not node.modifier)
    return expr if alone else f"({expr})"


def _selector(metric: Metric | str, patterns: dict[str, str], matchers: dict[str, str]) -> str:
    conditions = [f'{label}=~"{pattern}"' for label, pattern in patterns.items()]
    conditions += [f'{label}="{value}"' for label, value in matchers.items()]
    name = metric if isinstance(metric, str) else metric.name
    return f"{name}{{{','.join(conditions)}}}" if conditions else name
