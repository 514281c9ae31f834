"""The files of promoted models, at each instant."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import StorageError
from common.protocol.jobs import Cell, TrainingSpec
from common.protocol.reports import Manifest
from common.settings.grid import GridConfig
from coordinator.champions.files import manifest_bytes, publish
from coordinator.champions.registry import ChampionRow, champions, record_change
from coordinator.store.blobs import Artifacts
from coordinator.views.jobs import JobListing
from tests.coordinator.one_cell import direction, trained
from tests.coordinator.specimens import Night, digest

STEM = "BTCUSDT_1h_H1_logreg_optimized"
CELL = Cell(symbol="BTCUSDT", timeframe="1h", horizon=1)


class Killed(BaseException):
    """Where a process ends that is killed."""


def seen(directory: Path) -> str | None:
    """What a bot sees in the folder: the digest of a whole pair, or None where there is no model."""
    pickle, manifest = directory / f"{STEM}.pkl", directory / f"{STEM}.json"
    assert pickle.is_file() == manifest.is_file(), "half a pair"
    if not pickle.is_file():
        return None
    named = Manifest.model_validate_json(manifest.read_bytes()).pickle_sha256
    assert hashlib.sha256(pickle.read_bytes()).hexdigest() == named, "two models mixed"
    return named


def killed_at(step: int, monkeypatch: pytest.MonkeyPatch, check: Callable[[], object]) -> None:
    """Have the change of the file system of this number never happen, and look before each one."""
    steps = iter(range(step + 1))
    for name in ("replace", "symlink", "unlink", "rename", "rmdir"):
        genuine = getattr(os, name)

        def change(*arguments: object, genuine: Callable[..., object] = genuine, **named: object) -> object:
            check()
            if next(steps, None) == step:
                raise Killed
            return genuine(*arguments, **named)

        monkeypatch.setattr(os, name, change)


def two_champions(night: Night) -> tuple[ChampionRow, ChampionRow]:
    rows = []
    for seed in ("first", "second"):
        trained(night, seed)
        night.housekeeping.tick()
        with night.database.read() as tx:
            rows += champions(tx.connection)
    first, second = rows
    assert first.sha256 != second.sha256
    return first, second


def test_promoted_models_stand_beside_their_manifests(night: Night) -> None:
    trained(night)
    night.housekeeping.tick()
    files = direction(night)
    assert sorted(files) == [f"{STEM}.json", f"{STEM}.pkl"]
    manifest = Manifest.model_validate_json(files[f"{STEM}.json"].read_bytes())
    assert hashlib.sha256(files[f"{STEM}.pkl"].read_bytes()).hexdigest() == manifest.pickle_sha256


def test_what_is_published_is_what_the_history_says(night: Night) -> None:
    trained(night)
    night.housekeeping.tick()
    with night.database.read() as tx:
        [champion] = champions(tx.connection)
    assert champion.cell.name == "BTCUSDT_1h_H1"
    shown = direction(night)["BTCUSDT_1h_H1_logreg_optimized.json"].read_bytes()
    assert shown == manifest_bytes(champion.document)
    detail = JobListing(night.database, night.settings).detail(2)
    assert isinstance(detail.spec, TrainingSpec) and detail.report is not None
    assert detail.report.manifest.pickle_sha256 == champion.sha256
    assert GridConfig.model_validate(night.run_listing.view(1).config) == night.run_listing.view(1).config


@pytest.mark.parametrize("before", ["nothing", "another model", "plain files of another model"])
@pytest.mark.parametrize("after", ["a model", "nothing"])
def test_a_bot_sees_the_old_model_or_the_new_one_wherever_the_writer_is_killed(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    first, second = two_champions(night)
    wanted, vacant = ([second], []) if after == "a model" else ([], [CELL])
    new = second.sha256 if wanted else None
    finished = False
    for step in range(100):
        directory = tmp_path / f"bot-{step}"
        old = None if before == "nothing" else first.sha256
        if before == "another model":
            publish(night.artifacts, directory, [first], [])
        elif old:
            directory.mkdir()
            (directory / f"{STEM}.pkl").write_bytes(night.artifacts.read(old))
            (directory / f"{STEM}.json").write_bytes(manifest_bytes(first.document))
            if not wanted:
                break  # two plain files cannot go in one step; the .pkl goes first
        assert seen(directory) == old
        with monkeypatch.context() as patched:
            killed_at(step, patched, lambda: seen(directory))  # noqa: B023
            try:
                publish(night.artifacts, directory, wanted, vacant)
                finished = True
            except Killed:
                pass
        assert seen(directory) in (old, new)
        publish(night.artifacts, directory, wanted, vacant)
        assert seen(directory) == new
        publish(night.artifacts, directory, wanted, vacant)
        kept = [path.name for path in (directory / ".models").glob("*") if path.is_dir()]
        assert len(kept) == (2 if wanted else 0), "the pointer and the pair it shows"
        if finished:
            break
    else:
        pytest.fail("it was never finished")


def test_without_symbolic_links_files_are_written_whole_one_after_the_other(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    first, second = two_champions(night)
    monkeypatch.setattr(os, "symlink", refuse)
    for champion in (first, second):
        publish(night.artifacts, tmp_path / "bot", [champion], [])
        assert seen(tmp_path / "bot") == champion.sha256
    publish(night.artifacts, tmp_path / "bot", [], [CELL])
    assert seen(tmp_path / "bot") is None


def test_files_of_other_names_are_left_alone(night: Night, tmp_path: Path) -> None:
    first, _ = two_champions(night)
    own = tmp_path / "bot" / "ETHUSDT_1h_H1_logreg_optimized.pkl"
    publish(night.artifacts, tmp_path / "bot", [first], [])
    own.write_bytes(b"of the user")
    publish(night.artifacts, tmp_path / "bot", [], [CELL])
    assert [path.name for path in (tmp_path / "bot").glob("[!.]*")] == [own.name]


def test_a_champion_that_is_none_any_longer_is_removed_at_the_next_start(night: Night) -> None:
    trained(night)
    night.housekeeping.tick()
    with night.database.write() as tx:
        record_change(tx, CELL, None, "it scores an AUC of 0.48", by="somebody")
    night.housekeeping.start()
    night.housekeeping.stop()
    assert direction(night) == {}


def test_a_missing_blob_is_named(night: Night, tmp_path: Path) -> None:
    first, _ = two_champions(night)
    with pytest.raises(Exception, match="cannot be read"):
        publish(Artifacts(tmp_path / "none"), tmp_path / "bot", [first], [])
    assert seen(tmp_path / "bot") is None and len(digest("x")) == 64


def test_a_copy_that_followed_the_links_is_taken_over(night: Night, tmp_path: Path) -> None:
    first, second = two_champions(night)
    shown, copied = tmp_path / "shown", tmp_path / "copied"
    publish(night.artifacts, shown, [first], [])
    shutil.copytree(shown, copied, symlinks=False)
    assert seen(copied) == first.sha256
    publish(night.artifacts, copied, [second], [])
    assert seen(copied) == second.sha256
    shutil.rmtree(copied)
    shutil.copytree(shown, copied, symlinks=False)
    publish(night.artifacts, copied, [], [CELL])
    assert seen(copied) is None


def test_a_missing_model_keeps_none_after_it_from_being_shown(night: Night, tmp_path: Path) -> None:
    first, second = two_champions(night)
    lost = replace(first, cell=Cell(symbol="ADAUSDT", timeframe="1h", horizon=1), sha256=digest("gone"))
    with pytest.raises(StorageError, match="missing"):
        publish(night.artifacts, tmp_path / "shown", [lost, second], [])
    assert seen(tmp_path / "shown") == second.sha256


@pytest.mark.parametrize("shown_before", [False, True])
def test_all_pairs_and_names_are_on_the_disk_before_the_first_pointer_turns(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown_before: bool
) -> None:
    first, second = two_champions(night)
    cells = [CELL.model_copy(update={"horizon": bars}) for bars in (1, 3, 5)]
    rows = [replace(second, cell=cell) for cell in cells]
    shown = tmp_path / "shown"
    if shown_before:
        publish(night.artifacts, shown, [replace(first, cell=cell) for cell in cells], [])
    done: list[str] = []
    sync, turn, link = os.fsync, os.replace, os.symlink

    def named(name: str | Path) -> None:
        if not str(name).endswith(".unfinished"):
            done.append(f"name {name}")

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink()}")

    def replaced(source: str | Path, target: str | Path) -> None:
        named(target)
        turn(source, target)

    def linked(target: str | Path, name: str | Path, *_: bool) -> None:
        link(target, name)
        named(name)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replaced)
    monkeypatch.setattr(os, "symlink", linked)
    publish(night.artifacts, shown, rows, [])
    pointers = [f"name {shown}/.models/{one.cell.name}" for one in rows]
    assert done[-4:] == [*pointers, f"sync {shown}/.models"]
    before = done[:-4]
    assert before[-1] == f"sync {shown}", "what the names show is not there yet"
    assert before.count(f"sync {shown}") == 1, "once for all of them"
    for row in rows:
        folder = shown / ".models" / (shown / ".models" / row.cell.name).readlink()
        for file in ("model.pkl", "model.json"):
            assert before.index(f"sync {folder}/{file}") > before.index(f"name {folder}/{file}")
            assert before.index(f"sync {folder}") > before.index(f"name {folder}/{file}")


def test_files_of_a_pair_that_is_shown_already_are_on_the_disk_before_they_take_their_names(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = two_champions(night)
    shown = tmp_path / "shown"
    publish(night.artifacts, shown, [first], [])
    (shown / f"{CELL.name}_logreg_optimized.json").unlink()
    synced: set[str] = set()
    named: list[str] = []
    sync, turn = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    def replaced(source: str | Path, target: str | Path) -> None:
        # Links have no content that could be lost.
        if not Path(source).is_symlink():
            assert str(source) in synced, f"{target} may be empty after a loss of power"
            named.append(Path(target).name)
        turn(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "replace", replaced)
        publish(night.artifacts, shown, [first], [])
    assert named == ["model.pkl", "model.json"]
    assert seen(shown) == first.sha256


def test_a_pair_that_the_disk_refuses_is_not_shown_and_the_others_are(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_champions(night)
    other = replace(first, cell=CELL.model_copy(update={"horizon": 5}))
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if f"{other.cell.name}." in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StorageError, match=r"H5\..*: cannot be written: Input/output error"):
            publish(night.artifacts, tmp_path / "shown", [other, second], [])
    pointers = {path.name for path in (tmp_path / "shown/.models").iterdir() if path.is_symlink()}
    assert pointers == {second.cell.name}
    publish(night.artifacts, tmp_path / "shown", [other, second], [])
    assert (tmp_path / "shown/.models" / other.cell.name / "model.pkl").is_file()
