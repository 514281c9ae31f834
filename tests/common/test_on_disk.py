import errno
import os
import threading
from pathlib import Path

import pytest

from common.errors import StorageError
from common.on_disk import on_disk


def test_what_stands_within_goes_on_while_the_disk_takes_files(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    begun, may_end, synced, sync = threading.Event(), threading.Event(), [], os.fsync

    def slow(descriptor):
        begun.set()
        assert may_end.wait(60)
        sync(descriptor)
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))

    monkeypatch.setattr(os, "fsync", slow)
    with on_disk() as take:
        take(path)
        assert begun.wait(60)
        assert not synced
        may_end.set()
    assert synced == [str(path)]


def test_a_file_that_the_disk_refuses_is_removed_and_the_others_are_on_it(tmp_path, monkeypatch):
    good, bad = tmp_path / "good", tmp_path / "bad"
    for path in (good, bad):
        path.write_bytes(b"content")
    synced, sync = [], os.fsync

    def fsync(descriptor):
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if name == str(bad):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)
        synced.append(name)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StorageError, match=r"bad: cannot be written: Input/output error"), on_disk() as take:
        take(bad)
        take(good)
    assert synced == [str(good)]
    assert list(tmp_path.iterdir()) == [good]


def test_a_file_that_somebody_has_removed_meanwhile_is_no_failure(tmp_path):
    with on_disk() as take:
        take(tmp_path / "not there")


def test_the_error_of_what_stands_within_goes_first(tmp_path, monkeypatch):
    asked = []

    def refused(descriptor):
        asked.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "file"
    path.write_bytes(b"content")
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(ValueError, match="within"), on_disk() as take:
        take(path)
        raise ValueError("within")
    assert asked
