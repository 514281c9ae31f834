"""Panels that are tables: rows of instant queries merged by their labels, and matrices that are heat maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from grafana_foundation_sdk.builders import common, dashboard, table
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import (
    FieldTextAlignment,
    TableAutoCellOptions,
    TableCellBackgroundDisplayMode,
    TableCellHeight,
    TableColoredBackgroundCellOptions,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.table import Options

from grafana.generator.colours import CLEAR
from grafana.generator.queries import Query
from grafana.generator.style import (
    MAX_POINTS,
    NEUTRAL,
    PLAIN,
    Frame,
    Look,
    absent,
    mappings,
    moments,
    properties,
    styled,
    thresholds,
)
from grafana.generator.vocabulary import known

AS_IT_IS = Look(PLAIN)
ABSENT = "-"
"""What stands in a cell without a value; the panel's own text is for a table without rows."""

NARROWEST = 60
"""Pixels that a column takes at least; Grafana's own 150 puts the red cells off the screen."""
WIDE_SCREEN, GRID = 1550, 24
"""Pixels for the columns of the widest panel on a screen of 1600, and the parts of a board's width."""
TEXTS = "string"
NAMES = 96
"""Pixels that a symbol takes."""
PADDING, LETTER = 20, 7.5
"""Pixels of a column's head besides its letters, the sign of its order included, and of a letter."""


LABELS = {label for labels in known().values() for label in labels}


class Cells(Enum):
    """How a column's cells show their colour: not at all, behind the number, or as a bar."""

    PLAIN = "auto"
    COLOURED = "color-background"
    BAR = "gauge"


@dataclass(frozen=True)
class Column:
    """A column: the label `source`, or the values of the query whose `ref` is `source`.

    `width` is how many pixels its values take; its title has room in any case. `link` is a URL that each
    cell leads to; it may use ``${__data.fields...}``. `absent` is what stands in a cell without a value, with
    the colour behind it.
    """

    source: str
    title: str
    look: Look = AS_IT_IS
    cells: Cells = Cells.PLAIN
    width: int = NARROWEST
    link: str = ""
    absent: tuple[str, str] = (ABSENT, CLEAR)

    @property
    def least(self) -> int:
        """How many pixels wide it is at least."""
        return max(NARROWEST, self.width, math.ceil(PADDING + LETTER * len(self.title)))


class Table(table.Panel):
    """A table without a footer: newer releases of Grafana keep a column's footer with the column."""

    def build(self) -> models.Panel:
        """Return the model."""
        made = super().build()
        assert isinstance(made.options, Options)
        made.options.footer = None
        return made


