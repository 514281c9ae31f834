"""Panels that are tables: rows of instant queries merged by their labels, and matrices that are heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from grafana_foundation_sdk.models import common, dashboard, prometheus, table

from grafana.generator.queries import Query
from grafana.generator.style import (
    CLEAR,
    PLAIN,
    Frame,
    Look,
    absent,
    mappings,
    moments,
    override,
    panel,
    thresholds,
)
from grafana.generator.vocabulary import known

AS_IT_IS = Look(PLAIN)
ABSENT = "-"
"""What stands in a cell without a value; the panel's own text is for a table without rows."""


LABELS = {label for labels in known().values() for label in labels}


class Cells(Enum):
    """How a column's cells show their colour: not at all, behind the number, or as a bar."""

    PLAIN = "auto"
    COLOURED = "color-background"
    BAR = "gauge"


@dataclass(frozen=True)
class Column:
    """A column: the label `source`, or the values of the query whose `ref` is `source`.

    `link` is a URL that each cell leads to; it may use ``${__data.fields...}``.
    """

    source: str
    title: str
    look: Look = AS_IT_IS
    cells: Cells = Cells.PLAIN
    width: int | None = None
    link: str = ""


def table_panel(
    frame: Frame,
    queries: Sequence[Query],
    columns: Sequence[Column],
    sorted_by: str,
    *,
    largest_first: bool = False,
) -> dashboard.Panel:
    """Return a table with the given columns in order; a query without a column only lends its labels.

    Prometheus answers in no order of its own: a table that is not sorted would shuffle its rows.

    Rows of different queries are one row where they agree in their labels, so no query may have a label that
    is not a column, and the metric's name must be gone from all.

    Raises
    ------
    ValueError
        A query's ref is the name of a label: a column could not tell the one from the other.
    """
    sources = [column.source for column in columns]
    if confused := {query.ref for query in queries} & LABELS:
        raise ValueError(f"{frame.title}: {confused} are labels, and cannot be refs too")
    refs = {query.ref for query in queries}
    fields = {column.source: _field(column.source, refs, len(queries)) for column in columns}
    lenders = [_field(query.ref, refs, len(queries)) for query in queries if query.ref not in sources]
    transformations = [
        dashboard.DataTransformerConfig(id_val="merge", options={}),
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": dict.fromkeys(("Time", *lenders), True),
                "includeByName": {},
                "indexByName": {fields[source]: index for index, source in enumerate(sources)},
                "renameByName": {fields[column.source]: column.title for column in columns},
            },
        ),
    ]
    made = _table(frame, moments(queries, prometheus.PromQueryFormat.TABLE), AS_IT_IS, Cells.PLAIN)
    assert made.field_config is not None and isinstance(made.options, table.Options)
    made.transformations = transformations
    made.field_config.overrides = [_column(column) for column in columns]
    made.options.sort_by = [common.TableSortByFieldState(display_name=sorted_by, desc=largest_first)]
    return made


def matrix_panel(
    frame: Frame, query: Query, rows: str, columns: Sequence[str], look: Look, column_label: str
) -> dashboard.Panel:
    """Return a heat map: a row for each value of the label `rows`, a column for each of `column_label`.

    `columns` gives the order of the columns; those without data are left out. A continuous colour scheme goes
    from `look.minimum` to `look.maximum`; with thresholds in `look`, these colour the cells.
    """
    corner = f"{rows}\\{column_label}"
    made = _table(frame, moments([query], prometheus.PromQueryFormat.TABLE), look, Cells.COLOURED)
    made.transformations = [
        dashboard.DataTransformerConfig(
            id_val="groupingToMatrix",
            options={
                "columnField": column_label,
                "rowField": rows,
                "valueField": "Value",
                "emptyValue": "null",
            },
        ),
        dashboard.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "includeByName": {},
                "indexByName": {name: index for index, name in enumerate((corner, *columns))},
                "renameByName": {corner: rows.capitalize()},
            },
        ),
    ]
    assert made.field_config is not None and made.field_config.defaults is not None
    assert isinstance(made.options, table.Options)
    made.options.sort_by = [common.TableSortByFieldState(display_name=rows.capitalize(), desc=False)]
    if look.minimum is not None:
        made.field_config.defaults.color = dashboard.FieldColor(
            mode=dashboard.FieldColorModeId.CONTINUOUS_BLUES
        )
    made.field_config.overrides = [
        override("/.*/", {"noValue": ABSENT, "mappings": [absent(ABSENT, CLEAR)]}, by="byRegexp"),
        override(rows.capitalize(), {"custom.cellOptions": {"type": Cells.PLAIN.value}, "unit": PLAIN}),
    ]
    return made


def _table(
    frame: Frame, targets: Sequence[prometheus.Dataquery], look: Look, cells: Cells
) -> dashboard.Panel:
    options = table.Options(frame_index=0, show_header=True, cell_height=common.TableCellHeight.SM)
    options.footer = None  # newer releases keep a column's footer with the column
    custom = table.FieldConfig(align=common.FieldTextAlignment.AUTO, inspect=False)
    if cells is Cells.COLOURED:
        custom.cell_options = common.TableColoredBackgroundCellOptions(
            mode=common.TableCellBackgroundDisplayMode.BASIC
        )
    else:
        custom.cell_options = common.TableAutoCellOptions()
    return panel("table", frame, targets, look, options, custom)


def _field(source: str, refs: set[str], queries: int) -> str:
    # Prometheus' data source names the values by their query only where there are several.
    if source not in refs:
        return source
    return f"Value #{source}" if queries > 1 else "Value"


def _column(column: Column) -> dashboard.DashboardFieldConfigSourceOverrides:
    properties: dict[str, object] = {
        "unit": column.look.unit,
        "mappings": [*mappings(column.look.values), absent(ABSENT, CLEAR)],
        "noValue": ABSENT,
    }
    if column.look.decimals is not None:
        properties["decimals"] = column.look.decimals
    if column.look.minimum is not None:
        properties["min"] = column.look.minimum
    if column.look.maximum is not None:
        properties["max"] = column.look.maximum
    if column.cells is not Cells.PLAIN:
        properties["thresholds"] = thresholds(column.look.steps)
        cell: dict[str, object] = {"type": column.cells.value, "mode": "basic"}
        properties["custom.cellOptions"] = cell
    if column.width is not None:
        properties["custom.width"] = column.width
    if column.link:
        properties["links"] = [{"title": f"Show this {column.title.lower()}", "url": column.link}]
    return override(column.title, properties)
