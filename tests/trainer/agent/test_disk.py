"""What a trainer finds out about the disk of its caches, on real disks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from common.protocol.trainers import DiskState
from tests.small_disk import Disk, small_disk  # noqa: F401
from trainer.agent.disk import FRESH_SECONDS, NO_ANSWER, DiskTrial, disk_state

MIB = 1024**2


def test_a_folder_that_can_be_written_says_how_much_is_free_and_is_left_as_it_was(tmp_path: Path) -> None:
    state = disk_state(tmp_path)
    assert (state.folder, state.problem) == (str(tmp_path), "")
    assert state.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, abs=256 * MIB)
    assert list(tmp_path.iterdir()) == []


def test_caches_that_were_removed_are_no_problem(tmp_path: Path) -> None:
    assert disk_state(tmp_path / "out" / "cache").problem == ""
    assert (tmp_path / "out" / "cache").is_dir()


def test_a_full_disk_says_so_and_a_file_less_puts_it_right(small_disk: Disk) -> None:  # noqa: F811
    filler = small_disk.fill()
    full = disk_state(small_disk.folder)
    assert (full.free_bytes, full.problem) == (0, "No space left on device")
    filler.unlink()
    assert disk_state(small_disk.folder).problem == ""
    small_disk.fill(leave=MIB)
    state = disk_state(small_disk.folder)
    assert (state.free_bytes, state.problem) == (MIB, "")


def test_a_disk_without_inodes_cannot_be_written_though_there_is_room(small_disk: Disk) -> None:  # noqa: F811
    used = os.statvfs(small_disk.folder)
    small_disk.remount(f"nr_inodes={used.f_files - used.f_ffree}")
    state = disk_state(small_disk.folder)
    assert state.problem == "No space left on device"
    assert state.free_bytes is not None and state.free_bytes > MIB


def test_a_disk_that_turned_read_only_says_so(small_disk: Disk) -> None:  # noqa: F811
    small_disk.remount("ro")
    assert disk_state(small_disk.folder).problem == "Read-only file system"
    small_disk.remount("rw")
    assert disk_state(small_disk.folder).problem == ""


def test_a_file_in_the_folders_place_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    state = disk_state(tmp_path / "cache")
    assert state.problem == "File exists"
    below = disk_state(tmp_path / "cache" / "below")
    assert (below.problem, below.free_bytes) == ("Not a directory", None)


def test_a_quota_or_limit_that_strikes_in_the_middle_of_a_file_is_seen(tmp_path: Path) -> None:
    # A limit on file size fails a write as a spent quota does: with an error after the file was made.
    code = f"""
import resource, signal
from pathlib import Path
from trainer.agent.disk import disk_state
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
print(disk_state(Path({str(tmp_path)!r})).problem)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "File too large"
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_no_text_can_be_sent_all_the_same(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    assert disk_state(folder).model_dump_json().count("\N{REPLACEMENT CHARACTER}") == 1


def test_a_disk_that_does_not_answer_holds_nobody_up_and_is_used_again_when_it_does(tmp_path: Path) -> None:
    answers, tried = threading.Event(), []

    def hangs(folder: Path) -> DiskState:
        tried.append(folder)
        assert answers.wait(60)
        return disk_state(folder)

    trial = DiskTrial(tmp_path, patience=0.1, trial=hangs)
    began = time.monotonic()
    for _ in range(50):
        assert trial.state() == DiskState(folder=str(tmp_path), free_bytes=None, problem=NO_ANSWER)
    assert time.monotonic() - began < 30
    assert tried == [tmp_path], "one thread hangs, not one a claim"
    answers.set()
    give_up = time.monotonic() + 30
    while trial.state().problem:
        assert time.monotonic() < give_up
    assert DiskTrial(tmp_path).state().problem == ""


def test_a_trial_that_went_well_counts_for_a_moment_and_one_that_did_not_never(tmp_path: Path) -> None:
    now, tried = 0.0, []
    good = DiskState(folder=str(tmp_path), free_bytes=MIB)
    bad = DiskState(folder=str(tmp_path), free_bytes=None, problem="No space left on device")
    answers = [bad, good, good]

    def answer(folder: Path) -> DiskState:
        tried.append(folder)
        return answers[len(tried) - 1]

    trial = DiskTrial(tmp_path, trial=answer, clock=lambda: now)
    assert [trial.state(), trial.state(), trial.state()] == [bad, good, good]
    assert len(tried) == 2
    now = FRESH_SECONDS
    assert trial.state() == good
    assert len(tried) == 3