def table_panel(
    frame: Frame,
    queries: Sequence[Query],
    columns: Sequence[Column],
    sorted_by: str | Sequence[str],
    *,
    largest_first: bool = False,
) -> table.Panel:
    """Return a table with the given columns in order; a query without a column only lends its labels.

    Prometheus answers in no order of its own: a table that is not sorted would shuffle its rows. Of several
    columns to sort by, the first decides.

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
    panel = _table(frame, AS_IT_IS, Cells.PLAIN, sorted_by, largest_first=largest_first)
    panel.with_transformation(_step("merge"))
    panel.with_transformation(
        _step(
            "organize",
            excludeByName=dict.fromkeys(("Time", *lenders), True),
            includeByName={},
            indexByName={fields[source]: index for index, source in enumerate(sources)},
            renameByName={fields[column.source]: column.title for column in columns},
        )
    )
    widths = _widths(columns, frame.width)
    for column in columns:
        labelled = column.source not in refs
        panel.override_by_name(column.title, properties(_column(column, labelled) | widths[column.source]))
    return moments(panel, queries, PromQueryFormat.TABLE)


def matrix_panel(
    frame: Frame, query: Query, rows: str, columns: Sequence[str], look: Look, column_label: str
) -> table.Panel:
    """Return a heat map: a row for each value of the label `rows`, a column for each of `column_label`.

    `columns` gives the order of the columns; those without data are left out. A continuous colour scheme goes
    from `look.minimum` to `look.maximum`; with thresholds in `look`, these colour the cells.
    """
    corner, title = f"{rows}\\{column_label}", rows.capitalize()
    panel = _table(frame, look, Cells.COLOURED, title)
    panel.with_transformation(
        _step(
            "groupingToMatrix",
            columnField=column_label,
            rowField=rows,
            valueField="Value",
            emptyValue="null",
        )
    )
    panel.with_transformation(
        _step(
            "organize",
            excludeByName={},
            includeByName={},
            indexByName={name: index for index, name in enumerate((corner, *columns))},
            renameByName={corner: title},
        )
    )
    if look.minimum is not None:
        panel.color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.CONTINUOUS_BLUES))
    panel.override_by_regexp("/.*/", properties({"noValue": ABSENT, "mappings": [absent(ABSENT, CLEAR)]}))
    panel.override_by_name(
        title,
        properties({"custom.cellOptions": {"type": Cells.PLAIN.value}, "unit": PLAIN, "custom.width": NAMES}),
    )
    return moments(panel, [query], PromQueryFormat.TABLE)


def _table(
    frame: Frame, look: Look, cells: Cells, sorted_by: str | Sequence[str], *, largest_first: bool = False
) -> table.Panel:
    coloured = TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
    order = [sorted_by] if isinstance(sorted_by, str) else sorted_by
    panel = (
        Table()
        .frame_index(0)
        .show_header(True)
        .cell_height(TableCellHeight.SM)
        .sort_by([common.TableSortByFieldState().display_name(name).desc(largest_first) for name in order])
        .min_width(NARROWEST)
        .align(FieldTextAlignment.AUTO)
        .inspect(False)
        .cell_options(coloured if cells is Cells.COLOURED else TableAutoCellOptions())
        .max_data_points(MAX_POINTS)
    )
    return styled(panel, frame, look)


def _step(name: str, **options: object) -> models.DataTransformerConfig:
    return models.DataTransformerConfig(id_val=name, options=options)


def _field(source: str, refs: set[str], queries: int) -> str:
    # Prometheus' data source names the values by their query only where there are several.
    if source not in refs:
        return source
    return f"Value #{source}" if queries > 1 else "Value"


def _widths(columns: Sequence[Column], width: int) -> dict[str, dict[str, object]]:
    """Return how wide each column is, by its source.

    Grafana gives each column its share, or its least width where that is more: so few wide ones push the
    last ones off the screen. Where that would happen, all have their least width but the widest, which has
    the rest.
    """
    share = width * WIDE_SCREEN / GRID / len(columns)
    fit = sum(max(column.least, share) for column in columns) <= width * WIDE_SCREEN / GRID
    widest = max(columns, key=lambda column: column.least)
    return {
        column.source: {"custom.minWidth": column.least}
        if fit or column is widest
        else {"custom.width": column.least}
        for column in columns
    }


def _column(column: Column, labelled: bool) -> dict[str, object]:
    different: dict[str, object] = {
        # What is empty would be written as the number 0.
        "unit": TEXTS if labelled else column.look.unit,
        "mappings": [*mappings(column.look.values), absent(*column.absent)],
        "noValue": column.absent[0],
    }
    if column.look.decimals is not None:
        different["decimals"] = column.look.decimals
    if column.look.minimum is not None:
        different["min"] = column.look.minimum
    if column.look.maximum is not None:
        different["max"] = column.look.maximum
    if column.cells is not Cells.PLAIN:
        loud = column.cells is Cells.COLOURED and column.look.steps == NEUTRAL
        different["thresholds"] = thresholds(((None, CLEAR),) if loud else column.look.steps).build()
        different["custom.cellOptions"] = {"type": column.cells.value, "mode": "basic"}
    if column.link:
        different["links"] = [{"title": f"Show this {column.title.lower()}", "url": column.link}]
    return different
