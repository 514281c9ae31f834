"""A table on the screen that keeps its place while what it shows changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable


@dataclass(frozen=True)
class Row:
    """A row with the key that it is known by over changes, and its texts."""

    key: str
    cells: tuple[Text, ...]


class LiveTable(DataTable[Text]):
    """A table whose content is set as a whole; only what differs is drawn anew."""

    def show(self, head: Sequence[tuple[str, str]], rows: Sequence[Row]) -> None:
        """Show this.

        Parameters
        ----------
        head : sequence of (str, str)
            Key and title of each column.
        rows : sequence of Row
            The rows; their keys differ.
        """
        texts = [(Text(title), *(row.cells[place] for row in rows)) for place, (_, title) in enumerate(head)]
        widths = [max(text.cell_len for text in column) for column in texts]
        columns = [key.value for key in self.columns], [one.width for one in self.columns.values()]
        same_rows = [key.value for key in self.rows] == [row.key for row in rows]
        if columns[0] != [key for key, _ in head] or not same_rows or _wider(widths, columns[1]):
            self._rebuild(head, rows, widths)
            return
        for row in rows:
            for (column, _), cell in zip(head, row.cells, strict=True):
                if self.get_cell(row.key, column) != cell:
                    self.update_cell(row.key, column, cell)

    def place(self) -> tuple[str, str] | None:
        """Return the keys of row and column that the cursor is at; None in an empty table."""
        if not self.is_valid_coordinate(self.cursor_coordinate):
            return None
        row, column = self.coordinate_to_cell_key(self.cursor_coordinate)
        return str(row.value), str(column.value)

    def _rebuild(self, head: Sequence[tuple[str, str]], rows: Sequence[Row], widths: Sequence[int]) -> None:
        before, top = self.place(), self.scroll_offset
        self.clear(columns=True)
        for (key, title), width in zip(head, widths, strict=True):
            self.add_column(Text(title), key=key, width=width)
        for row in rows:
            self.add_row(*row.cells, key=row.key)
        row_keys, column_keys = [row.key for row in rows], [key for key, _ in head]
        if before is not None and before[0] in row_keys and before[1] in column_keys:
            place = Coordinate(row_keys.index(before[0]), column_keys.index(before[1]))
            self.move_cursor(row=place.row, column=place.column, scroll=False)
            self.scroll_to(top.x, top.y, animate=False)


def _wider(needed: Sequence[int], given: Sequence[int]) -> bool:
    return any(one > other for one, other in zip(needed, given, strict=True))
