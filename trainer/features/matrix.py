"""The feature matrix of a (symbol, timeframe): built once a host under a lock, then mapped by every trainer.

A file is a header of `HEADER_BYTES` (JSON, padded), the float32 matrix row by row, the bar index of each
row and the close time of each row (int64 both). It is written beside its place and renamed, so a builder
that is killed leaves nothing that counts; a file whose header, length or content is wrong is built again.

A matrix is made of its candles by formulas and nothing else. So its digest is over the digests of these, and
over sums of what it holds, which tell damage and another processor's last digits: a SHA-256 of all of it
would take as long as a quarter of the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock

from common.errors import DataError, StorageError
from common.on_disk import on_disk
from common.whole_file import whole_file
from trainer.candles.arrays import Float32Array, IntArray
from trainer.candles.candles import Candles
from trainer.candles.checked import forget, is_checked, keep_checked, settled
from trainer.compiled.content_sums import ContentSums
from trainer.features.context import ContextFrame, context_frame
from trainer.features.indicators import (
    FEATURE_VERSION,
    NAMES,
    WARM_UP,
    Block,
    block_features,
    block_rows,
    blocks,
)
from trainer.features.products import SUFFIX, open_products
from trainer.features.ta import talib

SCHEMA = "nighttrain.features/3"
HEADER_BYTES = 8192
RELEASED_BYTES = 1 << 20
"""A smaller matrix takes less memory than it takes time to have it read again."""

MIN_CONTEXT_COVERAGE = 0.5
"""A context that is known at fewer of the rows is left out: it would cost more rows than it is worth."""

GENERATIONS = 2
"""Matrices of a (symbol, timeframe) that are kept; older ones are of candles or versions of the past."""


_WRITTEN: list[Path] = []


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """Features of all usable bars of one symbol at one timeframe.

    Parameters
    ----------
    names : tuple of str
        The p columns.
    contexts : tuple of str
        The timeframes whose context is among the columns.
    values : ndarray of float32, shape (n, p)
        Read-only map of the file.
    bar : ndarray of int64, shape (n,)
        Which bar of the candles each row is of, ascending.
    close_time : ndarray of int64, shape (n,)
        When each row is known, in milliseconds since the epoch.
    digest : str
        SHA-256 over the candles' digests, the features' version and names, and the `ContentSums` of values,
        bars and times, in hex.
    path : Path
        The file.
    """

    names: tuple[str, ...]
    contexts: tuple[str, ...]
    values: Float32Array
    bar: IntArray
    close_time: IntArray
    digest: str
    path: Path


@cache
def versions() -> dict[str, str]:
    """Versions of what the features' digits depend on; read once, as that takes long."""
    return {
        "nighttrain": version("nighttrain"),
        "numpy": np.__version__,
        "ta-lib": talib.__version__,
    }


def open_features(cache_dir: Path, candles: Candles, context: Sequence[Candles]) -> FeatureMatrix:
    """Return the feature matrix of candles, building it if it is not cached.

    Parameters
    ----------
    cache_dir : Path
        Where matrices are kept; made if it is not there.
    candles : Candles
        The bars that get a row each.
    context : sequence of Candles
        The same symbol at coarser (or the same) timeframes, from fine to coarse.

    Raises
    ------
    DataError
        No bar has a full window of features, or none has finite ones.
    StorageError
        The matrix could not be written.
    """
    made_of = _made_of(candles, context)
    key = _key(made_of)
    stem = f"{candles.symbol}_{candles.timeframe}"
    path = cache_dir / f"{stem}_{key[:16]}.features"
    matrix = _mapped(path, made_of)
    if matrix is not None:
        return matrix
    with _locked(cache_dir / f"{stem}.features.lock"):
        matrix = _mapped(path, made_of)
        if matrix is None:
            _drop_unfinished(cache_dir, stem)
            frames = [context_frame(coarse) for coarse in context]
            digest = _build(path, made_of, candles, frames)
            with path.open("rb") as file:
                with on_disk() as take:
                    take(path)
                    _drop_old(cache_dir, stem)
                    matrix = _mapped(path, made_of, digest)
                    if matrix is not None:
                        # Within the lock, so that who waits for the matrix finds them too.
                        open_products(path, matrix.digest, matrix.values)
                if matrix is not None:
                    # By now its tick has passed.
                    keep_checked(path, settled(file.fileno()), digest)
                    _WRITTEN.append(path)
    if matrix is None:
        raise StorageError(
            f"{path}: the feature matrix is damaged as soon as it is written", "check the disk"
        )
    return matrix


