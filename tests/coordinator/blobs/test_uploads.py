"""What the out folder keeps is brought to an object store; nothing is lost while that is away."""

from __future__ import annotations

import hashlib
from pathlib import Path
from random import Random

import pytest

from common.errors import StorageError
from common.objects.store import open_objects
from common.out_folder import OutFolder
from coordinator.assembly import Parts, assemble
from coordinator.blobs.uploads import Uploads
from coordinator.champions.registry import champions
from coordinator.store.database import Database
from tests.coordinator.one_cell import direction, trained
from tests.coordinator.specimens import Clock, MakeNight, Night, digest, settings
from tests.coordinator.wire import tokens


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def inodes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "disk" / "store"


@pytest.fixture
def mounted(store: Path) -> Path:
    store.parent.mkdir()
    return store


def ended(make_night: MakeNight, store: Path) -> tuple[Night, Uploads]:
    """A night of one cell that has ended, and what sends it."""
    night = make_night(artifacts=f"file://{store}")
    trained(night)
    for _ in range(2):
        night.housekeeping.tick()
    assert night.uploads is not None
    return night, night.uploads


def expected(night: Night) -> dict[str, bytes]:
    out = OutFolder(night.out)
    kept = {f"blobs/{path.name}": path.read_bytes() for path in out.blobs.iterdir()}
    kept |= {f"logs/{path.name}": path.read_bytes() for path in out.logs.glob("batch_train_*_*.[jh]*")}
    shown = {f"direction/{name}": path.read_bytes() for name, path in direction(night).items()}
    return kept | {name: content for name, content in shown.items() if name.endswith(".json")}


def test_models_results_report_and_champions_of_a_night_are_in_the_store_byte_for_byte(
    make_night: MakeNight, mounted: Path
) -> None:
    night, uploads = ended(make_night, mounted)
    assert uploads.send()
    assert files(mounted) == expected(night)
    assert sorted(name.partition("/")[0] for name in files(mounted)) == ["blobs", "direction", "logs", "logs"]
    assert uploads.troubles() == () and uploads.standing().waiting == 0


def test_while_the_store_is_away_all_is_kept_and_it_is_said_what_waits(
    make_night: MakeNight, store: Path, clock: Clock
) -> None:
    night, uploads = ended(make_night, store)
    assert not uploads.send()
    clock.advance(90)
    assert not uploads.send()
    assert uploads.standing().waiting == 4
    assert uploads.standing().oldest_seconds(clock()) == 90
    [trouble] = uploads.troubles()
    assert f"artifacts: 4 files wait since 2026-03-02 12:00 UTC to be sent to file://{store}: " in trouble
    assert "is not there" in trouble
    store.parent.mkdir()
    assert uploads.send()
    assert files(store) == expected(night) and uploads.troubles() == ()


def test_the_next_process_sends_what_the_one_before_it_has_not(make_night: MakeNight, store: Path) -> None:
    night, uploads = ended(make_night, store)
    assert not uploads.send()
    store.parent.mkdir()
    again = make_night(artifacts=f"file://{store}")
    again.housekeeping.start()
    again.housekeeping.stop()
    assert again.uploads is not None and again.uploads.send()
    assert files(store) == expected(night)


def test_what_is_in_the_store_is_not_sent_again_and_what_was_removed_there_is(
    make_night: MakeNight, mounted: Path
) -> None:
    night, uploads = ended(make_night, mounted)
    assert uploads.send()
    before = inodes(mounted)
    assert uploads.send()
    [lost] = (mounted / "blobs").iterdir()
    lost.unlink()
    assert Uploads(open_objects(f"file://{mounted}"), OutFolder(night.out), night.artifacts, Clock()).send()
    after = inodes(mounted)
    assert {name for name in before if after[name] != before[name]} <= {lost.name}
    assert files(mounted) == expected(night)


def test_results_that_are_written_again_are_sent_again(make_night: MakeNight, mounted: Path) -> None:
    night, uploads = ended(make_night, mounted)
    assert uploads.send()
    [results] = OutFolder(night.out).logs.glob("batch_train_results_*")
    results.write_bytes(b"{}")
    assert uploads.send()
    assert (mounted / "logs" / results.name).read_bytes() == b"{}"


