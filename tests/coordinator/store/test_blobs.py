from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from threading import Event

import pytest

from common.errors import DigestMismatchError, StorageError
from common.whole_file import write_whole
from coordinator.store import blobs
from coordinator.store.blobs import Artifacts
from tests.coordinator.specimens import digest


def _made(sha256: str) -> bytes:
    return {digest("a model"): b"a model"}.get(sha256, b"something else")


def _names(artifacts: Artifacts) -> list[str]:
    return sorted(path.name for path in artifacts.directory.glob("[!.]*"))


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "blobs")


def test_a_blob_is_read_back_by_its_digest_and_storing_it_again_is_harmless(artifacts: Artifacts) -> None:
    for _ in range(2):
        artifacts.store(b"a model", digest("a model"))
    assert artifacts.read(digest("a model")) == b"a model"
    assert [path.name for path in artifacts.directory.iterdir()] == [digest("a model")]


@pytest.mark.parametrize(
    "announced", [digest("another"), "", "../../token", "A" * 64, digest("a model")[:63]]
)
def test_another_digest_is_refused_and_leaves_nothing(artifacts: Artifacts, announced: str) -> None:
    with pytest.raises(DigestMismatchError):
        artifacts.store(b"a model", announced)
    assert not artifacts.directory.exists()


def test_a_damaged_blob_is_not_read_and_is_mended_by_the_next_upload(artifacts: Artifacts) -> None:
    artifacts.store(b"a model", digest("a model"))
    (artifacts.directory / digest("a model")).write_bytes(b"a mode")
    with pytest.raises(StorageError, match="is damaged"):
        artifacts.read(digest("a model"))
    artifacts.store(b"a model", digest("a model"))
    assert artifacts.read(digest("a model")) == b"a model"


def test_a_missing_blob_names_its_file(artifacts: Artifacts) -> None:
    with pytest.raises(StorageError, match=digest("a model")):
        artifacts.read(digest("a model"))


@pytest.mark.parametrize("left", [None, b"", b"a mod"])
def test_what_a_loss_of_power_took_of_a_model_that_can_be_made_is_made_again(
    tmp_path: Path, left: bytes | None
) -> None:
    artifacts = Artifacts(tmp_path / "blobs", _made)
    artifacts.keep(b"a model", digest("a model"))
    artifacts.settle()
    [path] = artifacts.directory.iterdir()
    if left is None:
        path.unlink()
    else:
        path.write_bytes(left)
    assert artifacts.holds(digest("a model"))
    assert path.read_bytes() == artifacts.read(digest("a model")) == b"a model"
    path.with_name(digest("other")).write_bytes(b"damaged")
    assert not artifacts.holds(digest("other"))
    with pytest.raises(StorageError, match="is damaged"):
        artifacts.read(digest("other"))


def test_what_is_being_kept_is_there_for_whoever_reads_it(artifacts: Artifacts) -> None:
    contents = [f"model {number}" for number in range(100)]
    for content in contents:
        artifacts.keep(content.encode(), digest(content))
        assert artifacts.holds(digest(content))
    for content in contents:
        artifacts.keep(content.encode(), digest(content))
        artifacts.keep(content.encode(), digest(content))
    assert [artifacts.read(digest(content)).decode() for content in contents] == contents


def test_models_that_come_at_once_are_written_a_few_a_second_and_all_when_no_more_come(
    artifacts: Artifacts,
) -> None:
    contents = [f"model {number}" for number in range(100)]
    began = time.monotonic()
    for content in contents:
        artifacts.keep(content.encode(), digest(content))
    written = len(_names(artifacts))
    assert written <= 1 + (time.monotonic() - began) / blobs.PAUSE_SECONDS
    while len(_names(artifacts)) < len(contents):
        assert time.monotonic() - began < 10
        time.sleep(0.02)
    assert blobs.QUIET_SECONDS <= time.monotonic() - began < len(contents) * blobs.PAUSE_SECONDS
    assert _names(artifacts) == sorted(map(digest, contents))


def test_who_waits_for_all_models_to_be_written_has_nothing_put_off(artifacts: Artifacts) -> None:
    contents = [f"model {number}" for number in range(100)]
    for content in contents:
        artifacts.keep(content.encode(), digest(content))
    began = time.monotonic()
    artifacts.settle()
    assert time.monotonic() - began < len(contents) * blobs.PAUSE_SECONDS / 2
    assert _names(artifacts) == sorted(map(digest, contents))


def test_models_beyond_those_that_are_held_are_made_again_when_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(blobs, "MOST_HELD", 2)
    contents = {digest(f"model {number}"): f"model {number}".encode() for number in range(6)}
    unmade = digest("model 4")
    made: list[str] = []

    def source(sha256: str) -> bytes:
        made.append(sha256)
        return b"" if sha256 == unmade else contents[sha256]

    artifacts = Artifacts(tmp_path, source)
    for sha256, content in contents.items():
        artifacts.keep(content, sha256)
    artifacts.settle()
    assert made and set(made) <= set(list(contents)[2:])
    assert f"the model {unmade} is made when it is asked for" in caplog.text
    del contents[unmade]
    assert _names(artifacts) == sorted(contents)
    assert all(artifacts.read(sha256) == content for sha256, content in contents.items())


def test_a_folder_that_hangs_holds_up_nobody_who_brings_or_reads_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts, answers = Artifacts(tmp_path), Event()
    monkeypatch.setattr(blobs, "write_soon", lambda *_: answers.wait(60))
    for number in range(1000):
        artifacts.keep(b"a model", digest(f"model {number}"))
    artifacts.keep(b"the last", digest("the last"))
    assert artifacts.read(digest("the last")) == b"the last"
    answers.set()
    artifacts.settle()


def test_a_model_that_no_thread_writes_keeps_nobody_waiting(
    artifacts: Artifacts, caplog: pytest.LogCaptureFixture
) -> None:
    artifacts.store(b"another", digest("another"))
    artifacts._writer.shutdown()
    artifacts.keep(b"a model", digest("a model"))
    artifacts.settle()
    assert not artifacts.holds(digest("a model")) and "made when it is asked for" in caplog.text


def test_a_model_that_finds_no_room_is_made_when_it_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "blobs"
    folder.write_bytes(b"in the way")
    artifacts = Artifacts(folder, _made)
    artifacts.keep(b"a model", digest("a model"))
    artifacts.settle()
    assert f"the model {digest('a model')} is made when it is asked for" in caplog.text
    folder.unlink()
    folder.mkdir()
    assert artifacts.read(digest("a model")) == b"a model"


def test_a_folder_that_is_away_is_not_made_anew(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "blobs", lambda _: b"a model")
    with pytest.raises(StorageError, match="cannot be read"):
        artifacts.read(digest("a model"))
    with pytest.raises(StorageError, match="is not there"):
        artifacts.holds(digest("a model"))
    assert not artifacts.directory.exists()


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_full_disk_names_the_file_and_keeps_the_old_one(
    tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "results.json"
    write_whole(path, b"old")
    monkeypatch.setattr(*((os, "fsync", full) if broken == "fsync" else (Path, "replace", full)))
    with pytest.raises(StorageError, match=r"results\.json: cannot be written: No space left on device"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file stands where the folder should be")
    with pytest.raises(StorageError, match=r"logs/results\.json: cannot be written"):
        write_whole(tmp_path / "logs" / "results.json", b"new")
