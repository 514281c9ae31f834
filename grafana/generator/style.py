"""How numbers look: units, colours, thresholds, and the parts that every panel has.

Every panel says in its description what it shows and what to make of it, has a unit, and has a text for when
there is nothing to show: silence is either good news or a fault, and the reader must be able to tell which.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.models import common, dashboard, prometheus, units

from grafana.generator.queries import Query

PROMETHEUS = dashboard.DataSourceRef(type_val="prometheus", uid="prometheus")

PLAIN = units.NoUnit
COUNT = units.Short
RATIO = units.PercentUnit
SECONDS = "s"
BYTES = units.BytesIEC
CLOCK = "time:ddd D MMM HH:mm"
"""A moment; its values are in milliseconds since the epoch."""
PER_SECOND = "suffix:/s"
CORES = "suffix:cores"

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"

ValueMapping = dashboard.ValueMap | dashboard.RangeMap | dashboard.RegexMap | dashboard.SpecialValueMap

Steps = tuple[tuple[float | None, str], ...]
"""Colours by value: each from its value upwards, ascending; None is minus infinity."""

NEUTRAL: Steps = ((None, GREY),)
CLEAR = "transparent"
"""For cells whose background is coloured only where something is wrong."""

NO_RUN = "No run is current, or the chosen one was not within the time range"
BRIEFLY_NO_RUN = "no run"
"""What a panel of large numbers says instead: it has no room for more."""

LAST = common.ReduceDataOptions(values=False, calcs=["lastNotNull"], fields="")


@dataclass(frozen=True)
class Look:
    """How a number is shown: `values` gives single numbers, or texts, a text and a colour."""

    unit: str
    steps: Steps = NEUTRAL
    decimals: int | None = None
    values: Mapping[int | str, tuple[str, str]] = field(default_factory=dict)
    minimum: float | None = None
    maximum: float | None = None


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
    """Return the model of `steps`."""
    return dashboard.ThresholdsConfig(
        mode=dashboard.ThresholdsMode.ABSOLUTE,
        steps=[dashboard.Threshold(value=value, color=colour) for value, colour in steps],
    )


def mappings(values: Mapping[int | str, tuple[str, str]]) -> list[ValueMapping]:
    """Return the model of `Look.values`."""
    results = {
        str(value): dashboard.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, (text, colour)) in enumerate(values.items())
    }
    return [dashboard.ValueMap(options=results)] if results else []


def absent(text: str, colour: str) -> ValueMapping:
    """Return the look of a value that is absent: else it has the colour of the lowest, which is often red."""
    return dashboard.SpecialValueMap(
        options=dashboard.DashboardSpecialValueMapOptions(
            match=dashboard.SpecialValueMatch.NULL_AND_NAN,
            result=dashboard.ValueMappingResult(text=text, color=colour, index=100),
        )
    )


def series(queries: Sequence[Query]) -> list[prometheus.Dataquery]:
    """Return queries over the whole time range."""
    return [
        _query(query, number, prometheus.PromQueryFormat.TIME_SERIES, False)
        for number, query in enumerate(queries)
    ]


def moments(
    queries: Sequence[Query], shape: prometheus.PromQueryFormat = prometheus.PromQueryFormat.TIME_SERIES
) -> list[prometheus.Dataquery]:
    """Return queries at the end of the time range."""
    return [_query(query, number, shape, True) for number, query in enumerate(queries)]


def panel(
    kind: str,
    frame: Frame,
    targets: Sequence[prometheus.Dataquery],
    look: Look,
    options: object,
    custom: object | None = None,
    overrides: Sequence[dashboard.DashboardFieldConfigSourceOverrides] = (),
    absences: Sequence[ValueMapping] = (),
) -> dashboard.Panel:
    """Return a panel; its place and its id are given by the board that it stands on."""
    return dashboard.Panel(
        type_val=kind,
        title=frame.title,
        description=frame.description,
        datasource=PROMETHEUS,
        grid_pos=dashboard.GridPos(w=frame.width, h=frame.height),
        targets=list(targets),
        max_data_points=500,
        options=options,
        field_config=dashboard.FieldConfigSource(
            defaults=dashboard.FieldConfig(
                unit=look.unit,
                decimals=look.decimals,
                min_val=look.minimum,
                max_val=look.maximum,
                mappings=[*mappings(look.values), *absences],
                thresholds=thresholds(look.steps),
                color=dashboard.FieldColor(mode=dashboard.FieldColorModeId.THRESHOLDS),
                no_value=frame.nothing,
                custom=custom,
            ),
            overrides=list(overrides),
        ),
    )


def override(
    name: str, properties: Mapping[str, object], by: str = "byName"
) -> dashboard.DashboardFieldConfigSourceOverrides:
    """Return what is different for the series or columns that are shown under `name`."""
    return dashboard.DashboardFieldConfigSourceOverrides(
        matcher=dashboard.MatcherConfig(id_val=by, options=name),
        properties=[
            dashboard.DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()
        ],
    )


def _query(
    query: Query, number: int, shape: prometheus.PromQueryFormat, instant: bool
) -> prometheus.Dataquery:
    return prometheus.Dataquery(
        expr=query.expr,
        ref_id=query.ref or chr(ord("A") + number),
        legend_format=query.legend,
        instant=instant,
        range_val=not instant,
        format_val=shape,
        editor_mode=prometheus.QueryEditorMode.CODE,
        datasource=PROMETHEUS,
    )
