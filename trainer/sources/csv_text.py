"""CSV of the usual kinds: with or without a header, with comma, semicolon or tab, damaged or whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from trainer.sources.columns import UnreadableError, columns_by_name, columns_by_order, first_line

DELIMITERS = ",;\t"
BLOCK_BYTES = 4 << 20

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NUMBER_OR_SPACE = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OFFSET = re.compile(r"(Z|[+-]\d{2}(:?\d{2})?)$")


@dataclass(frozen=True)
class CsvTable:
    """What a CSV file holds.

    `columns` are by field of a candle: numbers or null, the time also timestamps or text. `cut` is whether
    the last line ends early. `bad_lines` is how many other lines were passed over because they have too few
    or too many fields, and `first_bad` the number of the first of them, from 1 (0 = none).
    """

    columns: dict[str, pa.ChunkedArray]
    cut: bool
    bad_lines: int
    first_bad: int


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    skip_rows: int
    count: int
    types: dict[str, pa.DataType]
    fields: dict[str, str]


def read_csv(content: bytes) -> CsvTable:
    """Read the text of a CSV file.

    Parameters
    ----------
    content : bytes
        UTF-8, with or without a byte order mark.

    Raises
    ------
    UnreadableError
        It is no table of candles.
    """
    if not content.isascii():
        # A damaged byte must cost its own field or line only, and not the file.
        content = content.decode("utf-8", errors="replace").encode()
    content = _without_stray_quotes(content)
    layout = _layout(content)
    bad: list[csv.InvalidRow] = []
    try:
        table = _parsed(content, layout, layout.types, bad)
    except pa.ArrowInvalid:
        # Some field is not what its column's first row promised: keep the text, and take as numbers what is
        # one.
        bad.clear()
        try:
            table = _parsed(content, layout, dict.fromkeys(layout.types, pa.string()), bad)
        except pa.ArrowInvalid as error:
            raise UnreadableError(f"it is no table of text: {first_line(error)}") from error
        table = _numbers_only(table, layout.types)
    if not table.num_rows and bad:
        raise UnreadableError(f"its rows have {bad[0].actual_columns} fields, its header {layout.count}")
    last = content.rstrip(b"\r\n").rpartition(b"\n")[2].decode("utf-8", errors="replace").rstrip("\r")
    cut = bool(bad) and bad[-1].text == last and bad[-1].actual_columns < layout.count
    others = bad[:-1] if cut else bad
    columns = {field: table.column(name) for field, name in layout.fields.items()}
    return CsvTable(columns, cut, len(others), others[0].number if others else 0)


def _without_stray_quotes(content: bytes) -> bytes:
    if b'"' not in content or b"\n" not in content:
        return content
    # A quote that is never closed would take all that follows for one field. Its line is made one that is
    # counted as bad.
    return b"\n".join(b"?" if line.count(b'"') % 2 else line for line in content.split(b"\n"))


def _layout(content: bytes) -> _Layout:
    lines = content[:65_536].decode("utf-8-sig", errors="replace").splitlines()
    filled = [place for place, line in enumerate(lines) if line.strip()]
    if not filled:
        raise UnreadableError("it is empty", "empty_file")
    head = lines[filled[0]]
    delimiter = max(DELIMITERS, key=head.count)
    first = _split(head, delimiter)
    if len(first) < 2:
        raise UnreadableError(f"it is no table: its first line is {head[:60]!r}")
    if all(_NUMBER.fullmatch(field) for field in first[1:6] if field):
        places = columns_by_order(len(first))
        sample, skip_rows = first, 0
    else:
        places = columns_by_name(first)
        if len(filled) == 1:
            raise UnreadableError("it has a header and no rows", "empty_file")
        sample, skip_rows = _split(lines[filled[1]], delimiter), filled[0] + 1
    fields = {field: str(place) for field, place in places.items()}
    types = dict.fromkeys(fields.values(), pa.float64())
    time_place = places["open_time"]
    types[fields["open_time"]] = _time_type(sample[time_place] if time_place < len(sample) else "")
    return _Layout(delimiter, skip_rows, len(first), types, fields)


def _split(line: str, delimiter: str) -> list[str]:
    return [field.strip().strip('"') for field in line.split(delimiter)]


def _time_type(value: str) -> pa.DataType:
    if value.isdigit():
        return pa.int64()
    if _NUMBER.fullmatch(value):
        return pa.float64()
    if _DATE.match(value):
        return pa.timestamp("ns", "UTC" if _OFFSET.search(value[10:]) else None)
    return pa.string()


def _parsed(
    content: bytes, layout: _Layout, types: dict[str, pa.DataType], bad: list[csv.InvalidRow]
) -> pa.Table:
    def pass_over(row: csv.InvalidRow) -> str:
        bad.append(row)
        return "skip"

    return csv.read_csv(
        pa.BufferReader(content),
        read_options=csv.ReadOptions(
            # One thread: each trainer has a core, and only so are the numbers of bad lines known.
            use_threads=False,
            column_names=[str(place) for place in range(layout.count)],
            skip_rows=layout.skip_rows,
            block_size=BLOCK_BYTES,
        ),
        parse_options=csv.ParseOptions(delimiter=layout.delimiter, invalid_row_handler=pass_over),
        convert_options=csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )


def _numbers_only(table: pa.Table, types: dict[str, pa.DataType]) -> pa.Table:
    columns: dict[str, pa.ChunkedArray] = {}
    for name, kind in types.items():
        text = table.column(name)
        if kind == pa.float64():
            is_number = pc.match_substring_regex(text, _NUMBER_OR_SPACE)
            text = pc.cast(pc.if_else(is_number, pc.utf8_trim_whitespace(text), None), pa.float64())
        columns[name] = text
    return pa.table(columns)
