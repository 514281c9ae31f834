"""Readers of source files. A file is recognised by its first bytes, not by its name.

Read are ZIP and gzip (of any of the others), Parquet, Arrow and Feather, JSON (a list of rows) and CSV.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq

from common.protocol.reports import Finding
from common.settings.sections import ColumnMapping
from trainer.candles import findings
from trainer.candles.bars import Bars
from trainer.sources.columns import bars_of, chosen_columns, first_line
from trainer.sources.csv_text import CsvTable, read_csv
from trainer.sources.folder import SourceFile
from trainer.sources.instruments import selected
from trainer.sources.probe import Asked, Probe, UnreadableError

SYNTHETIC_KEY = b"nighttrain.synthetic"
"""Key in the metadata of a Parquet or Arrow file; ``true`` says that its candles were simulated."""

ZIP_MAGIC, GZIP_MAGIC, PARQUET_MAGIC = b"PK\x03\x04", b"\x1f\x8b", b"PAR1"
ARROW_FILE_MAGICS, ARROW_STREAM_MAGIC = (b"ARROW1", b"FEA1"), b"\xff\xff\xff\xff"

PACKED = {
    b"\xfd7zXZ\x00": "it is packed with xz; unpack it, or pack it with gzip",
    b"BZh": "it is packed with bzip2; unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "it is packed with zstd; unpack it, or pack it with gzip",
    b"7z\xbc\xaf\x27\x1c": "it is a 7z archive; unpack it, or pack it as ZIP",
    b"Rar!": "it is a RAR archive; unpack it, or pack it as ZIP",
    b"\xd0\xcf\x11\xe0": "it is an Excel workbook (.xls); save its sheet as CSV",
    b"\x89HDF": "it is an HDF5 file; convert it to Feather or Parquet",
}
"""What is told of a file that begins so; it is not read."""

DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What `zipfile` raises for an archive that is cut, damaged, encrypted or packed in an unknown way."""

DAMAGED_ARROW = (pa.ArrowException, OSError, ValueError)


@dataclass(frozen=True)
class Source:
    """The candles of one file, or of one member of an archive, as they stand there.

    `name` is the file's relative path, with ``!member`` behind it where an archive has several. `units` are
    those of numeric times. `mtime_ms` is when the file was last written, in milliseconds since the epoch.
    """

    name: str
    bars: Bars
    units: frozenset[str]
    synthetic: bool
    mtime_ms: int


@dataclass(frozen=True)
class _Content:
    columns: dict[str, pa.ChunkedArray]
    synthetic: bool = False
    text: CsvTable | None = None
    notes: tuple[str, ...] = ()


