"""Candles in a store: read as those of a folder with the same names, and never half one and half another."""

from __future__ import annotations

import fcntl
import hashlib
import io
import multiprocessing
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import DataError, StorageError
from common.objects.store import ChangedError, Stored, StoreError
from common.protocol.jobs import SurveySpec
from common.timeframes import Timeframe
from tests.candle_fixtures import POLICY, candles, csv_text
from tests.faulty_store import BUCKET, FaultyStore, faulty_store
from tests.object_store import put_in
from trainer.candles.room import OBJECTS, Room
from trainer.sources.folder import files_below, symbol_files
from trainer.sources.kept import at_hand
from trainer.sources.stored import AWAY, Patience, fetch, objects_below
from trainer.survey.survey import LISTINGS, survey

URL = f"s3://{BUCKET}/spot"
SPEC = SurveySpec(symbol="BTCUSDT", timeframes=(Timeframe.M1, Timeframe.M5), policy=POLICY)
NAME = "spot/BTCUSDT-1m.csv"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyStore]:
    with faulty_store() as made:
        put_in(monkeypatch, made.environment)
        made.objects[NAME] = csv_text(candles(3000)).encode()
        yield made


class Told:
    """What is counted of the cache and said of the progress."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.stages: list[str] = []

    def room(self, most_bytes: int | None = None) -> Room:
        return Room(most_bytes, self.count)

    def count(self, what: str, number: int) -> None:
        self.counts[what] = self.counts.get(what, 0) + number

    def progress(self, stage: str, done: int, total: int) -> None:
        self.stages.append(stage)


def write_below(folder: Path, store: FaultyStore) -> None:
    for name, content in store.objects.items():
        path = folder / name.removeprefix("spot/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def test_the_same_names_are_read_as_in_a_folder(store: FaultyStore, tmp_path: Path) -> None:
    own = store.objects.pop(NAME)
    names = ["BTCUSDT/1m/a b=1 %41.csv", "ETHUSDT-1m.csv", ".hidden.csv", ".git/BTCUSDT-1m.csv", "x.csv.md5"]
    names += ["night/nighttrain.db", "night/BTCUSDT-5m.csv", "old/CACHEDIR.TAG", "old/deep/BTCUSDT-1h.csv"]
    store.objects |= {f"spot/{name}": own for name in names}
    write_below(tmp_path, store)
    # Another prefix that begins alike, and a folder that somebody made by hand.
    store.objects |= {"spot2/BTCUSDT-1h.csv": own, "spot/empty/": b""}
    found = [file.relative for file in files_below(URL)]
    assert found == [file.relative for file in files_below(tmp_path)]
    assert found == ["BTCUSDT/1m/a b=1 %41.csv", "ETHUSDT-1m.csv"]
    assert [file.relative for file in symbol_files(URL, "BTCUSDT").files] == found[:1]


def test_a_survey_of_a_store_is_that_of_a_folder_and_the_next_fetches_nothing(
    store: FaultyStore, tmp_path: Path
) -> None:
    store.objects["spot/BTCUSDT-1m-b.csv"] = csv_text(candles(500, start_ms=1_672_900_000_000)).encode()
    write_below(tmp_path / "data", store)
    of_folder = survey(SPEC, tmp_path / "data", tmp_path / "a", lambda *_: None)
    first = survey(SPEC, URL, tmp_path / "b", lambda *_: None)
    assert first == of_folder and not first.cache_hit
    fetched = store.gets()
    assert len(fetched) == 2
    again = survey(SPEC, URL, tmp_path / "b", lambda *_: None)
    assert again.cache_hit and store.gets() == fetched


def test_only_what_is_new_is_fetched(store: FaultyStore, tmp_path: Path) -> None:
    survey(SPEC, URL, tmp_path, lambda *_: None)
    store.objects["spot/BTCUSDT-1m-new.csv"] = csv_text(candles(500, start_ms=1_672_900_000_000)).encode()
    told = Told()
    report = survey(SPEC, URL, tmp_path, told.progress, told.room())
    assert not report.cache_hit and len(report.files) == 2
    assert store.gets() == [NAME, "spot/BTCUSDT-1m-new.csv"]
    assert told.counts == {
        "objects_hit": 1,
        "objects_missed": 1,
        "fetched_bytes": len(store.objects["spot/BTCUSDT-1m-new.csv"]),
    }


def test_an_object_of_the_same_size_and_time_but_another_content_is_another(
    store: FaultyStore, tmp_path: Path
) -> None:
    first = survey(SPEC, URL, tmp_path, lambda *_: None)
    changed = store.objects[NAME].replace(b"1000.0", b"1001.0", 1)
    assert len(changed) == len(store.objects[NAME])
    store.objects[NAME] = changed
    second = survey(SPEC, URL, tmp_path, lambda *_: None)
    assert second.series[0].digest != first.series[0].digest


def listed(store: FaultyStore, content: bytes) -> Stored:
    store.objects = {NAME: content}
    (file,) = objects_below(URL)
    assert file.stored is not None
    return file.stored


@pytest.mark.parametrize("conditions", [True, False])
def test_an_object_that_becomes_another_while_it_is_read_is_never_mixed(
    store: FaultyStore, conditions: bool
) -> None:
    store.conditions = conditions
    before, after = os.urandom(3 << 20), os.urandom(3 << 20)
    stored = listed(store, before)

    def change(what: str, name: str) -> int | None:
        if what == "get" and store.objects[NAME] is before and len(store.gets()) == 1:
            return 1 << 20
        store.objects[NAME] = after
        return None

    store.fault = change
    with pytest.raises(ChangedError, match="changes while it is read"):
        fetch(URL, stored, io.BytesIO(), Patience(5.0))


def test_an_etag_is_the_same_with_quotes_and_without(store: FaultyStore) -> None:
    content = os.urandom(1000)
    store.listed_tag = lambda body: hashlib.md5(body).hexdigest()
    into = io.BytesIO()
    fetch(URL, listed(store, content), into, Patience(5.0))
    assert into.getvalue() == content


def test_without_an_etag_the_time_tells_one_object_from_another(store: FaultyStore) -> None:
    store.tags, store.listed_tag = False, lambda body: ""
    stored = listed(store, os.urandom(1000))
    fetch(URL, stored, io.BytesIO(), Patience(5.0))
    store.modified = "Mon, 02 Mar 2026 01:02:04 GMT"
    with pytest.raises(ChangedError, match="changes while it is read"):
        fetch(URL, stored, io.BytesIO(), Patience(5.0))


def test_a_survey_looks_again_where_an_object_was_replaced_and_gives_up_where_it_always_is(
    store: FaultyStore, tmp_path: Path
) -> None:
    contents = [csv_text(candles(3000, seed=seed)).encode() for seed in range(1, 10)]
    left = iter(contents)
    replaced = 1

    def replace(what: str, name: str) -> None:
        nonlocal replaced
        if what == "get" and replaced:
            replaced -= 1
            store.objects[NAME] = next(left)

    store.fault = replace
    survey(SPEC, URL, tmp_path, lambda *_: None)
    assert len(store.gets()) == 2
    replaced, store.objects[NAME] = 9, next(left)
    with pytest.raises(StoreError, match=f"{URL}: BTCUSDT-1m.csv changes while it is read"):
        survey(SPEC, URL, tmp_path, lambda *_: None)
    assert len(store.gets()) == 2 + LISTINGS


def test_a_broken_connection_is_made_again_where_it_broke(store: FaultyStore) -> None:
    content = random.Random(5).randbytes(5 << 20)
    stored = listed(store, content)
    store.fault = lambda what, name: (2 << 20) if what == "get" and len(store.gets()) < 3 else None
    told, file = Told(), io.BytesIO()
    fetch(URL, stored, file, Patience(5.0, told.progress))
    assert file.getvalue() == content
    first, *rest = store.gets()
    assert (
        first == NAME and len(rest) == 2 and all("bytes=" in name and "bytes=0-" not in name for name in rest)
    )
    assert AWAY in told.stages


def test_a_store_that_is_away_for_a_moment_is_waited_for(store: FaultyStore) -> None:
    store.fault = lambda what, name: (503, "SlowDown") if len(store.asked) < 5 else None
    told = Told()
    assert [file.relative for file in objects_below(URL, Patience(10.0, told.progress))] == ["BTCUSDT-1m.csv"]
    assert set(told.stages) == {AWAY}


REFUSALS = {
    (404, "NoSuchBucket"): "there is no such bucket (make it, or correct the address)",
    (403, "AccessDenied"): "refused: these credentials may not do that (check AWS_",
    (403, "ExpiredToken"): "refused: the session token has expired (check AWS_",
    (301, "PermanentRedirect"): "the bucket is in another region (set AWS_REGION to its region)",
    (400, "AuthorizationHeaderMalformed"): "the bucket is in another region (set AWS_REGION to its region)",
    (403, "InvalidObjectState"): "refused: the object is in an archive, and must be restored first (check",
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_said_at_once_in_one_line(store: FaultyStore, refusal: tuple[int, str]) -> None:
    store.fault = lambda what, name: refusal
    told = Told()
    with pytest.raises(StoreError) as error:
        objects_below(URL, Patience(60.0, told.progress))
    assert str(error.value).startswith(f"{URL}: {REFUSALS[refusal]}"), str(error.value)
    assert not told.stages and not error.value.passing


def test_whoever_waits_for_a_store_can_be_stopped(store: FaultyStore) -> None:
    store.fault = lambda what, name: (503, "SlowDown")

    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        objects_below(URL, Patience(60.0, stop))


def test_nothing_of_an_object_that_could_not_be_fetched_is_kept(store: FaultyStore, tmp_path: Path) -> None:
    stored = listed(store, os.urandom(3 << 20))
    store.fault = lambda what, name: 1 << 20
    (file,) = objects_below(URL)
    with pytest.raises(StoreError), at_hand(URL, file, tmp_path, Room(), Patience()):
        pass
    assert {path.name for path in (tmp_path / OBJECTS).iterdir()} == {"CACHEDIR.TAG", ".lock"}
    store.fault = lambda what, name: None
    with at_hand(URL, file, tmp_path, Room(), Patience()) as here:
        assert here.path is not None and here.path.stat().st_size == stored.size


def _survey(cache: Path) -> None:
    survey(SPEC, URL, cache, lambda *_: None)


def test_trainers_of_a_host_fetch_an_object_once_for_all(store: FaultyStore, tmp_path: Path) -> None:
    second = threading.Event()

    def hold_the_first(what: str, name: str) -> None:
        if what == "get" and len(store.gets()) == 1:
            # Until the other would have asked too.
            second.wait(3.0)
        elif what == "get":
            second.set()

    store.fault = hold_the_first
    spawn = multiprocessing.get_context("spawn")
    several = [spawn.Process(target=_survey, args=(tmp_path,)) for _ in range(2)]
    for process in several:
        process.start()
    for process in several:
        process.join(120)
    assert [process.exitcode for process in several] == [0, 0]
    assert store.gets() == [NAME]


@pytest.mark.parametrize("damage", [b"", b"x"])
def test_a_kept_object_that_is_cut_or_damaged_is_fetched_anew(
    store: FaultyStore, tmp_path: Path, damage: bytes
) -> None:
    (file,) = objects_below(URL)
    with at_hand(URL, file, tmp_path, Room(), Patience()) as here:
        path = here.path
    assert path is not None
    content = path.read_bytes()
    path.write_bytes(content[:-1] + damage)
    with at_hand(URL, file, tmp_path, Room(), Patience()) as here:
        assert here.path is not None and here.path.read_bytes() == content
    assert len(store.gets()) == 2


def test_a_kept_object_that_is_just_being_dropped_is_fetched_anew(store: FaultyStore, tmp_path: Path) -> None:
    (file,) = objects_below(URL)
    with at_hand(URL, file, tmp_path, Room(), Patience()) as here:
        path = here.path
    assert path is not None
    with path.open() as dropped:
        fcntl.flock(dropped, fcntl.LOCK_EX)
        with at_hand(URL, file, tmp_path, Room(), Patience()) as here:
            # Between the lock of whoever drops it and the end of the name.
            assert here.path is not None and here.path.stat().st_ino != os.fstat(dropped.fileno()).st_ino
    assert len(store.gets()) == 2


def test_what_a_killed_fetch_left_is_gone_with_the_next(store: FaultyStore, tmp_path: Path) -> None:
    (file,) = objects_below(URL)
    left: list[str] = []

    def killed(stage: str, done: int, total: int) -> None:
        (unfinished,) = (tmp_path / OBJECTS).glob(".*.unfinished")
        os.link(unfinished, tmp_path / "copy")
        left.append(unfinished.name)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), at_hand(URL, file, tmp_path, Room(), Patience(0.0, killed)):
        pass
    os.link(tmp_path / "copy", tmp_path / OBJECTS / left[0])
    with at_hand(URL, file, tmp_path, Room(), Patience()) as here:
        assert here.path is not None and here.path.stat().st_size == file.size
    assert not list((tmp_path / OBJECTS).glob(".*.unfinished"))


def test_an_object_that_is_larger_than_the_cache_is_refused_in_one_line(
    store: FaultyStore, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"BTCUSDT-1m.csv has .* GiB, more than the cache.*raise max_cache"):
        survey(SPEC, URL, tmp_path, lambda *_: None, Room(1000))
    assert not store.gets()


def test_a_cache_that_cannot_be_written_is_said_to_be(store: FaultyStore, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(StorageError, match="cannot be written"):
        survey(SPEC, URL, tmp_path / "cache", lambda *_: None)
