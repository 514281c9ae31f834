"""Readers of source files. A file is recognised by its first bytes, not by its name.

Read are ZIP and gzip (of any of the others), Parquet, Arrow and Feather, JSON (a list of rows) and CSV. A
damaged file, or one that was made to do damage, raises nothing: it is named and left out.
"""

from __future__ import annotations

import codecs
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO

import pyarrow as pa

from common.protocol.reports import Finding
from common.quoted import quoted
from common.settings.sections import ColumnMapping
from trainer.candles import findings
from trainer.candles.bars import Bars
from trainer.sources import arrow_table
from trainer.sources.arrow_table import read_arrow
from trainer.sources.columns import bars_of, chosen_columns
from trainer.sources.csv_text import CsvTable, read_csv
from trainer.sources.instruments import selected
from trainer.sources.json_rows import read_json
from trainer.sources.probe import Asked, Probe, UnreadableError
from trainer.sources.source_file import SourceFile
from trainer.sources.unpacked import Allowance, Content, directory, gunzipped, member, plain

ZIP_MAGIC, GZIP_MAGIC = b"PK\x03\x04", b"\x1f\x8b"

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

LONGEST_NAME = 500
"""Characters of a member's name."""


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
class _Table:
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
    sources: list[Source] = []
    found: list[Finding] = []
    asked = Asked.of(symbol, file.relative, mappings or {}, by_column)
    try:
        with _members(file, symbol, by_column) as members:
            for name, load in members:
                try:
                    table = _table(load(), asked)
                    bars, units, timeless = bars_of(table.columns, asked)
                except UnreadableError as error:
                    found.append(findings.unreadable(name, error.defect, str(error)))
                    continue
                sources.append(Source(name, bars, units, table.synthetic, file.mtime_ns // 1_000_000))
                found += _told(name, table, timeless)
    except UnreadableError as error:
        found.append(findings.unreadable(file.relative, error.defect, str(error)))
    except OSError as error:
        why = f"it cannot be opened: {error.strerror}"
        found.append(findings.unreadable(file.relative, "unreadable_file", why))
    return sources, found


def _told(name: str, table: _Table, timeless: int) -> Iterator[Finding]:
    if table.text and table.text.cut:
        yield findings.cut_line(name)
    if table.text and table.text.bad_lines:
        yield findings.bad_lines(name, table.text.bad_lines, table.text.first_bad)
    for note in table.notes:
        yield findings.columns_told(name, note)
    if timeless:
        yield findings.timeless(name, timeless)


@contextmanager
def _members(
    file: SourceFile, symbol: str, by_column: bool
) -> Iterator[list[tuple[str, Callable[[], Content]]]]:
    with closing(_opened(file)) as stream:
        allowance = Allowance(os.fstat(stream.fileno()).st_size)
        is_archive = stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        if not is_archive:
            content = plain(lambda: _opened(file), allowance)
            yield [(file.relative, lambda: content)]
            return
        with directory(stream) as archive:
            entries = _entries(archive, file, symbol, by_column)
            several = len(entries) > 1
            yield [
                (
                    f"{file.relative}!{quoted(entry.filename, LONGEST_NAME)}" if several else file.relative,
                    lambda entry=entry: member(archive, entry, allowance),  # type: ignore[misc]
                )
                for entry in entries
            ]


def _entries(
    archive: zipfile.ZipFile, file: SourceFile, symbol: str, by_column: bool
) -> list[zipfile.ZipInfo]:
    entries = [
        entry
        for entry in sorted(archive.infolist(), key=lambda entry: entry.filename)
        if not entry.filename.endswith("/") and not entry.filename.startswith("__MACOSX/")
    ]
    if any(entry.filename == "[Content_Types].xml" for entry in entries):
        kind = "workbook (.xlsx)" if any(e.filename.startswith("xl/") for e in entries) else "document"
        raise UnreadableError(f"it is an Excel or Office {kind}; save its sheet as CSV")
    if len(entries) > 1 and not by_column:
        names = [f"{file.relative}/{entry.filename}" for entry in entries]
        entries = [entries[place] for place in selected(names, symbol).chosen]
    if not entries:
        raise UnreadableError(f"the archive holds no file of {symbol}")
    return entries


def _opened(file: SourceFile) -> IO[bytes]:
    # Between the look into the folder and now a file may have become a link, or a pipe that never ends.
    assert file.path is not None
    descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    stream = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise UnreadableError("it is no file")
    return stream


def _table(content: Content, asked: Asked) -> _Table:
    if content.part(0, 2) == GZIP_MAGIC:
        content = gunzipped(content)
    start = content.part(0, 64)
    for magic, why in PACKED.items():
        if start.startswith(magic):
            raise UnreadableError(why)
    head = start.lstrip()
    if not head:
        raise UnreadableError("it is empty", "empty_file")
    if start.startswith(arrow_table.MAGICS):
        arrow = read_arrow(content, asked)
        return _Table(arrow.columns, arrow.synthetic, notes=arrow.notes)
    if head.startswith(b"["):
        table = read_json(content)
        choice = chosen_columns(None, Probe.of_columns(table.columns), asked)
        columns = {field: table.column(place) for field, place in choice.columns.items()}
        return _Table(columns, notes=choice.notes)
    if head.startswith(b"{"):
        raise UnreadableError("it is a JSON object and no list of rows, as an exchange answers a mistake")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableError("its text is UTF-16; save it as UTF-8")
    if b"\x00" in head:
        raise UnreadableError("it is none of CSV, JSON, Parquet, Feather, Arrow, ZIP and gzip")
    text = read_csv(content, asked)
    return _Table(text.columns, text=text, notes=text.notes)
