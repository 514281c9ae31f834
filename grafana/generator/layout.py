"""What all boards share: variables, alert annotations, links to each other, and the layout on the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.models import dashboard

from common.metrics.declarations import CELL_AUC, QUEUE_JOBS, RUN_INFO, TRAINER_LAST_SEEN
from common.metrics.exposition import Metric
from grafana.generator import vocabulary
from grafana.generator.style import ORANGE, PROMETHEUS, RED

TAG = "nighttrain"
TITLES = {
    "nighttrain-night": "Night",
    "nighttrain-trainers": "Trainers",
    "nighttrain-models": "Models",
    "nighttrain-coordinator": "Coordinator",
}
"""Every board's title by its uid, in the order in which they link to each other."""

GRID_WIDTH = 24


@dataclass(frozen=True)
class Section:
    """A row of the board that can be folded, and the panels below it, which wrap at the grid's width."""

    title: str
    panels: Sequence[dashboard.Panel]


class AlertAnnotation(dashboard.AnnotationQuery):
    """The bands that a firing alert leaves on every graph, in the form that Prometheus' data source reads.

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


def board(
    uid: str,
    description: str,
    sections: Sequence[Section],
    variables: Sequence[dashboard.VariableModel],
    since: str,
) -> dashboard.Dashboard:
    """Return a board; its panels get their ids, and their places from left to right and top to bottom.

    Parameters
    ----------
    uid : str
        One of `TITLES`.
    since : str
        Where the time range begins at first, such as ``now-24h``; it ends now.
    """
    return dashboard.Dashboard(
        uid=uid,
        title=TITLES[uid],
        description=description,
        tags=[TAG],
        timezone="browser",
        editable=True,
        graph_tooltip=dashboard.DashboardCursorSync.CROSSHAIR,
        time=dashboard.DashboardDashboardTime(from_val=since, to="now"),
        timepicker=dashboard.TimePickerConfig(refresh_intervals=["15s", "30s", "1m", "5m", "15m"]),
        refresh="30s",
        panels=list(_laid_out(sections)),
        templating=dashboard.DashboardDashboardTemplating(list_val=list(variables)),
        annotations=dashboard.AnnotationContainer(
            list_val=[_annotation("critical", RED), _annotation("warning", ORANGE)]
        ),
        links=[_link(other, title) for other, title in TITLES.items() if other != uid],
    )


def run_variable() -> dashboard.VariableModel:
    """Return the choice of a run; All means the one that is current at each moment."""
    return _variable(
        RUN_INFO,
        "run",
        "Run (All: the current one)",
        "Facts of one run only, as they were last within the time range. All shows the run that is current.",
        dashboard.VariableSort.NUMERICAL_DESC,
        multi=False,
    )


def symbol_variable() -> dashboard.VariableModel:
    """Return the choice of symbols."""
    return _variable(QUEUE_JOBS, "symbol", "Symbol", "Symbols of the runs within the time range.")


def timeframe_variable() -> dashboard.VariableModel:
    """Return the choice of timeframes."""
    return _variable(CELL_AUC, "timeframe", "Timeframe", "Timeframes that have a trained cell.")


def horizon_variable() -> dashboard.VariableModel:
    """Return the choice of horizons."""
    return _variable(
        CELL_AUC,
        "horizon",
        "Horizon",
        "Bars ahead, of the cells that are trained.",
        dashboard.VariableSort.NUMERICAL_ASC,
    )


def trainer_variable() -> dashboard.VariableModel:
    """Return the choice of trainers."""
    return _variable(
        TRAINER_LAST_SEEN, "trainer", "Trainer", "Trainers that the coordinator knew within the time range."
    )


def _variable(
    metric: Metric,
    label: str,
    title: str,
    description: str,
    order: dashboard.VariableSort = dashboard.VariableSort.NATURAL_ASC,
    *,
    multi: bool = True,
) -> dashboard.VariableModel:
    if label not in metric.label_names:
        raise vocabulary.UnknownNameError(f"{metric.name} has no label {label!r}")
    everything = dashboard.VariableOption(
        selected=True, text=["All"] if multi else "All", value=["$__all"] if multi else "$__all"
    )
    return dashboard.VariableModel(
        type_val=dashboard.VariableType.QUERY,
        name=label,
        label=title,
        description=description,
        datasource=PROMETHEUS,
        query={
            "qryType": 1,  # values of a label
            "query": f"label_values({metric.name}, {label})",
            "refId": "PrometheusVariableQueryEditor-VariableQuery",
        },
        current=everything,
        options=[],
        multi=multi,
        include_all=True,
        all_value=".*",
        allow_custom_value=False,
        refresh=dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=order,
        regex="",
        auto=None,
        auto_min=None,
        auto_count=None,
    )


def _annotation(severity: str, colour: str) -> AlertAnnotation:
    expr = f'ALERTS{{alertstate="firing",severity="{severity}"}}'
    vocabulary.check(expr)
    return AlertAnnotation(
        name=f"Alerts, {severity}", datasource=PROMETHEUS, enable=True, icon_color=colour, expr=expr
    )


def _link(uid: str, title: str) -> dashboard.DashboardLink:
    return dashboard.DashboardLink(
        title=title,
        type_val=dashboard.DashboardLinkType.LINK,
        icon="dashboard",
        tooltip=f"The board {title}, for the same time and the same choices where it has them",
        url=f"/d/{uid}",
        tags=[],
        include_vars=True,
        keep_time=True,
    )


def _laid_out(sections: Sequence[Section]) -> Iterator[dashboard.Panel | dashboard.RowPanel]:
    top, number = 0, 0
    for section in sections:
        number += 1
        yield dashboard.RowPanel(
            title=section.title,
            collapsed=False,
            id_val=number,
            grid_pos=dashboard.GridPos(x=0, y=top, w=GRID_WIDTH, h=1),
        )
        top, left, height = top + 1, 0, 0
        for panel in section.panels:
            place = panel.grid_pos
            assert place is not None
            if left + place.w > GRID_WIDTH:
                top, left, height = top + height, 0, 0
            number += 1
            panel.id_val, place.x, place.y = number, left, top
            left, height = left + place.w, max(height, place.h)
            yield panel
        top += height
