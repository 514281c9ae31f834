import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from common.errors import StorageError
from common.whole_file import STALE_SECONDS, point, sweep, whole_file, write_whole


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_when_it_is_complete_and_not_before(tmp_path):
    path = tmp_path / "deep" / "file"
    with whole_file(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert names(path.parent) == ["file"]


def test_a_planted_link_is_replaced_and_what_it_leads_to_is_as_it_was(tmp_path):
    aim, path = tmp_path / "aim", tmp_path / "file"
    aim.write_text("kept")
    path.symlink_to(aim)
    write_whole(path, b"new")
    assert (path.read_text(), path.is_symlink(), aim.read_text()) == ("new", False, "kept")


def test_a_file_is_for_its_owner_alone_from_its_first_moment(tmp_path):
    path = tmp_path / "file"
    path.touch(mode=0o644)
    with whole_file(path, 0o600):
        [unfinished] = tmp_path.glob(".*.unfinished")
        assert unfinished.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_full_disk_is_a_storage_error_that_names_the_file(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(StorageError) as error, whole_file(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert error.value.detail == f"{path}: cannot be written: No space left on device"
    assert names(tmp_path) == []


def test_a_full_disk_is_met_for_real(tmp_path):
    # /dev/full refuses every byte; the file that is written is a link to it.
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    script = (
        "import sys, os; from pathlib import Path; import common.whole_file as whole\n"
        "opened = os.open\n"
        "os.open = lambda path, *rest: opened('/dev/full', os.O_WRONLY)\n"
        "with whole.whole_file(Path(sys.argv[1])) as file: file.write(b'x' * 100000)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "file"], capture_output=True, text=True)
    assert "StorageError" in done.stderr.splitlines()[-1]
    assert f"{tmp_path / 'file'}: cannot be written: No space left on device" in done.stderr
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    with (
        pytest.raises(StorageError, match="taken/file: cannot be written"),
        whole_file(tmp_path / "taken" / "file"),
    ):
        pass


def test_a_killed_writer_leaves_the_old_file_and_is_swept_later(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = (
        "import sys, os, signal; from pathlib import Path; from common.whole_file import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as file:\n"
        "    file.write(b'new'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path])
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    left = next(entry for entry in tmp_path.iterdir() if entry != path)
    written = left.stat().st_mtime
    assert sweep(tmp_path, now=lambda: written + STALE_SECONDS) == 0
    assert sweep(tmp_path, now=lambda: written + STALE_SECONDS + 1) == 1
    assert names(tmp_path) == ["file"]


def test_writers_of_one_file_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "file"
    contents = [bytes([letter]) * 100_000 for letter in b"abcdefgh"]
    start = threading.Barrier(len(contents))

    def write(content):
        start.wait(timeout=10)
        for _ in range(5):
            with whole_file(path) as file:
                file.write(content[:50_000])
                file.write(content[50_000:])
            assert path.read_bytes() in contents

    errors = []
    monitored = [threading.Thread(target=_caught, args=(write, content, errors)) for content in contents]
    for thread in monitored:
        thread.start()
    for thread in monitored:
        thread.join(timeout=30)
    assert errors == []
    assert path.read_bytes() in contents
    assert names(tmp_path) == ["file"]


def _caught(work, content, errors):
    try:
        work(content)
    except BaseException as error:
        errors.append(error)


@pytest.mark.parametrize("before", ["nothing", "a link", "a dangling link", "a file"])
def test_a_name_is_turned_to_another_target_whatever_it_is(tmp_path, before):
    link = tmp_path / "link"
    (tmp_path / "old").write_text("old")
    if before == "a file":
        link.write_text("plain")
    elif before != "nothing":
        link.symlink_to("old" if before == "a link" else "gone")
    point(link, "new")
    assert str(link.readlink()) == "new"
    assert (tmp_path / "old").read_text() == "old"
    assert names(tmp_path) == ["link", "old"]


def test_a_folder_is_not_turned_into_a_link_and_nothing_is_left_of_the_try(tmp_path):
    (tmp_path / "link").mkdir()
    with pytest.raises(OSError, match="directory"):
        point(tmp_path / "link", "new")
    assert names(tmp_path) == ["link"]