def release_written() -> None:
    """Let the memory go that the kernel keeps of matrices which this process wrote, where nobody maps them.

    They are on the disk. A night writes more than a gigabyte of them and reads most of it never again, and
    what is kept takes the place of what others on the host have in memory. Where the host is a virtual
    machine, memory that nobody has had yet costs ten times as much to write to as what was just let go.
    """
    while _WRITTEN:
        path = _WRITTEN.pop()
        with suppress(OSError), path.open("rb") as file:
            if os.fstat(file.fileno()).st_size >= RELEASED_BYTES:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                # Whoever reads it next reads what the disk has made of it.
                forget(path)


def matrix_rows(
    candles: Candles, block: Block, frames: Iterable[ContextFrame]
) -> tuple[IntArray, Float32Array]:
    """Compute the rows that one block adds to a matrix.

    Returns
    -------
    bar : ndarray of int64, shape (m,)
        The bars that have all their context and finite features.
    values : ndarray of float32, shape (m, p)
        Own features, then each frame's columns.
    """
    bar = np.arange(block.first, block.stop, dtype=np.int64)
    close_time = candles.open_time[block.first : block.stop] + candles.interval_ms
    context = [(frame.values, frame.positions(close_time)) for frame in frames]
    values, usable = block_rows(candles, block, context)
    return (bar, values) if usable.all() else (bar[usable], values[usable])


def _made_of(candles: Candles, context: Sequence[Candles]) -> dict[str, Any]:
    return {
        "candles": candles.digest,
        "context": {coarse.timeframe: coarse.digest for coarse in context},
        "feature_version": FEATURE_VERSION,
    }


def _key(made_of: Mapping[str, Any]) -> str:
    return _sha256({"schema": SCHEMA, "versions": versions(), **made_of})


def _digest(made_of: Mapping[str, Any], names: Sequence[str], rows: int, content: str) -> str:
    return _sha256({"names": list(names), "rows": rows, "content": content, **made_of})


