"""CSV of the usual kinds: with or without a header, with comma, semicolon or tab, damaged or whole."""

from __future__ import annotations

import csv as text_csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from trainer.sources.columns import chosen_columns, first_line
from trainer.sources.layouts import CLOCK
from trainer.sources.probe import Asked, Probe, UnreadableError

DELIMITERS = ",;\t"
BLOCK_BYTES = 4 << 20
PROBE_BYTES, PROBE_LINES = 32_768, 100
"""How much is looked at of the beginning, the middle and the end."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_NUMBER_OR_SPACE = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OFFSET = re.compile(r"(Z|[+-]\d{2}(:?\d{2})?)$")


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


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    skip_rows: int
    count: int
    types: dict[str, pa.DataType]
    fields: dict[str, str]
    decimal: str
    notes: tuple[str, ...]


def read_csv(content: bytes, asked: Asked) -> CsvTable:
    """Read the text of a CSV file.

    Parameters
    ----------
    content : bytes
        UTF-8, with or without a byte order mark.
    asked : Asked
        The symbol, and the user's word on the columns.

    Raises
    ------
    UnreadableError
        It is no table of candles.
    """
    if not content.isascii():
        # A damaged byte must cost its own field or line only, and not the file.
        content = content.decode("utf-8", errors="replace").encode()
    content = _without_stray_quotes(content)
    layout = _layout(content, asked)
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
        table = _numbers_only(table, layout.types, layout.decimal)
    if not table.num_rows and bad:
        actual = bad[0].actual_columns
        commas = "; its numbers may have decimal commas" if actual > layout.count + 3 else ""
        raise UnreadableError(f"its rows have {actual} fields, its header {layout.count}{commas}")
    last = content.rstrip(b"\r\n").rpartition(b"\n")[2].decode("utf-8", errors="replace").rstrip("\r")
    cut = bool(bad) and bad[-1].text == last and bad[-1].actual_columns < layout.count
    others = bad[:-1] if cut else bad
    columns = {field: table.column(name) for field, name in layout.fields.items()}
    return CsvTable(columns, cut, len(others), others[0].number if others else 0, layout.notes)


def _without_stray_quotes(content: bytes) -> bytes:
    if b'"' not in content or b"\n" not in content:
        return content
    # A quote that is never closed would take all that follows for one field. Its line is made one that is
    # counted as bad.
    return b"\n".join(b"?" if line.count(b'"') % 2 else line for line in content.split(b"\n"))


def _layout(content: bytes, asked: Asked) -> _Layout:
    lines = content[:65_536].decode("utf-8-sig", errors="replace").splitlines()
    filled = [place for place, line in enumerate(lines) if line.strip()]
    if not filled:
        raise UnreadableError("it is empty", "empty_file")
    while len(filled) > 1 and _is_preamble(lines[filled[0]]):
        filled.pop(0)
    head = lines[filled[0]]
    delimiter = _delimiter(head)
    first = _split(head, delimiter)
    if len(first) < 2:
        raise UnreadableError(f"it is no table: its first line is {head[:60]!r}")
    nameless = _is_row(first, delimiter)
    if not nameless and len(filled) == 1:
        raise UnreadableError("it has a header and no rows", "empty_file")
    skip_rows = filled[0] + (not nameless)
    rows = [_split(lines[place], delimiter) for place in filled[not nameless :][:PROBE_LINES]]
    rows += [_split(line, delimiter) for line in _further(content)]
    sample = rows[0]
    decimal = _decimal(rows, asked)
    choice = chosen_columns(None if nameless else first, Probe.of_rows(rows, len(first), decimal), asked)
    fields = {field: str(place) for field, place in choice.columns.items()}
    types = dict.fromkeys(fields.values(), pa.float64())
    time_place = choice.fields["open_time"]
    as_text = "clock" in fields or asked.mapping.format is not None or asked.mapping.zone is not None
    types[fields["open_time"]] = (
        pa.string() if as_text else _time_type(sample[time_place] if time_place < len(sample) else "")
    )
    types |= {fields[name]: pa.string() for name in ("clock", "symbol") if name in fields}
    return _Layout(delimiter, skip_rows, len(first), types, fields, decimal, choice.notes)


def _is_preamble(line: str) -> bool:
    # CryptoDataDownload puts its address above the names, and spreadsheets say what separates fields.
    return "://" in line or line.lower().startswith("sep=")


def _delimiter(head: str) -> str:
    # Six fields need five; a comma may stand in each of the numbers too.
    return next((one for one in "\t;" if head.count(one) >= 5), max(DELIMITERS, key=head.count))


def _is_row(first: Sequence[str], delimiter: str) -> bool:
    number = _NUMBER if delimiter == "," else _COMMA_NUMBER
    numbers = first[2:6] if len(first) > 1 and CLOCK.fullmatch(first[1]) else first[1:6]
    return all(number.fullmatch(field) for field in numbers if field)


def _further(content: bytes) -> list[str]:
    found: list[str] = []
    for start in (len(content) // 2, len(content) - PROBE_BYTES):
        if start > PROBE_BYTES:
            part = content[start : start + PROBE_BYTES].decode("utf-8", errors="replace")
            found += part.splitlines()[1:-1][-PROBE_LINES:]
    return found


def _decimal(rows: Sequence[Sequence[str]], asked: Asked) -> str:
    if asked.mapping.decimal is not None:
        return asked.mapping.decimal
    fields = [field for row in rows for field in row if re.fullmatch(r"[+-]?\d+,\d+", field)]
    if not fields:
        return "."
    if all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", field) for field in fields):
        raise asked.unsettled(f"whether {fields[0]} has a decimal comma cannot be told", "decimal")
    return ","


def _split(line: str, delimiter: str) -> list[str]:
    return [field.strip() for field in next(text_csv.reader([line], delimiter=delimiter), [])]


def _time_type(value: str) -> pa.DataType:
    if value.isdigit():
        # Eight digits are a date without signs between its parts.
        return pa.string() if len(value) == 8 else pa.int64()
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
