import os
import time

import pytest

from trainer.candles import checked
from trainer.candles.checked import (
    AGAIN_SECONDS,
    TICK_SECONDS,
    Written,
    forget,
    is_checked,
    keep_checked,
    keep_written,
    settled,
)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "WORTH_WAITING_BYTES", 0)
    found = tmp_path / "some.features"
    found.write_bytes(b"whole")
    with found.open("rb") as file:
        keep_checked(found, settled(file.fileno()), "digest")
    assert is_checked(found, found.stat(), "digest")
    return found


def overwrite_and_set_the_time_back(path):
    before = path.stat()
    path.write_bytes(b"wrong")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def replace_and_set_the_time_back(path):
    before = path.stat()
    other = path.with_name("other")
    other.write_bytes(b"wrong")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


CHANGES = {
    "overwritten": overwrite_and_set_the_time_back,
    "replaced": replace_and_set_the_time_back,
    "longer": lambda path: path.write_bytes(b"whole and more"),
    "only its time is another": lambda path: os.utime(path, ns=(0, 0)),
    "the note is cut": lambda path: checked.note_of(path).write_bytes(
        checked.note_of(path).read_bytes()[:20]
    ),
    "the note is none": lambda path: checked.note_of(path).write_text("[]"),
    "forgotten": forget,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changed_is_not_known_to_be_good(path, change):
    CHANGES[change](path)
    assert not is_checked(path, path.stat(), "digest")


def test_another_digest_was_never_found(path):
    assert not is_checked(path, path.stat(), "another")


def test_a_boot_begins_anew(path, tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "BOOT_ID", tmp_path / "boot_id")
    (tmp_path / "boot_id").write_text("of the next boot")
    assert not is_checked(path, path.stat(), "digest")


def test_without_a_boot_id_no_other_process_is_believed(path, tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "BOOT_ID", tmp_path / "no_such_file")
    keep_checked(path, path.stat(), "digest")
    assert is_checked(path, path.stat(), "digest")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert not is_checked(path, path.stat(), "digest")


@pytest.mark.parametrize("later", [AGAIN_SECONDS + 1, -60.0])
def test_a_day_begins_anew_and_so_does_a_clock_that_was_set_back(path, monkeypatch, later):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + later)
    assert not is_checked(path, path.stat(), "digest")


def test_a_small_file_that_changed_just_now_is_not_waited_for_and_nothing_is_kept_of_it(
    tmp_path, monkeypatch
):
    path = tmp_path / "some.features"
    path.write_bytes(b"whole")
    changed = path.stat().st_ctime_ns / 1e9
    monkeypatch.setattr(time, "sleep", pytest.fail)
    for later, kept in ((TICK_SECONDS / 2, False), (2 * TICK_SECONDS, True)):
        monkeypatch.setattr(time, "time", lambda now=changed + later: now)
        with path.open("rb") as file:
            since = settled(file.fileno())
        # Digested meanwhile, for longer than a tick: what changed before that may not have shown.
        monkeypatch.setattr(time, "time", lambda now=changed + later + 2 * TICK_SECONDS: now)
        keep_checked(path, since, "digest")
        assert is_checked(path, path.stat(), "digest") is kept


def test_a_change_in_the_same_tick_would_not_show_so_nothing_is_kept_of_it(tmp_path, monkeypatch):
    path = tmp_path / "some.features"
    path.write_bytes(b"whole")
    status = path.stat()
    monkeypatch.setattr(time, "time", lambda: status.st_ctime_ns / 1e9 + TICK_SECONDS / 2)
    keep_checked(path, status, "digest")
    assert not is_checked(path, status, "digest")


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    keep_checked(tmp_path / "no_such_folder" / "some.features", tmp_path.stat(), "digest")


def test_files_that_were_written_are_recorded_together_and_one_that_is_gone_is_passed_over(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(checked, "WORTH_WAITING_BYTES", 0)
    paths = [tmp_path / name for name in ("one", "gone", "two")]
    for path in paths:
        path.write_bytes(path.name.encode())
    files = [Written(path, path.name, path.stat()) for path in paths]
    paths[1].unlink()
    keep_written(files)
    for path in (paths[0], paths[2]):
        assert is_checked(path, path.stat(), path.name)
        assert not is_checked(path, path.stat(), "another")


def test_a_file_that_was_changed_after_it_was_written_is_not_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(checked, "WORTH_WAITING_BYTES", 0)
    path = tmp_path / "some"
    path.write_bytes(b"as written")
    written = Written(path, "digest", path.stat())
    path.write_bytes(b"as changed, later")
    keep_written([written])
    assert not is_checked(path, path.stat(), "digest")