def _sha256(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _build(path: Path, made_of: Mapping[str, Any], candles: Candles, frames: Sequence[ContextFrame]) -> str:
    """Write the matrix, and return its digest."""
    plan = list(blocks(candles))
    frames = _covering(candles, plan, frames)
    names = (*NAMES, *(name for frame in frames for name in frame.names))
    sums = ContentSums()
    bars = []
    # What a loss of power leaves of it is another boot's to digest, and is built again.
    with whole_file(path, durable=False) as file:
        file.seek(HEADER_BYTES)
        for block in plan:
            bar, values = matrix_rows(candles, block, frames)
            bars.append(bar)
            _append(file, sums, values)
        bar = np.concatenate(bars) if bars else np.empty(0, np.int64)
        if not len(bar):
            raise _unusable(candles, plan)
        file.write(bytes(_padding(len(bar), len(names))))
        _append(file, sums, bar)
        _append(file, sums, candles.open_time[bar] + candles.interval_ms)
        header = {
            "schema": SCHEMA,
            "key": _key(made_of),
            "rows": len(bar),
            "names": names,
            "contexts": [frame.timeframe for frame in frames],
            "content": sums.hexdigest(),
        }
        file.seek(0)
        file.write(json.dumps(header).encode().ljust(HEADER_BYTES - 1) + b"\n")
    return _digest(made_of, names, len(bar), sums.hexdigest())


def _covering(candles: Candles, plan: Sequence[Block], frames: Iterable[ContextFrame]) -> list[ContextFrame]:
    if not plan:
        return []
    opens = np.concatenate([candles.open_time[block.first : block.stop] for block in plan])
    close_time = opens + candles.interval_ms
    return [frame for frame in frames if (frame.positions(close_time) >= 0).mean() >= MIN_CONTEXT_COVERAGE]


def _unusable(candles: Candles, plan: Sequence[Block]) -> DataError:
    where = f"{candles.symbol} {candles.timeframe}"
    if not plan:
        longest = max((end - start for start, end in candles.segments()), default=0)
        return DataError(
            f"{where}: {WARM_UP + 1} bars in a row are needed, there are {longest} ({len(candles)} in all)",
            "bring candles of a longer span"
            if longest == len(candles)
            else "bring candles without gaps; if they are minutes without trades, set data.missing: no_trade",
        )
    seen = np.isfinite(block_features(candles, plan[0])).any(axis=0)
    columns = ", ".join(NAMES[position] for position in np.flatnonzero(~seen))
    return DataError(
        f"{where}: no bar has usable features, never a number: {columns}", "look at prices and volumes"
    )


def _append(file: BinaryIO, sums: ContentSums, array: np.ndarray[Any, Any]) -> None:
    whole = np.ascontiguousarray(array)
    sums.add(whole)
    file.write(whole.reshape(-1).view(np.uint8).data)


def _padding(rows: int, columns: int) -> int:
    return rows * columns * 4 % 8


def _mapped(path: Path, made_of: Mapping[str, Any], written: str = "") -> FeatureMatrix | None:
    """Map a matrix that is there and whole; `written` is the digest by which it was written a moment ago."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(HEADER_BYTES))
            status = os.fstat(file.fileno())
            rows, names, content = int(header["rows"]), tuple(header["names"]), str(header["content"])
            digest = _digest(made_of, names, rows, content)
            # Read back a moment later it would come from memory, which says nothing of the disk.
            checked = digest == written or is_checked(path, status, digest)
            since = None if checked else settled(file.fileno())
        index_offset = HEADER_BYTES + rows * len(names) * 4 + _padding(rows, len(names))
        if header["schema"] != SCHEMA or header["key"] != _key(made_of) or rows < 1:
            return None
        if status.st_size != index_offset + 16 * rows:
            return None
        matrix = FeatureMatrix(
            names=names,
            contexts=tuple(header["contexts"]),
            values=np.asarray(np.memmap(path, np.float32, "r", HEADER_BYTES, (rows, len(names)))),
            bar=np.asarray(np.memmap(path, np.int64, "r", index_offset, (rows,))),
            close_time=np.asarray(np.memmap(path, np.int64, "r", index_offset + 8 * rows, (rows,))),
            digest=digest,
            path=path,
        )
        if not checked:
            # One bit that flipped on the disk would train another model, vouched for by its certificate.
            if _content_of(matrix) != content:
                return None
            keep_checked(path, since, matrix.digest)
        return matrix
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


def _content_of(matrix: FeatureMatrix) -> str:
    sums = ContentSums()
    for array in (matrix.values, matrix.bar, matrix.close_time):
        sums.add(array)
    return sums.hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    # The kernel's lock ends with the process; a mark in its place would outlive a builder that is killed.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}", "choose another folder") from error
    try:
        yield
    finally:
        lock.release()


def _drop_unfinished(cache_dir: Path, stem: str) -> None:
    # Who builds holds the lock, so these are of builders that were killed; on a disk that is nearly full they
    # would take the room that this build needs, and each further one that is killed would add its own.
    for path in cache_dir.glob(f".{stem}_*.features.*.unfinished"):
        path.unlink(missing_ok=True)


def _drop_old(cache_dir: Path, stem: str) -> None:
    matrices = []
    for path in cache_dir.glob(f"{stem}_*.features"):
        # One that the disk refuses goes meanwhile, and an operator may remove any.
        with suppress(FileNotFoundError):
            matrices.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(matrices)[:-GENERATIONS]:
        # Processes that still map it keep their pages until they end.
        path.unlink(missing_ok=True)
        path.with_suffix(".certificate.json").unlink(missing_ok=True)
        path.with_suffix(SUFFIX).unlink(missing_ok=True)
        forget(path)
