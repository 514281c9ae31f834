"""The columnar cache: one file a series, memory-mapped, named by the digest of its candles.

A file is a head of `HEAD_BYTES` (JSON, padded with spaces) and the columns of `candles.COLUMNS` one
behind the other, eight bytes a value, little-endian. It appears whole or not at all (written aside, renamed),
so it is safe to read and write from several processes, and a process killed at any moment leaves at most a
file to sweep. It is on the disk before a survey's report names it; what a loss of power leaves of one that no
report names is digested before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from common.protocol.reports import SurveyReport
from common.timeframes import Timeframe
from common.whole_file import whole_file
from trainer.candles.candles import COLUMNS, DTYPES, Candles
from trainer.candles.checked import Written, is_checked, keep_checked, keep_written, settled
from trainer.candles.room import CANDLES, NO_BOUND, Room, hold, use

FORMAT = "nighttrain.candles/1"
HEAD_BYTES = 4096
CACHE_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n# Nighttrain's cache of candles; it can be removed.\n"
)


def open_candles(cache_dir: Path, symbol: str, timeframe: Timeframe, digest: str) -> Candles | None:
    """Map a series of the cache.

    Parameters
    ----------
    cache_dir : Path
        The cache's folder.
    symbol : str, timeframe : Timeframe, digest : str
        Which candles; `digest` as in `SeriesReport.digest`.

    Returns
    -------
    Candles or None
        Read-only memory maps of what has the digest, which is not dropped while one of them is there; None if
        they are not cached, or damaged.
    """
    return _opened(series_path(cache_dir, symbol, timeframe, digest), symbol, timeframe, digest)


def store_candles(
    cache_dir: Path,
    candles: Candles,
    room: Room = NO_BOUND,
    written: list[Written] | None = None,
) -> Candles | None:
    """Write a series to the cache, unless it is there already; one of `Candles.of`, no cut of it.

    Parameters
    ----------
    cache_dir : Path
        The cache's folder.
    candles : Candles
        The series.
    room : Room, optional
        What the cache may take.
    written : list, optional
        Gets what had to be written, for whoever brings it to the disk and calls `keep_written`; both is done
        at once without it.

    Returns
    -------
    Candles or None
        What `open_candles` returns of it, which is not dropped as long as it is there.

    Raises
    ------
    StorageError
        The file cannot be written; names it.
    """
    known = open_candles(cache_dir, candles.symbol, candles.timeframe, candles.digest)
    if known is not None:
        return known
    head = {
        "format": FORMAT,
        "symbol": candles.symbol,
        "timeframe": candles.timeframe,
        "rows": len(candles),
        "synthetic": candles.synthetic,
        "digest": candles.digest,
    }
    tag(cache_dir / CANDLES)
    room.make(cache_dir, HEAD_BYTES + len(candles) * 8 * len(COLUMNS))
    path = series_path(cache_dir, candles.symbol, candles.timeframe, candles.digest)
    with whole_file(path, durable=written is None) as file:
        file.write(json.dumps(head, sort_keys=True).encode().ljust(HEAD_BYTES))
        for name, column in candles.columns.items():
            file.write(column.astype(DTYPES[name], copy=False).data)
    found = _opened(path, candles.symbol, candles.timeframe, candles.digest, just_written=True)
    with suppress(OSError):
        # Opening it has set its times, which say when it was used.
        file_written = Written(path, candles.digest, path.stat())
        if written is None:
            keep_written([file_written])
        else:
            written.append(file_written)
    return found


def find_report(cache_dir: Path, symbol: str, key: str) -> SurveyReport | None:
    """Return the report of an earlier survey of the same inputs; None if there is none or it is damaged."""
    try:
        path = _report_path(cache_dir, symbol, key)
        digest, _, document = path.read_bytes().partition(b"\n")
        # A flipped bit in a count or a digest would be a report all the same.
        if digest.decode() != hashlib.sha256(document).hexdigest():
            return None
        use(path)
        return SurveyReport.model_validate_json(document)
    except (OSError, ValueError):
        return None


def store_report(cache_dir: Path, key: str, report: SurveyReport) -> None:
    """Keep a survey's report under the key of its inputs.

    Raises
    ------
    StorageError
        The file cannot be written; names it.
    """
    with whole_file(_report_path(cache_dir, report.symbol, key)) as file:
        document = report.model_dump_json().encode()
        file.write(hashlib.sha256(document).hexdigest().encode() + b"\n" + document)


def candle_folder(cache_dir: Path, symbol: str) -> Path:
    """Return the folder of one symbol within the cache."""
    return cache_dir / CANDLES / symbol


def tag(folder: Path) -> None:
    """Make a folder of the cache, and say in it that it is one."""
    # So that backups leave the cache out, and a search for candles does too. See https://bford.info/cachedir/
    path = folder / "CACHEDIR.TAG"
    if not path.exists():
        with whole_file(path) as file:
            file.write(CACHE_TAG)


def _opened(
    path: Path, symbol: str, timeframe: Timeframe, digest: str, just_written: bool = False
) -> Candles | None:
    try:
        with path.open("rb") as file:
            hold(file.fileno())
            head = json.loads(file.read(HEAD_BYTES))
            rows, synthetic = int(head["rows"]), bool(head["synthetic"])
            status = os.fstat(file.fileno())
            checked = just_written or is_checked(path, status, digest)
            since = None if checked else settled(file.fileno())
            expected = (FORMAT, symbol, timeframe, HEAD_BYTES + rows * 8 * len(COLUMNS))
            found = (head["format"], head["symbol"], head["timeframe"], status.st_size)
            if rows < 1 or found != expected:
                return None
            content = np.memmap(file, dtype=np.uint8, mode="r", offset=HEAD_BYTES)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    columns = {
        name: np.asarray(content[place * rows * 8 : (place + 1) * rows * 8]).view(DTYPES[name])
        for place, name in enumerate(COLUMNS)
    }
    if checked:
        use(path)
        return Candles(symbol, timeframe, **columns, digest=digest, synthetic=synthetic)
    try:
        candles = Candles.of(symbol, timeframe, columns, synthetic)
    except ValueError:
        return None
    if candles.digest != digest:
        return None
    keep_checked(path, since, digest)
    return candles


def series_path(cache_dir: Path, symbol: str, timeframe: Timeframe, digest: str) -> Path:
    """Return the file of a series within the cache."""
    return candle_folder(cache_dir, symbol) / f"{timeframe}-{digest}.columns"


def _report_path(cache_dir: Path, symbol: str, key: str) -> Path:
    return candle_folder(cache_dir, symbol) / f"survey-{key}.json"
