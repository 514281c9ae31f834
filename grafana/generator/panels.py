"""Panels that draw or say something: one function a kind. Tables have a module of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    stat,
    statetimeline,
    text,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BarGaugeValueMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TimelineValueAlignment,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import FieldColorModeId
from grafana_foundation_sdk.models.text import TextMode

from grafana.generator.colours import RED, TEXT
from grafana.generator.queries import Query
from grafana.generator.style import (
    LAST,
    MAX_POINTS,
    Frame,
    Look,
    absent,
    moments,
    properties,
    series,
    styled,
)


class Drawing(Enum):
    """How a graph draws its series: as lines, or as areas on top of each other."""

    LINES = "lines"
    STACKED = "stacked"


BESIDE = 12
"""From this width on a graph has room for its legend beside it, as a table; else it lists names below."""


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
    mode: BigValueTextMode = BigValueTextMode.AUTO,
    colours: Mapping[str, str] | None = None,
    different: Mapping[str, Mapping[str, object]] | None = None,
) -> stat.Panel:
    """Return a panel of large numbers: the values at the end of the time range.

    `colours` gives the colour of what a query yields, by its ref: where the same number is good or bad by
    what another one is; `different` what else is different for one.
    """
    panel = (
        stat.Panel()
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(mode)
        .reduce_options(LAST)
        .orientation(VizOrientation.AUTO)
        .wide_layout(False)  # a name beside its value has a size of 5 pixels
        .max_data_points(MAX_POINTS)
    )
    for ref, colour in (colours or {}).items():
        panel.override_by_query(ref, properties({"color": {"mode": "fixed", "fixedColor": colour}}))
    for ref, options in (different or {}).items():
        panel.override_by_query(ref, properties(options))
    return moments(styled(panel, frame, look, [absent(frame.nothing, TEXT)]), queries)


def bar_panel(
    frame: Frame, queries: Sequence[Query], look: Look, colours: Mapping[str, str] | None = None
) -> bargauge.Panel:
    """Return a panel of horizontal bars, one a series: the values at the end of the time range.

    `colours` gives the colour of what a query yields, by its ref.
    """
    panel = (
        bargauge.Panel()
        .display_mode(BarGaugeDisplayMode.BASIC)
        .value_mode(BarGaugeValueMode.TEXT)
        .name_placement(BarGaugeNamePlacement.TOP)  # at the left it is cut
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(LAST)
        .legend(_legend(LegendDisplayMode.LIST, LegendPlacement.BOTTOM).show_legend(False))
        .max_data_points(MAX_POINTS)
    )
    for ref, colour in (colours or {}).items():
        panel.override_by_query(ref, properties({"color": {"mode": "fixed", "fixedColor": colour}}))
    return moments(styled(panel, frame, look, [absent(frame.nothing, TEXT)]), queries)


def graph_panel(
    frame: Frame,
    queries: Sequence[Query],
    look: Look,
    drawing: Drawing = Drawing.LINES,
    limits: Sequence[str] = (),
    colours: Mapping[str, str] | None = None,
) -> timeseries.Panel:
    """Return a panel of series over time.

    The thresholds of `look` are drawn across it as dashed lines. `limits` are the legends of series that are
    limits themselves, `colours` those that have a colour of their own.
    """
    stacked = drawing is not Drawing.LINES
    threshold_lines = GraphThresholdsStyleMode.DASHED if len(look.steps) > 1 else GraphThresholdsStyleMode.OFF
    legend = (
        _legend(LegendDisplayMode.TABLE, LegendPlacement.RIGHT)
        .calcs(["lastNotNull"])
        .sort_by("Last *")
        .sort_desc(True)
        if frame.width >= BESIDE
        else _legend(LegendDisplayMode.LIST, LegendPlacement.BOTTOM)
    )
    panel = (
        styled(timeseries.Panel(), frame, look)
        .draw_style(GraphDrawStyle.LINE)
        .line_interpolation(LineInterpolation.STEP_AFTER)
        .line_width(1)
        .fill_opacity(60 if stacked else 8)
        .show_points(VisibilityMode.AUTO)
        .span_nulls(False)
        .stacking(
            common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE).group("A")
        )
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(threshold_lines))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if look.reach is not None:
        panel.axis_soft_max(look.reach)
    for name in limits:
        panel.override_by_name(name, properties(LIMIT_LINE))
    for name, colour in (colours or {}).items():
        panel.override_by_name(name, properties({"color": {"mode": "fixed", "fixedColor": colour}}))
    return series(panel, queries)


def timeline_panel(frame: Frame, query: Query, look: Look) -> statetimeline.Panel:
    """Return a panel of coloured bars over time, one line a series; `look.values` names each number."""
    panel = (
        statetimeline.Panel()
        .show_value(VisibilityMode.AUTO)
        .row_height(0.8)
        .merge_values(True)
        .align_value(TimelineValueAlignment.LEFT)
        .legend(_legend(LegendDisplayMode.LIST, LegendPlacement.BOTTOM))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
        .line_width(0)
        .fill_opacity(70)
        .max_data_points(MAX_POINTS)
    )
    return series(styled(panel, frame, look), [query])


def text_panel(title: str, description: str, content: str, width: int, height: int) -> text.Panel:
    """Return a panel of words, in Markdown."""
    panel = text.Panel().title(title).description(description).span(width).height(height)
    return panel.mode(TextMode.MARKDOWN).content(content)


def _legend(mode: LegendDisplayMode, placement: LegendPlacement) -> common.VizLegendOptions:
    return common.VizLegendOptions().display_mode(mode).placement(placement).show_legend(True).calcs([])
