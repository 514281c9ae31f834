"""The layout of a CSV file: what separates its fields, whether they have names, and which column is which."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from trainer.sources.columns import chosen_columns
from trainer.sources.layouts import CLOCK
from trainer.sources.probe import Asked, Probe, UnreadableError
from trainer.sources.unpacked import Content

DELIMITERS = ",;\t"
HEAD_BYTES = 65_536
PROBE_BYTES, PROBE_LINES = 32_768, 100
"""How much is looked at of the beginning, the middle and the end."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OFFSET = re.compile(r"(Z|[+-]\d{2}(:?\d{2})?)$")


@dataclass(frozen=True)
class CsvLayout:
    """How a CSV file is to be read.

    `count` fields a line are separated by `delimiter`, after `skip_rows` lines. `fields` are the columns by
    field of a candle, named by their place, and `types` what each of them holds, by these names. `notes` are
    sentences on how the columns were told.
    """

    delimiter: str
    skip_rows: int
    count: int
    types: dict[str, pa.DataType]
    fields: dict[str, str]
    decimal: str
    notes: tuple[str, ...]


def csv_layout(content: Content, asked: Asked) -> CsvLayout:
    """Tell the layout of a text by its first lines, and by some of its middle and its end.

    Raises
    ------
    UnreadableError
        It is no table of candles.
    """
    lines = _lines(content.part(0, HEAD_BYTES).decode("utf-8-sig", errors="replace"))
    filled = [place for place, line in enumerate(lines) if line.strip()]
    if not filled:
        raise UnreadableError("it is empty", "empty_file")
    while len(filled) > 1 and _is_preamble(lines[filled[0]]):
        filled.pop(0)
    head = lines[filled[0]]
    delimiter = _delimiter(head)
    first = _split(head, delimiter)
    if len(first) < 2:
        raise UnreadableError("it is no table: its first line has no comma, semicolon or tab")
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
    return CsvLayout(delimiter, skip_rows, len(first), types, fields, decimal, choice.notes)


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


def _further(content: Content) -> list[str]:
    found: list[str] = []
    for start in (content.size // 2, content.size - PROBE_BYTES):
        if start > PROBE_BYTES:
            part = content.part(start, PROBE_BYTES).decode("utf-8", errors="replace")
            found += _lines(part)[1:-1][-PROBE_LINES:]
    return found


def _lines(text: str) -> list[str]:
    return ["?" if line.count('"') % 2 else line for line in text.splitlines()]


def _decimal(rows: Sequence[Sequence[str]], asked: Asked) -> str:
    if asked.mapping.decimal is not None:
        return asked.mapping.decimal
    # Hardly a field has a comma; to match all tens of thousands of them takes a fiftieth of a survey.
    with_comma = (field for row in rows for field in row if "," in field)
    fields = [field for field in with_comma if re.fullmatch(r"[+-]?\d+,\d+", field)]
    if not fields:
        return "."
    if all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", field) for field in fields):
        raise asked.unsettled(f"whether {fields[0]} has a decimal comma cannot be told", "decimal")
    return ","


def _split(line: str, delimiter: str) -> list[str]:
    # A reader for each line, of hundreds a file, takes four times as long.
    quoted = '"' in line or not line
    fields = next(csv.reader([line], delimiter=delimiter), []) if quoted else line.split(delimiter)
    return [field.strip() for field in fields]


def _time_type(value: str) -> pa.DataType:
    if value.isdigit():
        # Eight digits are a date without signs between its parts.
        return pa.string() if len(value) == 8 else pa.int64()
    if _NUMBER.fullmatch(value):
        return pa.float64()
    if _DATE.match(value):
        return pa.timestamp("ns", "UTC" if _OFFSET.search(value[10:]) else None)
    return pa.string()
