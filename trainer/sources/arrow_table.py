"""Parquet, Arrow and Feather: the columns that hold a candle, read one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from trainer.sources.columns import chosen_columns
from trainer.sources.layouts import Choice
from trainer.sources.memory_bound import memory_bound
from trainer.sources.probe import Asked, Probe, UnreadableError
from trainer.sources.rows import assert_rows, most_rows
from trainer.sources.unpacked import DAMAGED, HELD_BYTES, Content, reason

PARQUET_MAGIC = b"PAR1"
FILE_MAGIC, STREAM_MAGIC, FEATHER_MAGIC = b"ARROW1", b"\xff\xff\xff\xff", b"FEA1"
MAGICS = (PARQUET_MAGIC, FILE_MAGIC, STREAM_MAGIC, FEATHER_MAGIC)

SYNTHETIC_KEY = b"nighttrain.synthetic"
"""Key in the metadata of a Parquet or Arrow file; ``true`` says that its candles were simulated."""

MOST_COLUMNS = 200
ROW_BYTES = 128
"""What a row of the columns that are read takes at most, times as text among them."""


@dataclass(frozen=True)
class ArrowTable:
    """The columns by field of a candle, whether they are simulated, and how they were told."""

    columns: dict[str, pa.ChunkedArray]
    synthetic: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Opened:
    schema: pa.Schema
    column: Callable[[int], pa.ChunkedArray]


class _Held:
    """Columns that were read to be looked at, as far as there is room for them until they are wanted."""

    def __init__(self, opened: _Opened) -> None:
        self._opened = opened
        self._columns: dict[int, pa.ChunkedArray] = {}
        self._room = HELD_BYTES

    def read(self, place: int) -> pa.ChunkedArray:
        column = self._opened.column(place)
        if column.nbytes <= self._room:
            self._columns[place] = column
            self._room -= column.nbytes
        return column

    def column(self, place: int) -> pa.ChunkedArray:
        found = self._columns.get(place)
        return self._opened.column(place) if found is None else found


def read_arrow(content: Content, asked: Asked) -> ArrowTable:
    """Read a Parquet, Arrow or Feather file.

    Parameters
    ----------
    content : Content
        Begins with one of `MAGICS`.
    asked : Asked
        The symbol, and the user's word on the columns.

    Raises
    ------
    UnreadableError
        It is damaged, asks for more memory than a file of its size may, or is no table of candles.
    """
    magic = next(one for one in MAGICS if content.part(0, 6).startswith(one))
    kind = "Parquet" if magic == PARQUET_MAGIC else "Arrow"
    try:
        with closing(content.open()) as stream, memory_bound(ROW_BYTES * most_rows(content.packed)):
            source = pa.PythonFile(stream, "r") if content.held is None else pa.BufferReader(content.held)
            opened = _OPENERS[magic](source, content.packed)
            return _chosen(opened, asked)
    except (pa.ArrowException, *DAMAGED) as error:
        if isinstance(error, MemoryError):
            raise
        problem = f"it is no whole {kind} file, so it was probably cut: {reason(error)}"
        raise UnreadableError(problem, "cut_file") from error


def _chosen(opened: _Opened, asked: Asked) -> ArrowTable:
    schema = opened.schema
    if len(schema) > MOST_COLUMNS:
        raise UnreadableError(f"it has {len(schema):,} columns; candles have a dozen")
    # One at a time: beyond `HELD_BYTES` only a few rows are kept of what is read, until it is known which
    # columns are wanted.
    held = _Held(opened)
    probe = Probe.of_columns(held.read(place) for place in range(len(schema)))
    choice: Choice = chosen_columns(schema.names, probe, asked)
    columns = {field: held.column(place) for field, place in choice.columns.items()}
    for column in columns.values():
        # Text that is no UTF-8 would be found by whoever turns it into numbers.
        column.validate(full=True)
    synthetic = (schema.metadata or {}).get(SYNTHETIC_KEY) == b"true"
    return ArrowTable(columns, synthetic, choice.notes)


def _parquet(source: pa.NativeFile, packed: int) -> _Opened:
    file = pq.ParquetFile(source)
    assert_rows(file.metadata.num_rows, packed)
    schema = file.schema_arrow
    first_leaf = [0]
    for field in schema:
        first_leaf.append(first_leaf[-1] + _leaves(field.type))

    def column(place: int) -> pa.ChunkedArray:
        # By number, for a name may stand twice.
        leaves = list(range(first_leaf[place], first_leaf[place + 1]))
        return file.reader.read_all(column_indices=leaves, use_threads=False).column(0)

    return _Opened(schema, column)


def _leaves(kind: pa.DataType) -> int:
    if not kind.num_fields:
        return 1
    return sum(_leaves(kind.field(place).type) for place in range(kind.num_fields))


def _ipc(source: pa.NativeFile, packed: int, reader: Callable[..., Any]) -> _Opened:
    start = source.tell()
    schema = reader(source).schema

    def column(place: int) -> pa.ChunkedArray:
        source.seek(start)
        options = pa.ipc.IpcReadOptions(included_fields=[place], use_threads=False)
        parts: list[pa.Array] = []
        rows = 0
        for batch in _batches(reader(source, options=options)):
            rows += batch.num_rows
            assert_rows(rows, packed)
            parts.append(batch.column(0))
        column = pa.chunked_array(parts, schema.field(place).type)
        # Arrow believes lengths and offsets, and would read beyond what there is.
        column.validate(full=True)
        return column

    return _Opened(schema, column)


def _batches(reader: Any) -> Iterator[Any]:
    if isinstance(reader, pa.RecordBatchFileReader):
        yield from (reader.get_batch(place) for place in range(reader.num_record_batches))
    else:
        yield from reader


def _feather(source: pa.NativeFile, packed: int) -> _Opened:
    table = feather.read_table(source, use_threads=False)
    assert_rows(table.num_rows, packed)
    table.validate(full=True)
    return _Opened(table.schema, table.column)


_OPENERS: dict[bytes, Callable[[pa.NativeFile, int], _Opened]] = {
    PARQUET_MAGIC: _parquet,
    FILE_MAGIC: lambda source, packed: _ipc(source, packed, pa.ipc.open_file),
    STREAM_MAGIC: lambda source, packed: _ipc(source, packed, pa.ipc.open_stream),
    FEATHER_MAGIC: _feather,
}
