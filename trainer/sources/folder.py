"""The data folder: which of its files hold a symbol's candles, by the names of files and folders alone.

A file's own name goes before those of its folders, and the symbol that is asked for goes before any other
reading of a name: ``seconds_sparse_kraken_BTCUSDC_1m.zip`` is BTCUSDC, ``BTC/USDT/1m.csv`` and
``BTC_USDT-1m.feather`` are BTCUSDT.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, NoReturn

from common.errors import DataError
from common.out_folder import DATABASE_NAME
from common.timeframes import Timeframe

QUOTES = (
    *("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "DAI", "USD"),
    *("EUR", "GBP", "JPY", "KRW", "TRY", "BRL", "AUD", "BTC", "ETH", "BNB"),
)
"""Currencies that a symbol may end in; needed only to see that a name names some other symbol."""

COMPANIONS = (".checksum", ".sha256", ".md5", ".part", ".tmp", ".crdownload")
"""Endings of files that lie beside candles and hold none."""

NOT_SOURCES = frozenset({"CACHEDIR.TAG", DATABASE_NAME})
"""A file of this name says that its folder is a cache or the out folder of a night, and holds no sources."""

NOT_FOLDERS = frozenset({"lost+found"})
"""Folders that disks have of their own and that only root can read."""

_WORD = re.compile(r"[A-Za-z0-9]+")
_TIMEFRAME = re.compile(r"(?<![A-Za-z0-9])(\d{1,4})(min|[smhdwM])(?![A-Za-z0-9])")
_UNIT_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800, "M": 2_592_000}
_NAMES = {timeframe.seconds: timeframe for timeframe in Timeframe}


@dataclass(frozen=True)
class SourceFile:
    """One file of the data folder; `relative` is its path below the folder with ``/`` between the parts."""

    path: Path
    relative: str
    size: int
    mtime_ns: int


def source_files(data_dir: Path, symbol: str) -> list[SourceFile]:
    """Find the files that hold a symbol's candles, by name, without opening any.

    Parameters
    ----------
    data_dir : Path
        Searched with all its folders; passed over are names that begin with a dot, and within it caches and
        the out folders of nights.
    symbol : str
        Canonical spelling.

    Returns
    -------
    list of SourceFile
        Sorted by relative path; never empty.

    Raises
    ------
    DataError
        The folder is missing or cannot be read, or holds no file of the symbol.
    """
    if not data_dir.is_dir():
        raise DataError(
            f"{symbol}: there is no data folder {data_dir}", "name the folder of candles with --data DIR"
        )
    files = sorted(_walk(data_dir), key=lambda file: file.relative)
    own = [file for file in files if names_symbol(file.relative, symbol)]
    if not own:
        hint = f"put candles such as {symbol}-1m.zip there, or take {symbol} out of the symbols"
        raise DataError(
            f"{symbol}: no file of {symbol} in {data_dir}; found there: {_inventory(files)}", hint
        )
    return own


def names_symbol(relative: str, symbol: str) -> bool:
    """Whether a path below the data folder names the symbol, in its last part that names any."""
    *folders, name = relative.split("/")
    words = _words(name)
    if _holds(words, symbol):
        return True
    if _symbols(words):
        return False
    for depth in range(len(folders), 0, -1):
        # A symbol may be spread over two folders, as in BTC/USDT.
        words = _words(" ".join(folders[max(depth - 2, 0) : depth]))
        if _holds(words, symbol):
            return True
        if _symbols(_words(folders[depth - 1])):
            return False
    return False


def canonical(text: str) -> str:
    """Return a symbol in its one spelling: letters and digits only, in capitals."""
    return "".join(_words(text))


def names_other_symbol(text: str, symbol: str) -> bool:
    """Whether a text names a symbol, and not this one."""
    words = _words(text)
    return bool(_symbols(words)) and not _holds(words, symbol)


def pair_of(symbol: str) -> tuple[str, str]:
    """Return base and quote currency of a symbol; the quote is empty where it is not known."""
    known = [quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote]
    quote = max(known, key=len, default="")
    return symbol.removesuffix(quote), quote


def named_timeframe(relative: str) -> Timeframe | Literal[""] | None:
    """Return the timeframe that a path names; ``""`` if it cannot be trained, None if none is named.

    The file's own name goes before its folders, nearest first. ``60m`` is ``1h``; ``1M`` is a month, ``1m`` a
    minute.
    """
    for part in reversed(relative.split("/")):
        for number, unit in _TIMEFRAME.findall(part):
            return _NAMES.get(int(number) * _UNIT_SECONDS[unit], "")
    return None


def timeframe_of(interval_ms: int) -> Timeframe | None:
    """Return the timeframe of a bar's length in milliseconds, None where it is none that can be trained."""
    return _NAMES.get(interval_ms // 1000) if interval_ms % 1000 == 0 else None


def _walk(data_dir: Path) -> Iterator[SourceFile]:
    seen: set[tuple[int, int]] = set()

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
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in NOT_FOLDERS)
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or name.lower().endswith(COMPANIONS):
                continue
            of_file = _status(path)
            if of_file is None or not (stat.S_ISREG(of_file.st_mode) or stat.S_ISLNK(of_file.st_mode)):
                continue
            relative = _printable(path.relative_to(data_dir).as_posix())
            yield SourceFile(path, relative, of_file.st_size, of_file.st_mtime_ns)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        # A link that leads nowhere, or in a circle: whoever reads it finds out, and tells it of this file
        # alone.
        with suppress(FileNotFoundError):
            return path.lstat()
    return None


def _printable(name: str) -> str:
    # Names go into reports and onto terminals, which bytes that are no UTF-8 and control characters would
    # break.
    return "".join(character if character.isprintable() else "\ufffd" for character in name)


def _words(text: str) -> list[str]:
    return [word.upper() for word in _WORD.findall(text)]


def _holds(words: list[str], symbol: str) -> bool:
    if symbol in words:
        return True
    for place, pair in enumerate(pairwise(words)):
        # BTC_USDT_USDT is a future settled in USDT, another instrument than the pair BTC_USDT.
        if "".join(pair) == symbol and words[place + 2 : place + 3] != [pair[1]]:
            return True
    return False


def _symbols(words: list[str]) -> list[str]:
    whole = [word for word in words if any(word.endswith(quote) and word != quote for quote in QUOTES)]
    pairs = [first + second for first, second in pairwise(words) if second in QUOTES]
    return whole + pairs


def _inventory(files: list[SourceFile]) -> str:
    if not files:
        return "no file at all"
    names = {name for file in files for name in _symbols(_words(file.relative))[-1:]}
    shown = sorted(names)[:10] or [file.relative for file in files[:3]]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(shown)}{more} ({len(files)} file{'s' if len(files) > 1 else ''})"
