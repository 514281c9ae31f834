"""How numbers look: units, colours, thresholds, and the parts that every panel has.

Every panel says in its description what it shows and what to make of it, has a unit, and has a text for when
there is nothing to show: silence is either good news or a fault, and the reader must be able to tell which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    RangeMap,
    RegexMap,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

from grafana.generator.colours import TEXT
from grafana.generator.queries import Query

Drawn = TypeVar("Drawn", bargauge.Panel, stat.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)
"""What makes a panel that draws what queries yield."""

Panel = bargauge.Panel | stat.Panel | statetimeline.Panel | table.Panel | text.Panel | timeseries.Panel
"""What makes a panel of any kind; its id and its place on the grid are given by its board."""

DATA_SOURCE = "datasource"
"""The variable that chooses the Prometheus that boards ask."""
PROMETHEUS = DataSourceRef(type_val="prometheus", uid=f"${{{DATA_SOURCE}}}")

PLAIN = units.NoUnit
COUNT = units.Short
RATIO = units.PercentUnit
SECONDS = "s"
BYTES = units.BytesIEC
BYTES_PER_SECOND = units.BytesPerSecondIEC
CLOCK = "time:ddd D MMM HH:mm"
"""A moment; its values are in milliseconds since the epoch."""
BRIEF_CLOCK = "time:ddd HH:mm"
"""A moment of a night, where it is written large."""
PER_SECOND = "suffix:/s"
PER_MINUTE = "suffix:/min"
MINUTES = "suffix:min"
"""Of axes that reach over an hour: ticks of seconds would be at 33.3 mins and 1.67 hours."""
CORES = "suffix:cores"

ValueMapping = ValueMap | RangeMap | RegexMap | SpecialValueMap

Steps = tuple[tuple[float | None, str], ...]
"""Colours by value: each from its value upwards, ascending; None is minus infinity."""

NEUTRAL: Steps = ((None, TEXT),)

NO_RUN = "No run is current, or the chosen one was not within the time range"
BRIEFLY_NO_RUN = "no run"
"""What a panel of large numbers says instead: it has no room for more."""

LAST = common.ReduceDataOptions().values(False).calcs(["lastNotNull"]).fields("")
MAX_POINTS = 500
"""How many points a query may yield that is not drawn as a graph, which wants as many as it is wide."""


@dataclass(frozen=True)
class Look:
    """How a number is shown: `values` gives single numbers, or texts, a text and a colour."""

    unit: str
    steps: Steps = NEUTRAL
    decimals: int | None = None
    values: Mapping[int | str, tuple[str, str]] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None
    reach: float | None = None
    """How far the axis of a graph reaches at least: without it a line of zeros has an axis to 10000 %."""


@dataclass(frozen=True)
class Frame:
    """A panel's outside: its size on the grid (24 columns; 30 pixels a row), and its words.

    `nothing` is shown where there are no data.
    """

    title: str
    description: str
    nothing: str
    width: int
    height: int


def numbered_states(states: Sequence[str], colours: Sequence[str]) -> dict[int | str, tuple[str, str]]:
    """Return texts and colours for the numbers that `queries.numbered` yields."""
    return dict(enumerate(zip(states, colours, strict=True)))


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Return what makes the thresholds of `steps`."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=colour) for value, colour in steps])
    )


def mappings(values: Mapping[int | str, tuple[str, str]]) -> list[ValueMapping]:
    """Return the model of `Look.values`."""
    results = {
        str(value): ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(values.items())
    }
    return [ValueMap(options=results)] if results else []


def absent(text: str, colour: str) -> ValueMapping:
    """Return the look of a value that is absent: else it has the colour of the lowest, which is often red."""
    return SpecialValueMap(
        options=DashboardSpecialValueMapOptions(
            match=SpecialValueMatch.NULL_AND_NAN,
            result=ValueMappingResult(text=text, color=colour, index=100),
        )
    )


def styled(panel: Drawn, frame: Frame, look: Look, absences: Sequence[ValueMapping] = ()) -> Drawn:
    """Give a panel its size, its words, and the look of its numbers."""
    panel.title(frame.title).description(frame.description).span(frame.width).height(frame.height)
    panel.unit(look.unit).no_value(frame.nothing).thresholds(thresholds(look.steps))
    panel.mappings([*mappings(look.values), *absences])
    panel.color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.minimum is not None:
        panel.min(look.minimum)
    if look.maximum is not None:
        panel.max(look.maximum)
    return panel


def series(panel: Drawn, queries: Sequence[Query]) -> Drawn:
    """Give a panel its queries, over the whole time range."""
    panel.datasource(PROMETHEUS)
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number).range())
    return panel


def moments(
    panel: Drawn, queries: Sequence[Query], shape: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> Drawn:
    """Give a panel its queries, at the end of the time range."""
    panel.datasource(PROMETHEUS)
    for number, query in enumerate(queries):
        panel.with_target(_target(query, number).format(shape).instant())
    return panel


def properties(values: Mapping[str, object]) -> list[DynamicConfigValue]:
    """Return the model of what is different for some series or columns, by the names of Grafana's options."""
    return [DynamicConfigValue(id_val=key, value=value) for key, value in values.items()]


def _target(query: Query, number: int) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .expr(query.expr)
        .ref_id(query.ref or chr(ord("A") + number))
        .legend_format(query.legend)
        .format(PromQueryFormat.TIME_SERIES)
        .editor_mode(QueryEditorMode.CODE)
        .datasource(PROMETHEUS)
    )
