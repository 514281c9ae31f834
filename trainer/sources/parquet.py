"""Candles of any format that is read, written as Parquet: the same rows, not judged, one file a source."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import DataError
from common.whole_file import whole_file
from trainer.candles.bars import FIELDS
from trainer.sources.arrow_table import SYNTHETIC_KEY
from trainer.sources.files import Source, read_source
from trainer.sources.source_file import SourceFile

ORIGIN_KEY = b"nighttrain.origin"
"""Key in the metadata: size and time of change of the file that the candles are from."""


def parquet_name(source: Source, symbol: str) -> str:
    """Return the path of a source's Parquet file: its own, below a folder that names the symbol."""
    name = source.name.replace("!", "/")
    for ending in (".gz", ".zip", ".csv", ".txt", ".json", ".feather", ".arrow", ".parquet"):
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return f"{symbol}/{name}.parquet"


def write_parquet(source: Source, symbol: str, file: SourceFile, path: Path) -> bool:
    """Write a source as Parquet and read it back, unless that was done before; return whether it was.

    The file's time of change is that of the source: of bars that come twice the later written one is used.

    Raises
    ------
    StorageError
        It cannot be written; nothing of it is left.
    DataError
        What was written does not read as what was read; the file is removed.
    """
    origin = f"{file.size} {file.mtime_ns}".encode()
    if _origin_of(path) == origin:
        return False
    columns: dict[str, pa.Array] = {"open_time": pa.array(source.bars.open_time)}
    for name, values in zip(FIELDS, source.bars.values, strict=True):
        if not np.isnan(values).all():
            columns[name] = pa.array(values)
    metadata = {ORIGIN_KEY: origin} | ({SYNTHETIC_KEY: b"true"} if source.synthetic else {})
    table = pa.table(columns).replace_schema_metadata(metadata)
    with whole_file(path) as target:
        pq.write_table(table, target, compression="zstd")
    os.utime(path, ns=(file.mtime_ns, file.mtime_ns))
    status = path.stat()
    written = SourceFile(path, parquet_name(source, symbol), status.st_size, status.st_mtime_ns)
    again, _ = read_source(written, symbol)
    if len(again) != 1 or not _equal(again[0], source):
        path.unlink()
        raise DataError(f"{source.name}: its Parquet file reads differently, so it was not kept")
    return True


def _equal(one: Source, other: Source) -> bool:
    return np.array_equal(one.bars.open_time, other.bars.open_time) and np.array_equal(
        one.bars.values, other.bars.values, equal_nan=True
    )


def _origin_of(path: Path) -> bytes | None:
    try:
        return (pq.read_schema(path).metadata or {}).get(ORIGIN_KEY)
    except (OSError, pa.ArrowException):
        return None
