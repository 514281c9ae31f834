"""What all boards share: variables, alert annotations, links to each other, and the layout on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from common.metrics.declarations import CELL_AUC, PAGE_INFO, QUEUE_JOBS, RUN_INFO, TRAINER_LAST_SEEN
from common.metrics.exposition import Metric
from grafana.generator import vocabulary
from grafana.generator.colours import ORANGE, RED
from grafana.generator.style import DATA_SOURCE, PROMETHEUS, Panel

TAG = "nighttrain"
PAGE = "page"
"""The variable with the address of the coordinator's page."""
CELL_JOB = (
    f"${{{PAGE}}}/cells/${{__data.fields.Symbol}}/${{__data.fields.Timeframe}}/${{__data.fields.Horizon}}"
)
"""Where a row of a table leads that names a cell: to its job in the newest run."""
CELL_JOB_OF_RUN = f"{CELL_JOB}?run=$run"
"""The same in the chosen run."""
TITLES = {
    "nighttrain-night": "Night",
    "nighttrain-trainers": "Trainers",
    "nighttrain-models": "Models",
    "nighttrain-coordinator": "Coordinator",
}
"""Every board's title by its uid, in the order in which they link to each other."""


@dataclass(frozen=True)
class Section:
    """A row of the board that can be folded, and the panels below it: each line of them fills the grid."""

    title: str
    panels: Sequence[Panel]


class AlertAnnotation(AnnotationQuery):
    """The marks that an alert leaves on every graph as it begins, in the form of Prometheus' data source.

    The typed model knows the annotations of Grafana's own data source only.
    """

    def to_json(self) -> dict[str, object]:
        """Return the model with the query and the texts that the data source adds to it."""
        query = {"refId": "Anno", "expr": self.expr, "interval": "30s"}
        payload = super().to_json() | {
            "target": query,
            "titleFormat": "{{alertname}}",
            "textFormat": "",
            "tagKeys": "severity,component,symbol,timeframe,horizon,trainer,kind,job",
        }
        del payload["expr"]
        return payload


class Variable(dashboard.QueryVariable):
    """A choice of a label's values, without what only a choice of intervals has."""

    def build(self) -> VariableModel:
        """Return the model."""
        made = super().build()
        made.auto = made.auto_min = made.auto_count = None
        return made


class SourceVariable(dashboard.DatasourceVariable):
    """A choice of a data source, without what only a choice of intervals has."""

    def build(self) -> VariableModel:
        """Return the model."""
        made = super().build()
        made.auto = made.auto_min = made.auto_count = None
        return made


def board(
    uid: str,
    description: str,
    sections: Sequence[Section],
    variables: Sequence[Variable],
    since: str,
) -> Dashboard:
    """Return a board; its panels get their ids, and their places from left to right and top to bottom.

    Parameters
    ----------
    uid : str
        One of `TITLES`.
    since : str
        Where the time range begins at first, such as ``now-24h``; it ends now.
    """
    builder = (
        dashboard.Dashboard(TITLES[uid])
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .readonly()  # its provider forbids saving
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time(since, "now")
        .timepicker(dashboard.TimePicker().refresh_intervals(["15s", "30s", "1m", "5m", "15m"]))
        .refresh("30s")
        .variables([data_source_variable(), *variables])
        .links([_link(other, title) for other, title in TITLES.items() if other != uid])
    )
    number = count(1)
    for section in sections:
        builder.with_row(dashboard.Row(section.title).id(next(number)))
        for panel in section.panels:
            builder.with_panel(panel.id(next(number)))
    made = builder.build()
    made.annotations = AnnotationContainer(
        list_val=[_annotation("critical", RED), _annotation("warning", ORANGE)]
    )
    return made


def data_source_variable() -> SourceVariable:
    """Return the choice of the Prometheus that is asked."""
    return (
        SourceVariable(DATA_SOURCE)
        .label("Data source")
        .description("The Prometheus that is asked.")
        .type("prometheus")
        .current(VariableOption(selected=True, text="Prometheus", value="prometheus"))
        .multi(False)
        .include_all(False)
        .regex("")
    )


def page_variable() -> Variable:
    """Return the address of the coordinator's page, for links; nobody chooses it."""
    return (
        Variable(PAGE)
        .label("Page")
        .description("The address of the coordinator's page, which cells and alerts lead to.")
        .datasource(PROMETHEUS)
        .query(_label_values(PAGE_INFO, "url"))
        .current(VariableOption(selected=True, text="", value=""))
        .options([])
        .multi(False)
        .include_all(False)
        .allow_custom_value(False)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.NATURAL_ASC)
        .regex("")
        .hide(VariableHide.HIDE_VARIABLE)
    )


def run_variable() -> Variable:
    """Return the choice of a run; All means the one that is current at each moment."""
    return _variable(
        RUN_INFO,
        "run",
        "Run (All: the current one)",
        "Facts of one run only, as they were last within the time range. All shows the run that is current.",
        VariableSort.NUMERICAL_DESC,
        multi=False,
    )


def symbol_variable() -> Variable:
    """Return the choice of symbols."""
    return _variable(QUEUE_JOBS, "symbol", "Symbol", "Symbols of the runs within the time range.")


def timeframe_variable() -> Variable:
    """Return the choice of timeframes."""
    return _variable(CELL_AUC, "timeframe", "Timeframe", "Timeframes that have a trained cell.")


def horizon_variable() -> Variable:
    """Return the choice of horizons."""
    return _variable(
        CELL_AUC,
        "horizon",
        "Horizon",
        "Bars ahead, of the cells that are trained.",
        VariableSort.NUMERICAL_ASC,
    )


def trainer_variable() -> Variable:
    """Return the choice of trainers."""
    return _variable(
        TRAINER_LAST_SEEN, "trainer", "Trainer", "Trainers that the coordinator knew within the time range."
    )


def _variable(
    metric: Metric,
    label: str,
    title: str,
    description: str,
    order: VariableSort = VariableSort.NATURAL_ASC,
    *,
    multi: bool = True,
) -> Variable:
    everything = VariableOption(
        selected=True, text=["All"] if multi else "All", value=["$__all"] if multi else "$__all"
    )
    return (
        Variable(label)
        .label(title)
        .description(description)
        .datasource(PROMETHEUS)
        .query(_label_values(metric, label))
        .current(everything)
        .options([])
        .multi(multi)
        .include_all(True)
        .all_value(".*")
        .allow_custom_value(False)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(order)
        .regex("")
    )


def _label_values(metric: Metric, label: str) -> dict[str, object]:
    if label not in metric.label_names:
        raise vocabulary.UnknownNameError(f"{metric.name} has no label {label!r}")
    return {
        "qryType": 1,  # values of a label
        "query": f"label_values({metric.name}, {label})",
        "refId": "PrometheusVariableQueryEditor-VariableQuery",
    }


def _annotation(severity: str, colour: str) -> AlertAnnotation:
    firing = f'ALERTS{{alertstate="firing",severity="{severity}"}}'
    # Their beginnings only: bands add up until a graph's own colours cannot be told.
    expr = f"{firing} unless {firing} offset 30s"
    vocabulary.check(expr)
    return AlertAnnotation(
        name=f"Alerts, {severity}", datasource=PROMETHEUS, enable=True, icon_color=colour, expr=expr
    )


def _link(uid: str, title: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .icon("dashboard")
        .tooltip(f"The board {title}, for the same time and the same choices where it has them")
        .url(f"/d/{uid}")
        .tags([])
        .include_vars(True)
        .keep_time(True)
    )
