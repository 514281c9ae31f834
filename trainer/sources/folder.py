"""The data folder: which of its files hold a symbol's candles, by the names of files and folders alone.

A file's own name goes before those of its folders, and the symbol that is asked for goes before any other
reading of a name: ``seconds_sparse_kraken_BTCUSDC_1m.zip`` is BTCUSDC, ``BTC/USDT/1m.csv`` and
``BTC_USDT-1m.feather`` are BTCUSDT.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from common.errors import DataError
from common.objects.address import Place
from common.timeframes import Timeframe
from trainer.sources.instruments import TRADED, Kind, kind_of, selected
from trainer.sources.names import exported_by_terminal, symbol_named, written
from trainer.sources.source_file import NOT_SOURCES, SourceFile, is_passed_over, printable
from trainer.sources.stored import NONE, Patience, objects_below

NOT_FOLDERS = frozenset({"lost+found"})
"""Folders that disks have of their own and that only root can read."""

MOST_UNNAMED = 20
"""So many files whose names tell no symbol are opened to look for a column that does."""

_TIMEFRAME = re.compile(r"(?<![A-Za-z0-9])(\d{1,4})(min|[smhdwM])(?![A-Za-z0-9])")
_UNIT_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000}
_NAMES = {timeframe.seconds: timeframe for timeframe in Timeframe}


@dataclass(frozen=True)
class SymbolFiles:
    """The files that a symbol is read from, sorted by path; never empty.

    `kind` is what they are of, and `left_out` names the symbol's files of other kinds, or is empty. Where
    `unnamed` is not empty no name tells the symbol: it says so, and the files are those whose names tell
    none, of which a column may. `links_out` are the links that may be the symbol's and were not followed,
    because they lead out of the folder.
    """

    files: list[SourceFile]
    kind: Kind
    left_out: str
    unnamed: str = ""
    links_out: tuple[str, ...] = ()


def symbol_files(data_dir: Place, symbol: str, patience: Patience = NONE) -> SymbolFiles:
    """Find the files that hold a symbol's candles, by name, without opening any.

    Parameters
    ----------
    data_dir : Path or str
        Searched with all its folders; passed over are names that begin with a dot, within it caches and the
        out folders of nights, and links that lead out of it: what is read may be shown. Of a store, its
        address.
    symbol : str
        Canonical spelling.
    patience : Patience, optional
        How long a store may be away.

    Raises
    ------
    DataError
        The folder is missing or cannot be read, or holds no file that can be of the symbol and trained.
    StoreError
        The store refuses, or is away.
    """
    if isinstance(data_dir, Path) and not data_dir.is_dir():
        raise DataError(
            f"{symbol}: there is no data folder {data_dir}", "name the folder of candles with --data DIR"
        )
    all_out: list[str] = []
    files = _sorted(_files(data_dir, all_out, patience))
    links_out = tuple(link for link in sorted(all_out) if symbol_named(link) in ("", symbol))
    selection = selected([file.relative for file in files], symbol)
    if selection.kind is not None:
        chosen = [files[place] for place in selection.chosen]
        return SymbolFiles(chosen, selection.kind, selection.left_out, links_out=links_out)
    if selection.left_out:
        hint = f"put its spot or perpetual candles there; a contract is a symbol, such as {symbol}240329"
        raise DataError(
            f"{symbol}: no candles in {data_dir} that can be trained, but {selection.left_out}", hint
        )
    problem = f"{symbol}: no file of {symbol} in {data_dir}; found there: {_inventory(files)}"
    problem += f"; {links_told(links_out)}" if links_out else ""
    unnamed = [file for file in files if not symbol_named(file.relative) and kind_of(file.relative) in TRADED]
    if 0 < len(unnamed) <= MOST_UNNAMED:
        return SymbolFiles(unnamed, Kind.SPOT, "", problem, links_out)
    raise DataError(problem, none_named(symbol))


def none_named(symbol: str) -> str:
    """Return what to do about a symbol that no file is of."""
    return f"put candles such as {symbol}-1m.zip there, or take {symbol} out of the symbols"


def links_told(links_out: Sequence[str]) -> str:
    """Return why links are not followed, and what to do, in one clause."""
    more = f" and {len(links_out) - 3:,} more" if len(links_out) > 3 else ""
    one = len(links_out) == 1
    return (
        f"{', '.join(links_out[:3])}{more} {'is a link that leads' if one else 'are links that lead'} out of "
        f"the folder and {'was' if one else 'were'} not followed: put the files themselves there, or name "
        "their folder with --data"
    )


def source_files(data_dir: Place, symbol: str) -> list[SourceFile]:
    """Return the files of `symbol_files` whose names tell the symbol.

    Raises
    ------
    DataError
        As of `symbol_files`, and where no name tells the symbol.
    """
    found = symbol_files(data_dir, symbol)
    if found.unnamed:
        raise DataError(found.unnamed, none_named(symbol))
    return found.files


def files_below(data_dir: Place) -> list[SourceFile]:
    """Return all files of the data folder or store that may hold candles, sorted by relative path.

    Raises
    ------
    DataError
        The folder cannot be read.
    StoreError
        The store refuses, or is away.
    """
    return _sorted(_files(data_dir, [], NONE))


def named_timeframe(relative: str) -> Timeframe | Literal[""] | None:
    """Return the timeframe that a path names; ``""`` if it cannot be trained, None if none is named.

    The file's own name goes before its folders, nearest first. ``60m`` is ``1h``; ``1M`` is a month, ``1m`` a
    minute; ``BTCUSDT60.csv`` are hours.
    """
    exported = exported_by_terminal(relative.rpartition("/")[2])
    if exported:
        return _NAMES.get(exported[1] * 60, "")
    for part in reversed(relative.split("/")):
        for number, unit in _TIMEFRAME.findall(part):
            return _NAMES.get(int(number) * _UNIT_SECONDS[unit], "")
    return None


def timeframe_of(interval_ms: int) -> Timeframe | None:
    """Return the timeframe of a bar's length in milliseconds, None where it is none that can be trained."""
    return _NAMES.get(interval_ms // 1000) if interval_ms % 1000 == 0 else None


def _sorted(files: Iterable[SourceFile]) -> list[SourceFile]:
    return sorted(files, key=lambda file: file.relative)


def _files(data_dir: Place, links_out: list[str], patience: Patience) -> Iterable[SourceFile]:
    if isinstance(data_dir, Path):
        return _walk(data_dir, links_out)
    return objects_below(data_dir, patience)


def _walk(data_dir: Path, links_out: list[str]) -> Iterator[SourceFile]:
    """Yield the files of a folder, and note the links that lead out of it."""
    seen: set[tuple[int, int]] = set()
    root = os.path.realpath(data_dir)

    def leads_out(path: Path) -> bool:
        if not path.is_symlink() or Path(os.path.realpath(path)).is_relative_to(root):
            return False
        links_out.append(printable(path.relative_to(data_dir).as_posix()))
        return True

    def refuse(error: OSError) -> NoReturn:
        raise DataError(f"{error.filename}: the folder cannot be read: {error.strerror}") from error

    for folder, folders, names in os.walk(data_dir, followlinks=True, onerror=refuse):
        try:
            status = os.stat(folder)  # noqa: PTH116
        except OSError as error:
            refuse(error)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        if NOT_SOURCES.intersection(names) and Path(folder) != data_dir:
            folders.clear()
            continue
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in NOT_FOLDERS and not leads_out(Path(folder, name))
        )
        for name in names:
            path = Path(folder, name)
            if is_passed_over(name) or leads_out(path):
                continue
            of_file = _status(path)
            if of_file is None or not (stat.S_ISREG(of_file.st_mode) or stat.S_ISLNK(of_file.st_mode)):
                continue
            relative = printable(path.relative_to(data_dir).as_posix())
            # Whoever opens it follows no link: by then it may be another.
            own = Path(os.path.realpath(path)) if path.is_symlink() else path
            yield SourceFile(own, relative, of_file.st_size, of_file.st_mtime_ns)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        # A link that leads nowhere, or in a circle: whoever reads it finds out, and tells it of this file
        # alone.
        with suppress(FileNotFoundError):
            return path.lstat()
    return None


def _inventory(files: list[SourceFile]) -> str:
    if not files:
        return "no file at all"
    names = {symbol for file in files if (symbol := symbol_named(file.relative))}
    shown = sorted(written(name) for name in names)[:10] or [file.relative for file in files[:3]]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(shown)}{more} ({len(files)} file{'s' if len(files) > 1 else ''})"
