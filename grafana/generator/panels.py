"""Panels that draw or say something: one function a kind. Tables have a module of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from grafana_foundation_sdk.models import bargauge, common, dashboard, stat, statetimeline, text, timeseries

from grafana.generator.queries import Query
from grafana.generator.style import GREY, LAST, RED, Frame, Look, absent, moments, override, panel, series


class Drawing(Enum):
    """How a graph draws its series: as lines, as areas on top of each other, or as bars likewise."""

    LINES = "lines"
    STACKED = "stacked"
    BARS = "bars"


LIMIT_LINE: dict[str, object] = {
    "color": {"mode": "fixed", "fixedColor": RED},
    "custom.lineStyle": {"fill": "dash", "dash": [8, 8]},
    "custom.fillOpacity": 0,
    "custom.stacking": {"mode": "none", "group": "A"},
}
"""How a series is drawn that is no measurement but the limit of one."""


def stat_panel(
    frame: Frame,
    queries: Sequence[Query],
    look: Look,
    mode: common.BigValueTextMode = common.BigValueTextMode.AUTO,
) -> dashboard.Panel:
    """Return a panel of large numbers: the values at the end of the time range."""
    options = stat.Options(
        graph_mode=common.BigValueGraphMode.NONE,
        color_mode=common.BigValueColorMode.VALUE,
        text_mode=mode,
        reduce_options=LAST,
        orientation=common.VizOrientation.AUTO,
    )
    return panel("stat", frame, moments(queries), look, options, absences=[absent(frame.nothing, GREY)])


def bar_panel(frame: Frame, queries: Sequence[Query], look: Look) -> dashboard.Panel:
    """Return a panel of horizontal bars, one a series: the values at the end of the time range."""
    options = bargauge.Options(
        display_mode=common.BarGaugeDisplayMode.BASIC,
        value_mode=common.BarGaugeValueMode.TEXT,
        name_placement=common.BarGaugeNamePlacement.LEFT,
        orientation=common.VizOrientation.HORIZONTAL,
        reduce_options=LAST,
        legend=_legend(common.LegendDisplayMode.LIST, common.LegendPlacement.BOTTOM, shown=False),
    )
    return panel("bargauge", frame, moments(queries), look, options, absences=[absent(frame.nothing, GREY)])


def graph_panel(
    frame: Frame,
    queries: Sequence[Query],
    look: Look,
    drawing: Drawing = Drawing.LINES,
    limits: Sequence[str] = (),
    colours: Mapping[str, str] | None = None,
) -> dashboard.Panel:
    """Return a panel of series over time.

    The thresholds of `look` are drawn across it as dashed lines. `limits` are the legends of series that are
    limits themselves, `colours` those that have a colour of their own.
    """
    stacked = drawing is not Drawing.LINES
    custom = timeseries.FieldConfig(
        draw_style=common.GraphDrawStyle.BARS if drawing is Drawing.BARS else common.GraphDrawStyle.LINE,
        line_interpolation=common.LineInterpolation.STEP_AFTER,
        line_width=1,
        fill_opacity=60 if stacked else 8,
        show_points=common.VisibilityMode.AUTO,
        span_nulls=False,
        stacking=common.StackingConfig(
            mode=common.StackingMode.NORMAL if stacked else common.StackingMode.NONE, group="A"
        ),
        thresholds_style=common.GraphThresholdsStyleConfig(
            mode=common.GraphThresholdsStyleMode.DASHED
            if len(look.steps) > 1
            else common.GraphThresholdsStyleMode.OFF
        ),
    )
    options = timeseries.Options(
        legend=_legend(
            common.LegendDisplayMode.TABLE,
            common.LegendPlacement.RIGHT if frame.width > 8 else common.LegendPlacement.BOTTOM,
            shown=True,
            calcs=["lastNotNull", "max"],
        ),
        tooltip=common.VizTooltipOptions(
            mode=common.TooltipDisplayMode.MULTI, sort=common.SortOrder.DESCENDING
        ),
    )
    overrides = [override(legend, LIMIT_LINE) for legend in limits]
    overrides += [
        override(legend, {"color": {"mode": "fixed", "fixedColor": colour}})
        for legend, colour in (colours or {}).items()
    ]
    graph = panel("timeseries", frame, series(queries), look, options, custom, overrides)
    assert graph.field_config is not None and graph.field_config.defaults is not None
    graph.field_config.defaults.color = dashboard.FieldColor(
        mode=dashboard.FieldColorModeId.PALETTE_CLASSIC_BY_NAME
    )
    graph.max_data_points = None
    return graph


def timeline_panel(frame: Frame, query: Query, look: Look) -> dashboard.Panel:
    """Return a panel of coloured bars over time, one line a series; `look.values` names each number."""
    options = statetimeline.Options(
        show_value=common.VisibilityMode.AUTO,
        row_height=0.8,
        merge_values=True,
        align_value=common.TimelineValueAlignment.LEFT,
        legend=_legend(common.LegendDisplayMode.LIST, common.LegendPlacement.BOTTOM, shown=True),
        tooltip=common.VizTooltipOptions(mode=common.TooltipDisplayMode.SINGLE, sort=common.SortOrder.NONE),
    )
    custom = statetimeline.FieldConfig(line_width=0, fill_opacity=70)
    return panel("state-timeline", frame, series([query]), look, options, custom)


def text_panel(title: str, description: str, content: str, width: int, height: int) -> dashboard.Panel:
    """Return a panel of words, in Markdown."""
    return dashboard.Panel(
        type_val="text",
        title=title,
        description=description,
        grid_pos=dashboard.GridPos(w=width, h=height),
        options=text.Options(mode=text.TextMode.MARKDOWN, content=content),
    )


def repeated(graph: dashboard.Panel, variable: str) -> dashboard.Panel:
    """Return `graph` once for each chosen value of a variable, side by side."""
    assert graph.grid_pos is not None
    graph.repeat, graph.repeat_direction = variable, "h"
    graph.max_per_row = 24 // graph.grid_pos.w
    return graph


def over(graph: dashboard.Panel, span: str) -> dashboard.Panel:
    """Return `graph` over a time span of its own, such as ``30d``, instead of the chosen time range."""
    graph.time_from = span
    return graph


def _legend(
    mode: common.LegendDisplayMode,
    placement: common.LegendPlacement,
    *,
    shown: bool,
    calcs: Sequence[str] = (),
) -> common.VizLegendOptions:
    return common.VizLegendOptions(
        display_mode=mode, placement=placement, show_legend=shown, calcs=list(calcs)
    )
