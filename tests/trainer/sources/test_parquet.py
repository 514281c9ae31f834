"""Candles written as Parquet are those that were read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from common.errors import DataError
from trainer.sources import parquet
from trainer.sources.files import Source, read_source
from trainer.sources.folder import SourceFile, files_below
from trainer.sources.parquet import parquet_name, write_parquet

# Unsorted, with a repeated bar: nothing is judged.
ROWS = "\n".join(
    f"{1704067200000 + hour * 3600000},10.1,11.2,9.3,10.{hour},5.5" for hour in (0, 2, 1, 1, 3, 4)
)


def read(folder: Path) -> tuple[SourceFile, list[Source]]:
    [file] = files_below(folder)
    return file, read_source(file, "BTCUSDT")[0]


def test_rows_order_and_time_of_change_stay(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "BTCUSDT-1h.csv").write_text(ROWS)
    file, [source] = read(tmp_path / "in")
    path = tmp_path / "out" / parquet_name(source, "BTCUSDT")
    assert write_parquet(source, "BTCUSDT", file, path)
    assert path == tmp_path / "out" / "BTCUSDT" / "BTCUSDT-1h.parquet"
    written, [again] = read(tmp_path / "out")
    assert written.mtime_ns == file.mtime_ns
    np.testing.assert_array_equal(again.bars.open_time, source.bars.open_time)
    np.testing.assert_array_equal(again.bars.values, source.bars.values)
    assert not write_parquet(source, "BTCUSDT", file, path)


def test_a_changed_source_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    origin = tmp_path / "in" / "BTCUSDT-1h.csv"
    origin.write_text(ROWS)
    file, [source] = read(tmp_path / "in")
    path = tmp_path / "BTCUSDT-1h.parquet"
    write_parquet(source, "BTCUSDT", file, path)
    origin.write_text(ROWS.replace("5.5", "6.5"))
    file, [source] = read(tmp_path / "in")
    assert write_parquet(source, "BTCUSDT", file, path)


def test_members_of_an_archive_get_a_file_each(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "dumps.zip", "w") as archive:
        archive.writestr("BTCUSDT-1h-2024-01.csv", ROWS)
        archive.writestr("BTCUSDT-1h-2024-02.csv", ROWS)
    _, sources = read(tmp_path)
    assert [parquet_name(source, "BTCUSDT") for source in sources] == [
        "BTCUSDT/dumps.zip/BTCUSDT-1h-2024-01.parquet",
        "BTCUSDT/dumps.zip/BTCUSDT-1h-2024-02.parquet",
    ]


def test_what_reads_differently_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "BTCUSDT-1h.csv").write_text(ROWS)
    file, [source] = read(tmp_path / "in")
    monkeypatch.setattr(parquet, "read_source", lambda *_: ([], []))
    path = tmp_path / "BTCUSDT-1h.parquet"
    with pytest.raises(DataError, match="reads differently"):
        write_parquet(source, "BTCUSDT", file, path)
    assert not path.exists()