def test_a_damaged_model_is_not_sent_and_keeps_no_other_one_back(
    make_night: MakeNight, mounted: Path
) -> None:
    night, uploads = ended(make_night, mounted)
    damaged = OutFolder(night.out).blobs / digest("a model")
    damaged.write_bytes(b"a mode")
    assert not uploads.send()
    assert files(mounted) == {name: one for name, one in expected(night).items() if damaged.name not in name}
    [trouble] = uploads.troubles()
    assert "1 file waits" in trouble and f"{damaged} is damaged" in trouble


def test_a_coordinator_that_was_replaced_meanwhile_shows_no_champion_of_before(
    make_night: MakeNight, mounted: Path
) -> None:
    _, uploads = ended(make_night, mounted)
    name = "BTCUSDT_1h_H1_logreg_optimized.json"
    assert uploads.send()
    uploads.show({name: b"an older one"}, lambda: False)
    assert uploads.send() and (mounted / "direction" / name).read_bytes() != b"an older one"
    uploads.show({name: None}, lambda: True)
    assert uploads.send() and not (mounted / "direction" / name).exists()


def test_the_manifest_of_a_champion_names_its_model_in_the_store(
    make_night: MakeNight, mounted: Path
) -> None:
    night, uploads = ended(make_night, mounted)
    assert uploads.send()
    with night.database.read() as tx:
        [champion] = champions(tx.connection)
    content = (mounted / "blobs" / champion.sha256).read_bytes()
    assert hashlib.sha256(content).hexdigest() == champion.sha256
    assert (
        champion.sha256.encode()
        in (mounted / "direction" / "BTCUSDT_1h_H1_logreg_optimized.json").read_bytes()
    )


def coordinator(database_url: str, clock: Clock, tmp_path: Path, store: Path) -> Parts:
    database = Database(database_url, clock)
    chosen = settings(artifacts=f"file://{store}")
    return assemble(database, chosen, tmp_path / "out", tokens("t" * 40), True, Random(1))


def test_a_model_that_is_gone_or_damaged_here_comes_back_from_the_store(
    database_url: str, clock: Clock, tmp_path: Path, mounted: Path
) -> None:
    (tmp_path / "out").mkdir()
    parts = coordinator(database_url, clock, tmp_path, mounted)
    assert parts.uploads is not None
    parts.artifacts.store(b"a model", digest("a model"))
    assert parts.uploads.send()
    path = parts.out.blobs / digest("a model")
    path.write_bytes(b"a mode")
    assert parts.artifacts.read(digest("a model")) == b"a model" == path.read_bytes()
    path.unlink()
    assert parts.artifacts.holds(digest("a model")) and path.exists()
    assert not parts.artifacts.holds(digest("another"))
    with pytest.raises(StorageError, match="cannot be read"):
        parts.artifacts.read(digest("another"))
    (mounted / "blobs" / path.name).write_bytes(b"a mode")
    path.unlink()
    with pytest.raises(StorageError, match="is damaged"):
        parts.artifacts.read(digest("a model"))
    mounted.rename(mounted.with_name("elsewhere"))
    with pytest.raises(StorageError, match="is not there"):
        # Whether it is lost cannot be known while the store is away.
        parts.artifacts.holds(digest("a model"))
    parts.database.close()


def test_status_and_metrics_say_what_waits(
    database_url: str, clock: Clock, tmp_path: Path, store: Path
) -> None:
    (tmp_path / "out").mkdir()
    parts = coordinator(database_url, clock, tmp_path, store)
    assert parts.uploads is not None
    parts.artifacts.store(b"a model", digest("a model"))
    assert not parts.uploads.send()
    clock.advance(60)
    [warning] = [one for one in parts.status.document().warnings if one.startswith("artifacts: ")]
    assert "1 file waits" in warning
    told = {sample.name: sample.value for family in parts.registry.collect() for sample in family.samples}
    assert told["nighttrain_artifacts_unsent"] == 1
    assert told["nighttrain_artifacts_unsent_oldest_seconds"] == 60
    parts.database.close()