def read_source(
    file: SourceFile,
    symbol: str,
    mappings: Mapping[str, ColumnMapping] | None = None,
    by_column: bool = False,
) -> tuple[list[Source], list[Finding]]:
    """Read one source file.

    Parameters
    ----------
    file : SourceFile
        The file.
    symbol : str
        Canonical spelling; of an archive with several members those that name another symbol are passed over.
    mappings : mapping of ColumnMapping, optional
        The user's word on columns, by a pattern of paths.
    by_column : bool
        Read only rows that a column of symbols tells to be the symbol's.

    Returns
    -------
    sources : list of Source
        What could be read; empty if nothing could.
    findings : list of Finding
        What could not be read, with `timeframe` empty. A damaged file raises nothing.
    """
    try:
        members = _members(file, symbol, by_column)
    except UnreadableError as error:
        return [], [findings.unreadable(file.relative, error.defect, str(error))]
    except OSError as error:
        return [], [
            findings.unreadable(file.relative, "unreadable_file", f"it cannot be opened: {error.strerror}")
        ]
    sources: list[Source] = []
    found: list[Finding] = []
    for name, load in members:
        try:
            asked = Asked.of(symbol, file.relative, mappings or {}, by_column)
            content = _parsed(load(), asked)
            bars, units, timeless = bars_of(content.columns, asked)
        except UnreadableError as error:
            found.append(findings.unreadable(name, error.defect, str(error)))
            continue
        sources.append(Source(name, bars, units, content.synthetic, file.mtime_ns // 1_000_000))
        if content.text and content.text.cut:
            found.append(findings.cut_line(name))
        if content.text and content.text.bad_lines:
            found.append(findings.bad_lines(name, content.text.bad_lines, content.text.first_bad))
        found += [findings.columns_told(name, note) for note in content.notes]
        if timeless:
            found.append(findings.timeless(name, timeless))
    return sources, found


def _members(file: SourceFile, symbol: str, by_column: bool) -> list[tuple[str, Callable[[], bytes]]]:
    content = file.path.read_bytes()
    if not content.startswith(ZIP_MAGIC):
        return [(file.relative, lambda: content)]
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except DAMAGED_ZIP as error:
        raise UnreadableError(
            "its ZIP directory is missing or damaged, so the file was probably cut", "cut_file"
        ) from error
    entries = [
        entry
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename)
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/")
    ]
    if any(entry.filename == "[Content_Types].xml" for entry in entries):
        kind = "workbook (.xlsx)" if any(e.filename.startswith("xl/") for e in entries) else "document"
        raise UnreadableError(f"it is an Excel or Office {kind}; save its sheet as CSV")
    if len(entries) > 1 and not by_column:
        names = [f"{file.relative}/{entry.filename}" for entry in entries]
        entries = [entries[place] for place in selected(names, symbol).chosen]
    if not entries:
        raise UnreadableError(f"the archive holds no file of {symbol}")
    several = len(entries) > 1
    return [
        (f"{file.relative}!{entry.filename}" if several else file.relative, _unpacker(archive, entry))
        for entry in entries
    ]


def _unpacker(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Callable[[], bytes]:
    def unpack() -> bytes:
        try:
            return archive.read(entry)
        except DAMAGED_ZIP as error:
            why = f"its member {entry.filename} cannot be unpacked: {first_line(error)}"
            raise UnreadableError(why) from error

    return unpack


def _parsed(content: bytes, asked: Asked) -> _Content:
    if content.startswith(GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableError(
                f"its gzip data is damaged or cut: {first_line(error)}", "cut_file"
            ) from error
    for magic, why in PACKED.items():
        if content.startswith(magic):
            raise UnreadableError(why)
    head = content[:64].lstrip()
    if not head:
        raise UnreadableError("it is empty", "empty_file")
    if content.startswith((PARQUET_MAGIC, ARROW_STREAM_MAGIC, *ARROW_FILE_MAGICS)):
        return _from_arrow(content, asked)
    if head.startswith(b"["):
        return _from_rows(content, asked)
    if head.startswith(b"{"):
        said = head.decode("utf-8", errors="replace")
        raise UnreadableError(f"it is a JSON object and no list of rows: {said!r}")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableError("its text is UTF-16; save it as UTF-8")
    if b"\x00" in head:
        raise UnreadableError("it is none of CSV, JSON, Parquet, Feather, Arrow, ZIP and gzip")
    text = read_csv(content, asked)
    return _Content(text.columns, text=text, notes=text.notes)


def _from_arrow(content: bytes, asked: Asked) -> _Content:
    source = pa.BufferReader(content)
    kind = "Parquet" if content.startswith(PARQUET_MAGIC) else "Arrow"
    try:
        if kind == "Parquet":
            table = pq.ParquetFile(source).read(use_threads=False)
        elif content.startswith(ARROW_STREAM_MAGIC):
            table = pa.ipc.open_stream(source).read_all()
        else:
            table = feather.read_table(source, use_threads=False)
        schema = table.schema
        choice = chosen_columns(schema.names, Probe.of_table(table), asked)
    except DAMAGED_ARROW as error:
        raise UnreadableError(
            f"it is no whole {kind} file, so it was probably cut: {first_line(error)}", "cut_file"
        ) from error
    metadata = schema.metadata or {}
    columns = {field: table.column(place) for field, place in choice.columns.items()}
    synthetic = metadata.get(SYNTHETIC_KEY) == b"true"
    return _Content(columns, synthetic=synthetic, notes=choice.notes)


def _from_rows(content: bytes, asked: Asked) -> _Content:
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(
            f"it is no whole JSON document, so it was probably cut: {first_line(error)}", "cut_file"
        ) from error
    if not rows:
        raise UnreadableError("it is an empty list", "empty_file")
    try:
        numbers = np.array(rows, dtype=np.float64)
        table = pa.table({str(place): numbers[:, place] for place in range(numbers.shape[1])})
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise UnreadableError("its JSON is no list of rows [time, open, high, low, close, volume]") from error
    choice = chosen_columns(None, Probe.of_table(table), asked)
    columns = {field: table.column(place) for field, place in choice.columns.items()}
    return _Content(columns, notes=choice.notes)
