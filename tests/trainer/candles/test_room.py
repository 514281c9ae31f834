"""The bound of the cache: what was used longest ago goes first, and nothing that is read."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from common.timeframes import Timeframe
from tests.candle_fixtures import candles
from tests.small_disk import Disk, small_disk  # noqa: F401
from trainer.candles import checked
from trainer.candles.cache import find_report, open_candles, store_candles
from trainer.candles.candles import Candles
from trainer.candles.room import OBJECTS, Room

ROWS = 1000
FILE_BYTES = 4096 + ROWS * 8 * 6


def series(seed: int) -> Candles:
    return Candles.of("BTCUSDT", Timeframe.M1, candles(ROWS, seed=seed), synthetic=True)


def kept(cache: Path, *several: Candles) -> list[bool]:
    return [any(cache.glob(f"candles/BTCUSDT/1m-{one.digest}.columns")) for one in several]


def age(cache: Path, *several: Candles) -> None:
    """Say that they were used long ago, the first one longest."""
    for place, one in enumerate(several):
        for path in cache.glob(f"candles/BTCUSDT/*1m-{one.digest}.columns*"):
            moment = 1_700_000_000 + place
            os.utime(path, (moment, moment))


def test_what_was_used_longest_ago_is_dropped_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is opened within a tick of its change is not known to be good, nor noted as used.
    monkeypatch.setattr(checked, "WORTH_WAITING_BYTES", 0)
    first, second, third, fourth = map(series, range(4))
    counts: dict[str, int] = {}
    room = Room(3 * FILE_BYTES, lambda what, number: counts.update({what: counts.get(what, 0) + number}))
    for one in (first, second, third):
        store_candles(tmp_path, one, room)
    age(tmp_path, first, second, third)
    assert not counts
    # Used again, without its content or its times being touched.
    assert open_candles(tmp_path, "BTCUSDT", Timeframe.M1, first.digest) is not None
    assert open_candles(tmp_path, "BTCUSDT", Timeframe.M1, first.digest) is not None
    store_candles(tmp_path, fourth, room)
    assert kept(tmp_path, first, second, third, fourth) == [True, False, True, True]
    assert counts == {"dropped_files": 1, "dropped_bytes": FILE_BYTES}
    assert not list(tmp_path.glob(f"candles/BTCUSDT/.*{second.digest}*"))


def test_what_is_read_stays_even_over_the_bound(tmp_path: Path) -> None:
    first, second, third = map(series, range(3))
    room = Room(2 * FILE_BYTES)
    held = store_candles(tmp_path, first, room)
    assert held is not None
    store_candles(tmp_path, second, room)
    age(tmp_path, first, second)
    store_candles(tmp_path, third, room)
    assert kept(tmp_path, first, second, third) == [True, False, True]
    del held
    age(tmp_path, first)
    store_candles(tmp_path, second, room)
    assert kept(tmp_path, first, second, third) == [False, True, True]


def _read(cache: Path, digest: str, ready: object, leave: object) -> None:
    # The array alone is kept, as training does.
    opened = open_candles(cache, "BTCUSDT", Timeframe.M1, digest)
    assert opened is not None
    close = opened.close
    del opened
    ready.set()  # type: ignore[attr-defined]
    leave.wait()  # type: ignore[attr-defined]
    assert len(close) == ROWS


@pytest.mark.parametrize("end", ["leaves", "is killed"])
def test_what_another_process_reads_stays_until_it_ends(tmp_path: Path, end: str) -> None:
    first, second = series(0), series(1)
    store_candles(tmp_path, first)
    spawn = multiprocessing.get_context("spawn")
    ready, leave = spawn.Event(), spawn.Event()
    reader = spawn.Process(target=_read, args=(tmp_path, first.digest, ready, leave))
    reader.start()
    assert ready.wait(60)
    store_candles(tmp_path, second, Room(FILE_BYTES))
    assert kept(tmp_path, first, second) == [True, True]
    reader.kill() if end == "is killed" else leave.set()
    reader.join()
    Room(FILE_BYTES).make(tmp_path, 0)
    assert sum(kept(tmp_path, first, second)) == 1


def test_reports_and_fetched_objects_count_too(tmp_path: Path) -> None:
    objects = tmp_path / OBJECTS
    objects.mkdir(parents=True)
    for number in range(4):
        (objects / f"{number}-x").write_bytes(bytes(1000))
        os.utime(objects / f"{number}-x", (1_700_000_000 + number,) * 2)
    (objects / ".lock").write_bytes(b"")
    Room(2500).make(tmp_path, 0)
    assert sorted(path.name for path in objects.iterdir()) == [".lock", "2-x", "3-x"]
    assert find_report(tmp_path, "BTCUSDT", "key") is None


def test_a_full_disk_is_made_room_on_before_the_bound_is_reached(
    small_disk: Disk,  # noqa: F811
) -> None:
    cache = small_disk.folder / "cache"
    objects = cache / OBJECTS
    objects.mkdir(parents=True)
    (objects / "old-x").write_bytes(bytes(2 << 20))
    small_disk.fill(leave=1 << 20)
    one = series(0)
    assert store_candles(cache, one, Room(1 << 30)) is not None
    assert not (objects / "old-x").exists() and kept(cache, one) == [True]
