"""Small files that unpack or grow to very much."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import zipfile
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.candle_fixtures import candles, csv_text

MIB = 1 << 20


def _gzip(line: bytes, mib: int) -> bytes:
    buffer = io.BytesIO()
    block = csv_text(candles(50)).encode() + line * (MIB // len(line))
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as file:
        for _ in range(mib):
            file.write(block)
    return buffer.getvalue()


def _zip(member: bytes, method: int, count: int = 1) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number in range(count):
            archive.writestr(f"BTCUSDT-{number}.csv", member)
    return buffer.getvalue()


def _parquet(rows: int) -> bytes:
    columns = {name: pa.array(np.ones(rows)) for name in ("open", "high", "low", "close", "volume")}
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"open_time": np.full(rows, 1_672_531_200_000), **columns}), buffer, compression="zstd"
    )
    return buffer.getvalue()


def _long_texts() -> bytes:
    columns = {name: pa.array(values) for name, values in candles(20_000).items()}
    names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array(["x" * 500_000]))
    buffer = io.BytesIO()
    pq.write_table(pa.table({**columns, "pair": names}), buffer, compression="zstd", store_schema=False)
    return buffer.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip of blank lines: ": lambda: _gzip(b"\n", 400),
    "gzip of short lines: ": lambda: _gzip(b"1\n", 200),
    "gzip of equal rows: ": lambda: _gzip(b"1672531200000,1,1,1,1,2\n", 300),
    "gzip of one line: ": lambda: _gzip(b"1", 100),
    "ZIP of blank lines, many members: ": lambda: _zip(b"\n" * (10 * MIB), zipfile.ZIP_DEFLATED, 12),
    "ZIP packed with bzip2: ": lambda: _zip(b"\n" * (20 * MIB), zipfile.ZIP_BZIP2),
    "bzip2: ": lambda: bz2.compress(b"\n" * (20 * MIB)),
    "ZIP with a directory of 20 MiB: ": lambda: _zip(b"", zipfile.ZIP_STORED, 1) + b"PK\x01\x02" * (5 * MIB),
    "Parquet of equal rows: ": lambda: _parquet(6_100_000),
    "Parquet of long texts: ": _long_texts,
    "JSON of empty rows: ": lambda: b"[" + b"[]," * (8 * MIB) + b"[]]",
    "JSON in itself: ": lambda: b"[" * (8 * MIB),
    "JSON of one long row: ": lambda: json.dumps([[1] * 3_000_000]).encode(),
    "a header of 100,000 names: ": lambda: b"a," * 100_000 + b"b\n" + b"1," * 100_000 + b"1\n",
}
"""What makes each, by its name."""
