"""Candles of several series fetched from the archive: months first, then the days that no month covers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import httpx
from filelock import FileLock, Timeout

from cli.archive.fetch import Ending, Fetched, Fetcher
from cli.archive.layout import Piece, Series, held
from cli.archive.plan import days_wanted, months_wanted, superseded, update_start
from common.errors import ConflictError, StorageError, UnavailableError

KINDS = ("monthly", "daily")
REACH_SECONDS = 5.0


@dataclass(frozen=True)
class Wanted:
    """What to fetch.

    Parameters
    ----------
    series : sequence of Series
        The series.
    start : date or None
        A day of the first month; None begins where what is there has its first hole, or ends.
    today : date
        In UTC.
    out : Path
        The folder of candles.
    """

    series: Sequence[Series]
    start: date | None
    today: date
    out: Path


@dataclass
class Watcher:
    """Is told how it goes; calls come from the thread that asked for the download, but `arrived`."""

    began: Callable[[int], None]
    """So many files more are asked for."""
    arrived: Callable[[int], None]
    """So many bytes more have come; from any thread."""
    ended: Callable[[Piece, Fetched], None]
    """One file is done with."""


@dataclass
class Downloaded:
    """What became of it all."""

    loaded: list[str] = field(default_factory=list)
    held: int = 0
    missing: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    set_aside: list[str] = field(default_factory=list)
    size: int = 0
    stopped: bool = False
    empty: list[str] = field(default_factory=list)
    """Series of which the archive has nothing; one of which a file failed may be there."""


def download(wanted: Wanted, fetcher: Fetcher, parallel: int, watcher: Watcher) -> Downloaded:
    """Fetch what the archive has and the folder has not.

    Raises
    ------
    ConflictError
        Another download is writing to the folder.
    StorageError
        The folder cannot be written.
    """
    lock = FileLock(wanted.out / ".download.lock", blocking=False)
    try:
        wanted.out.mkdir(parents=True, exist_ok=True)
        with lock:
            return _downloaded(wanted, fetcher, parallel, watcher)
    except Timeout:
        raise ConflictError(f"{wanted.out}: another download is going on there", "wait for it") from None
    except OSError as error:
        raise StorageError(f"{wanted.out}: cannot be written: {error.strerror or error}") from error


def _downloaded(wanted: Wanted, fetcher: Fetcher, parallel: int, watcher: Watcher) -> Downloaded:
    result = Downloaded()
    starts = {series: wanted.start or _continued(wanted, series) for series in wanted.series}
    months: list[Piece] = []
    for series, start in starts.items():
        there = held(wanted.out, series)
        result.held += sum(period.last >= start for period in there)
        months += [Piece(series, period) for period in months_wanted(start, wanted.today, there)]
    unpublished = _fetch_all(months, wanted.out, fetcher, parallel, watcher, result)
    days: list[Piece] = []
    for series, start in starts.items():
        lacking = {piece.period for piece in unpublished if piece.series == series}
        there = held(wanted.out, series)
        days += [Piece(series, period) for period in days_wanted(start, wanted.today, there, lacking)]
    if not result.stopped:
        lacking_days = _fetch_all(days, wanted.out, fetcher, parallel, watcher, result)
        result.missing = sorted(f"{piece.series.name} {piece.period}" for piece in lacking_days)
    for series in wanted.series:
        there = held(wanted.out, series)
        own = tuple(f"{series.folder(kind)}/" for kind in KINDS)
        unknown = result.stopped or any(path.startswith(own) for path in result.failed)
        for period in superseded(there):
            (wanted.out / Piece(series, period).relative).unlink(missing_ok=True)
        if not there and not unknown:
            result.empty.append(series.name)
    return result


def _continued(wanted: Wanted, series: Series) -> date:
    there = held(wanted.out, series)
    return update_start(there) if there else wanted.today.replace(day=1)


def _fetch_all(
    pieces: Sequence[Piece],
    out: Path,
    fetcher: Fetcher,
    parallel: int,
    watcher: Watcher,
    result: Downloaded,
) -> list[Piece]:
    """Fetch the files, add to the result what became of them, and return those that the archive lacks."""
    watcher.began(len(pieces))
    missing: list[Piece] = []
    with ThreadPoolExecutor(parallel, thread_name_prefix="download") as pool:
        futures = {
            pool.submit(fetcher.fetch, str(one.relative), out / one.relative, watcher.arrived): one
            for one in pieces
        }
        try:
            for future in as_completed(futures):
                piece, fetched = futures[future], future.result()
                watcher.ended(piece, fetched)
                result.set_aside += [str(path) for path in fetched.set_aside]
                match fetched.ending:
                    case Ending.LOADED:
                        result.loaded.append(str(piece.relative))
                        result.size += fetched.size
                    case Ending.MISSING:
                        missing.append(piece)
                    case Ending.FAILED:
                        result.failed[str(piece.relative)] = fetched.why
                    case Ending.STOPPED:
                        result.stopped = True
        except BaseException:
            # What waits in the pool is not begun any more; what runs ends with its chunk.
            fetcher.stop()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return missing


def assert_reachable(client: httpx.Client, address: str) -> None:
    """Ask the archive anything at all, and give up within seconds: without a network each file takes minutes.

    Raises
    ------
    UnavailableError
        It cannot be reached.
    """
    failed: list[str] = []
    answered = threading.Event()

    def ask() -> None:
        try:
            client.head(address, timeout=REACH_SECONDS)
        except httpx.ReadTimeout:
            # It is there, and slow.
            pass
        except httpx.HTTPError as error:
            failed.append(" ".join(str(error).split()) or type(error).__name__)
        answered.set()

    # A resolver without a network may take longer than any time-out of a connection.
    threading.Thread(target=ask, daemon=True).start()
    in_time = answered.wait(REACH_SECONDS + 1)
    if not in_time or failed:
        why = failed[0] if failed else f"no answer within {REACH_SECONDS:.0f} s"
        hint = "is this machine on the internet? --archive names a mirror, and HTTPS_PROXY a proxy"
        raise UnavailableError(f"the archive at {address} cannot be reached: {why}", hint)


def connect(
    address: str, stop: threading.Event, timeout: float, parallel: int
) -> tuple[httpx.Client, Fetcher]:
    """Return connections to the archive, to be closed, and what fetches over them."""
    limits = httpx.Limits(max_connections=parallel)
    client = httpx.Client(timeout=timeout, limits=limits, follow_redirects=True)
    return client, Fetcher(client, address, stop)
