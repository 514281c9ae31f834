"""CSV of the usual kinds: with or without a header, with comma, semicolon or tab, damaged or whole.

It is read in blocks of whole lines, of which only the columns that are wanted are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from trainer.sources.csv_layout import CsvLayout, csv_layout
from trainer.sources.probe import Asked, UnreadableError
from trainer.sources.rows import assert_rows
from trainer.sources.unpacked import DAMAGED, Content, reason

BLOCK_BYTES = 4 << 20
"""Longer than any line may be."""

MANY_BAD = 1_000_000
"""So many bad lines and nine times as many as good ones are no damage to a table of candles."""

_NUMBER_OR_SPACE = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


@dataclass(frozen=True)
class CsvTable:
    """What a CSV file holds.

    `columns` are by field of a candle: numbers or null, the time also timestamps or text. `cut` is whether
    the last line ends early. `bad_lines` is how many other lines were passed over because they have too few
    or too many fields, and `first_bad` the number of the first of them, from 1 (0 = none). `notes` are
    sentences on how its columns were read.
    """

    columns: dict[str, pa.ChunkedArray]
    cut: bool
    bad_lines: int
    first_bad: int
    notes: tuple[str, ...] = ()


@dataclass
class _BadLines:
    """Lines with too few or too many fields: their count, where the first is, and what the last one is.

    `lines_before` are those of the blocks before the one that is read, without blank ones.
    """

    count: int = 0
    first: int = 0
    first_fields: int = 0
    last_text: str | None = None
    last_fields: int = 0
    lines_before: int = 0

    def pass_over(self, row: csv.InvalidRow) -> str:
        self.count += 1
        if self.count == 1:
            self.first, self.first_fields = self.lines_before + (row.number or 0), row.actual_columns
        self.last_text, self.last_fields = row.text, row.actual_columns
        return "skip"


def read_csv(content: Content, asked: Asked) -> CsvTable:
    """Read the text of a CSV file.

    Parameters
    ----------
    content : Content
        UTF-8, with or without a byte order mark.
    asked : Asked
        The symbol, and the user's word on the columns.

    Raises
    ------
    UnreadableError
        It is no table of candles.
    """
    layout = csv_layout(content, asked)
    try:
        try:
            table, bad, cut = _table(content, layout, as_text=False)
        except pa.ArrowInvalid:
            # Some field is not what its column's first row promised: keep the text, and take as numbers what
            # is one.
            table, bad, cut = _table(content, layout, as_text=True)
    except (pa.ArrowInvalid, *DAMAGED) as error:
        raise UnreadableError(f"it is no table of text: {reason(error)}") from error
    if not table.num_rows and bad.count:
        commas = "; its numbers may have decimal commas" if bad.first_fields > layout.count + 3 else ""
        raise UnreadableError(f"its rows have {bad.first_fields} fields, its header {layout.count}{commas}")
    columns = {name: table.column(place) for name, place in layout.fields.items()}
    others = bad.count - cut
    return CsvTable(columns, cut, others, bad.first if others else 0, layout.notes)


def _table(content: Content, layout: CsvLayout, as_text: bool) -> tuple[pa.Table, _BadLines, bool]:
    types = dict.fromkeys(layout.types, pa.string()) if as_text else layout.types
    parts: list[pa.Table] = []
    rows, bad, cut = 0, _BadLines(), False
    for place, block in enumerate(_blocks(content)):
        bad_before = bad.count
        part = _parsed(block, layout, types, bad, 0 if place else layout.skip_rows)
        parts.append(_numbers_only(part, layout.types, layout.decimal) if as_text else part)
        rows += part.num_rows
        bad.lines_before = layout.skip_rows + rows + bad.count
        assert_rows(rows, content.packed)
        if bad.count > max(MANY_BAD, 9 * rows):
            raise UnreadableError(
                f"{bad.count:,} of its first {bad.count + rows:,} lines have more or fewer than "
                f"{layout.count} fields"
            )
        if block.lstrip(b"\r\n"):
            last = block.rstrip(b"\r\n").rpartition(b"\n")[2] if bad.count > bad_before else b""
            text = last.decode("utf-8", errors="replace").rstrip("\r")
            cut = bad.count > bad_before and bad.last_text == text and bad.last_fields < layout.count
    if not parts:
        raise UnreadableError("it is empty", "empty_file")
    return pa.concat_tables(parts), bad, cut


def _blocks(content: Content) -> Iterator[bytes]:
    """Yield the text in blocks of whole lines, each clean."""
    rest, by_newline = b"", False
    with closing(content.open()) as stream:
        while piece := stream.read(BLOCK_BYTES):
            rest += piece
            by_newline = by_newline or b"\n" in piece
            end = rest.rfind(b"\n") + 1
            # A carriage return at the very end may be half of an end of line.
            end = end or rest.rfind(b"\r", 0, len(rest) - 1) + 1
            if end:
                yield _clean(rest[:end], by_newline)
                rest = rest[end:]
            elif len(rest) > BLOCK_BYTES:
                raise UnreadableError(
                    f"it is no table of text: a line is longer than {BLOCK_BYTES >> 20} MiB"
                )
    if rest:
        yield _clean(rest, by_newline)


def _clean(block: bytes, by_newline: bool) -> bytes:
    if not block.isascii():
        # A damaged byte must cost its own field or line only, and not the file.
        block = block.decode("utf-8", errors="replace").encode()
    if b'"' not in block or not by_newline:
        return block
    # A quote that is never closed would take all that follows for one field. Its line is made one that is
    # counted as bad.
    return b"\n".join(b"?" if line.count(b'"') % 2 else line for line in block.split(b"\n"))


def _parsed(
    block: bytes, layout: CsvLayout, types: dict[str, pa.DataType], bad: _BadLines, skip_rows: int
) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(block),
        read_options=csv.ReadOptions(
            # One thread: each trainer has a core, and only so are the numbers of bad lines known.
            use_threads=False,
            column_names=[str(place) for place in range(layout.count)],
            skip_rows=skip_rows,
            block_size=len(block) + 1,
        ),
        parse_options=csv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=bad.pass_over),
        convert_options=csv.ConvertOptions(
            column_types=types, include_columns=list(types), decimal_point=layout.decimal
        ),
    )


def _numbers_only(table: pa.Table, types: dict[str, pa.DataType], decimal: str) -> pa.Table:
    columns: dict[str, pa.ChunkedArray] = {}
    for name, kind in types.items():
        text = table.column(name)
        if kind == pa.float64():
            if decimal == ",":
                text = pc.replace_substring(text, ",", ".")
            is_number = pc.match_substring_regex(text, _NUMBER_OR_SPACE)
            text = pc.cast(pc.if_else(is_number, pc.utf8_trim_whitespace(text), None), pa.float64())
        columns[name] = text
    return pa.table(columns)
