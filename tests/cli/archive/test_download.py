"""Candles fetched from an archive that also breaks, lacks, delays, cuts and corrupts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from cli.archive.download import Downloaded, Wanted, Watcher, assert_reachable, download
from cli.archive.fetch import TRIES, Fetcher
from cli.archive.layout import Market, Series
from common.errors import ConflictError, UnavailableError
from tests.cli.archive.candle_archive import CandleArchive, serving

TODAY = date(2025, 3, 4)
BTC = Series(Market.SPOT, "BTCUSDT", "1h")
Fetch = Callable[..., Downloaded]


@pytest.fixture
def archive() -> Iterator[CandleArchive]:
    """November to January as months, February and March as days, without one of them."""
    archive = CandleArchive()
    for year, month in ((2024, 11), (2024, 12), (2025, 1)):
        archive.add_month("BTCUSDT", year, month)
    for day in range(1, 29):
        if day != 14:
            archive.add_day("BTCUSDT", date(2025, 2, day))
    for day in (1, 2, 3):
        archive.add_day("BTCUSDT", date(2025, 3, day))
    with serving(archive):
        yield archive


@pytest.fixture
def fetch(archive: CandleArchive, tmp_path: Path) -> Fetch:
    def call(start: date | None = date(2024, 11, 1), today: date = TODAY, series: Series = BTC) -> Downloaded:
        with httpx.Client(timeout=0.5) as client:
            fetcher = Fetcher(client, archive.url, threading.Event(), pause_seconds=0.01)
            nobody = Watcher(lambda _: None, lambda _: None, lambda *_: None)
            return download(Wanted([series], start, today, tmp_path), fetcher, 4, nobody)

    return call


def files(folder: Path) -> list[str]:
    return sorted(path.name.split("-1h-")[1] for path in folder.rglob("*.zip"))


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".zip")


def assert_as_served(archive: CandleArchive, folder: Path) -> None:
    for path in folder.rglob("*.zip"):
        assert path.read_bytes() == archive.files[path.relative_to(folder).as_posix()]


def test_months_come_whole_and_gaps_are_filled_from_days(
    fetch: Fetch, archive: CandleArchive, tmp_path: Path
) -> None:
    result = fetch()
    assert files(tmp_path)[:3] == ["2024-11.zip", "2024-12.zip", "2025-01.zip"]
    assert len(files(tmp_path)) == 3 + 27 + 3
    assert result.missing == ["BTCUSDT 1h 2025-02-14"]
    assert (result.failed, result.set_aside, result.held) == ({}, [], 0)
    assert_as_served(archive, tmp_path)


def test_what_is_there_is_not_loaded_again(fetch: Fetch, archive: CandleArchive) -> None:
    fetch(start=date(2025, 1, 15))
    assert "2024-12" not in archive.loaded()
    archive.asked.clear()
    result = fetch()
    assert archive.loaded() == ["2024-11", "2024-12"]
    assert result.held == 31
    assert len(result.loaded) == 2


def test_an_update_begins_where_the_candles_end(fetch: Fetch, archive: CandleArchive, tmp_path: Path) -> None:
    fetch(start=date(2025, 1, 1), today=date(2025, 2, 11))
    archive.asked.clear()
    result = fetch(start=None)
    assert min(archive.loaded()) == "2025-02-11"
    assert result.failed == {}
    archive.add_month("BTCUSDT", 2025, 2)
    fetch(start=date(2025, 2, 1))
    # The month has taken the place of its days.
    assert files(tmp_path) == ["2025-01.zip", "2025-02.zip", *(f"2025-03-0{day}.zip" for day in (1, 2, 3))]


def test_an_update_fills_a_month_that_is_missing_between_others(fetch: Fetch, tmp_path: Path) -> None:
    fetch()
    [lost] = tmp_path.rglob("*2024-12.zip")
    lost.unlink()
    assert fetch(start=None).failed == {}
    assert lost.exists()


def test_months_before_the_listing_are_not_asked_for_day_by_day(fetch: Fetch, archive: CandleArchive) -> None:
    fetch(start=date(2024, 1, 1))
    days = [period for period in archive.loaded() if period.startswith("2024-") and len(period) > 7]
    assert days == []
    heads = [
        path for method, path, _ in archive.asked if method == "HEAD" and "/daily/" in path and "2024" in path
    ]
    assert {path.split("-1h-")[1][:7] for path in heads} == {"2024-10"}


def test_a_cut_file_is_resumed_where_it_was_cut(fetch: Fetch, archive: CandleArchive, tmp_path: Path) -> None:
    archive.faults = {"2024-12.zip": ("cut", 2)}
    assert fetch().failed == {}
    ranges = [given for _, path, given in archive.asked if path.endswith("2024-12.zip")]
    size = len(archive.files["spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-12.zip"])
    assert ranges == ["", f"bytes={size // 2}-", f"bytes={size // 2 + (size - size // 2) // 2}-"]
    assert_as_served(archive, tmp_path)
    assert leftovers(tmp_path) == [".download.lock"]


@pytest.mark.parametrize("fault", ["broken", "slow"])
def test_a_server_that_is_broken_or_slow_for_a_while_is_asked_again(
    fetch: Fetch, archive: CandleArchive, tmp_path: Path, fault: str
) -> None:
    archive.faults = {"2024-11.zip": (fault, 2), "2024-12.zip.CHECKSUM": (fault, 1)}
    result = fetch()
    assert result.failed == {}
    assert archive.asked_for("2024-11.zip") == 3
    assert_as_served(archive, tmp_path)


def test_a_wrong_file_is_set_aside_and_tried_again(
    fetch: Fetch, archive: CandleArchive, tmp_path: Path
) -> None:
    archive.faults = {"2024-11.zip": ("wrong", 1)}
    result = fetch()
    assert result.failed == {}
    [aside] = map(Path, result.set_aside)
    assert aside.name == ".BTCUSDT-1h-2024-11.zip.wrong-checksum"
    assert aside.read_bytes().endswith(b"wrong")
    assert_as_served(archive, tmp_path)


def test_a_file_that_stays_wrong_or_unverifiable_is_never_kept(
    fetch: Fetch, archive: CandleArchive, tmp_path: Path
) -> None:
    archive.faults = {"2024-11.zip": ("wrong", 99), "2024-12.zip.CHECKSUM": ("missing", 99)}
    result = fetch()
    november, december = sorted(result.failed)
    assert result.failed[november] == f"its content is not that of its checksum, {TRIES} times"
    assert result.failed[december].startswith("it has no checksum beside it")
    assert "2024-11.zip" not in files(tmp_path)
    assert "2024-12.zip" not in files(tmp_path)
    archive.faults.clear()
    assert fetch().failed == {}
    assert_as_served(archive, tmp_path)


def test_a_part_of_another_file_is_found_out(fetch: Fetch, archive: CandleArchive, tmp_path: Path) -> None:
    folder = tmp_path / "spot/monthly/klines/BTCUSDT/1h"
    folder.mkdir(parents=True)
    (folder / "BTCUSDT-1h-2024-11.zip.part").write_bytes(b"of another file")
    (folder / "BTCUSDT-1h-2024-12.zip.part").write_bytes(b"x" * 100_000)
    result = fetch()
    assert result.failed == {}
    assert len(result.set_aside) == 2
    assert_as_served(archive, tmp_path)


def test_an_unknown_symbol_is_said_to_have_nothing(fetch: Fetch) -> None:
    assert fetch(series=Series(Market.SPOT, "NONEUSDT", "1h")).empty == ["NONEUSDT 1h"]


def test_futures_lie_in_their_own_folder(fetch: Fetch, archive: CandleArchive, tmp_path: Path) -> None:
    archive.add_month("BTCUSDT", 2025, 1, folder="futures/um")
    fetch(series=Series(Market.UM, "BTCUSDT", "1h"), start=date(2025, 1, 1), today=date(2025, 2, 1))
    assert (tmp_path / "futures/um/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2025-01.zip").is_file()
    assert not (tmp_path / "spot").exists()


def test_two_at_once_in_one_folder_are_refused(fetch: Fetch, archive: CandleArchive, tmp_path: Path) -> None:
    archive.faults = {"2024-11.zip": ("slow", 1)}
    began = threading.Event()
    stop = threading.Event()

    def first() -> None:
        with httpx.Client(timeout=20) as client:
            fetcher = Fetcher(client, archive.url, stop, pause_seconds=0.01)
            watcher = Watcher(lambda _: began.set(), lambda _: None, lambda *_: None)
            download(Wanted([BTC], date(2024, 11, 1), TODAY, tmp_path), fetcher, 2, watcher)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert began.wait(10)
        with pytest.raises(ConflictError, match="another download is going on there"):
            fetch()
    finally:
        stop.set()
        archive.release.set()
        thread.join(20)


def test_a_series_whose_files_failed_is_not_said_to_be_missing(fetch: Fetch, archive: CandleArchive) -> None:
    archive.faults = {".CHECKSUM": ("broken", 10_000)}
    result = fetch()
    assert result.failed and result.empty == []


def test_an_archive_that_cannot_be_reached_is_told_at_once(archive: CandleArchive) -> None:
    began = time.monotonic()
    with httpx.Client() as client:
        assert_reachable(client, archive.url)
        for address in ("http://127.0.0.1:9/data", "http://no-such-host.invalid/data"):
            with pytest.raises(
                UnavailableError, match=f"the archive at {address} cannot be reached: "
            ) as told:
                assert_reachable(client, address)
            assert "--archive names a mirror" in told.value.hint
    assert time.monotonic() - began < 30
