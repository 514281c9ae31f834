"""The columnar cache: one file a series, memory-mapped, named by the digest of its candles.

A file is a head of `HEAD_BYTES` (JSON, padded with spaces) and the columns of `trainer.candles.COLUMNS` one
behind the other, eight bytes a value, little-endian. It appears whole or not at all (written aside, synced,
renamed), so it is safe to read and write from several processes, and a process killed at any moment leaves at
most a file to sweep.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.errors import StorageError
from common.report import SurveyReport
from trainer.candles import COLUMNS, DTYPES, Candles

FORMAT = "nighttrain.candles/1"
HEAD_BYTES = 4096
STALE_SECONDS = 3600.0
"""An aside file so old belongs to no process that is still writing it."""


def open_candles(cache_dir: Path, symbol: str, timeframe: str, digest: str) -> Candles | None:
    """Map a series of the cache.

    Parameters
    ----------
    cache_dir : Path
        The cache's folder.
    symbol, timeframe, digest : str
        Which candles; `digest` as in `SeriesReport.digest`.

    Returns
    -------
    Candles or None
        Read-only memory maps, checked against the digest; None if they are not cached, or damaged.
    """
    path = _series_path(cache_dir, symbol, timeframe, digest)
    try:
        with path.open("rb") as file:
            head = json.loads(file.read(HEAD_BYTES))
            rows, synthetic = int(head["rows"]), bool(head["synthetic"])
            expected = (FORMAT, symbol, timeframe, HEAD_BYTES + rows * 8 * len(COLUMNS))
            found = (head["format"], head["symbol"], head["timeframe"], os.fstat(file.fileno()).st_size)
            if rows < 1 or found != expected:
                return None
            content = np.memmap(file, dtype=np.uint8, mode="r", offset=HEAD_BYTES)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    columns = {
        name: np.asarray(content[place * rows * 8 : (place + 1) * rows * 8]).view(DTYPES[name])
        for place, name in enumerate(COLUMNS)
    }
    try:
        candles = Candles.of(symbol, timeframe, columns, synthetic)
    except ValueError:
        return None
    return candles if candles.digest == digest else None


def store_candles(cache_dir: Path, candles: Candles) -> None:
    """Write a series to the cache, unless it is there already.

    Raises
    ------
    StorageError
        The file cannot be written; names it.
    """
    if open_candles(cache_dir, candles.symbol, candles.timeframe, candles.digest):
        return
    head = {
        "format": FORMAT,
        "symbol": candles.symbol,
        "timeframe": candles.timeframe,
        "rows": len(candles),
        "synthetic": candles.synthetic,
        "digest": candles.digest,
    }

    def write(file: BinaryIO) -> None:
        file.write(json.dumps(head, sort_keys=True).encode().ljust(HEAD_BYTES))
        for name, column in candles.columns.items():
            file.write(column.astype(DTYPES[name], copy=False).data)

    _write_whole(_series_path(cache_dir, candles.symbol, candles.timeframe, candles.digest), write)


def find_report(cache_dir: Path, symbol: str, key: str) -> SurveyReport | None:
    """Return the report of an earlier survey of the same inputs; None if there is none or it is damaged."""
    try:
        return SurveyReport.model_validate_json(_report_path(cache_dir, symbol, key).read_bytes())
    except (OSError, ValueError):
        return None


def store_report(cache_dir: Path, key: str, report: SurveyReport) -> None:
    """Keep a survey's report under the key of its inputs.

    Raises
    ------
    StorageError
        The file cannot be written; names it.
    """
    content = report.model_dump_json().encode()
    _write_whole(_report_path(cache_dir, report.symbol, key), lambda file: file.write(content))


def sweep(cache_dir: Path, now: Callable[[], float] = time.time) -> int:
    """Remove what killed processes left half written, and return how many files that were."""
    swept = 0
    for path in (cache_dir / "candles").glob("*/.*.aside"):
        with contextlib.suppress(OSError):
            if now() - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()
                swept += 1
    return swept


def _series_path(cache_dir: Path, symbol: str, timeframe: str, digest: str) -> Path:
    return cache_dir / "candles" / symbol / f"{timeframe}-{digest}.columns"


def _report_path(cache_dir: Path, symbol: str, key: str) -> Path:
    return cache_dir / "candles" / symbol / f"survey-{key}.json"


def _write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.aside")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        hint = "free some room there, or name another folder for the cache"
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}", hint) from error
