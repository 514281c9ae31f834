import ctypes
import errno
import json
import mmap
import multiprocessing
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from common.errors import DataError, StorageError
from coordinator.policy.disk import matrix_bytes
from trainer.candles import checked
from trainer.features import matrix as feature_cache
from trainer.features.context import context_frame
from trainer.features.indicators import NAMES, WARM_UP, block_features, blocks
from trainer.features.matrix import GENERATIONS, HEADER_BYTES, open_features, release_written

FORK = multiprocessing.get_context("fork")


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix == ".features")


@pytest.fixture(scope="module")
def minutes(simulate):
    return simulate(60 * 24 * 45, "1m", volatility=0.0005)


def test_a_matrix_holds_own_features_and_the_context_known_at_each_close(tmp_path, minutes, coarser):
    context = [coarser(minutes, "1h"), coarser(minutes, "1d")]
    matrix = open_features(tmp_path, minutes, context)
    frames = [context_frame(candles) for candles in context]
    assert matrix.names == (*NAMES, *frames[0].names, *frames[1].names)
    # 21 days must close before the first daily context is known; the bar that closes then is the first row.
    assert matrix.bar[0] == 21 * 24 * 60 - 1
    assert len(matrix.bar) == len(minutes) - matrix.bar[0]
    assert matrix.close_time.tolist() == minutes.close_time[matrix.bar].tolist()
    own = np.concatenate([block_features(minutes, block) for block in blocks(minutes)])
    assert np.array_equal(matrix.values[:, : len(NAMES)], own[matrix.bar - WARM_UP])
    for position in (0, 59, 60, 61, 5000):
        known = [frame.values[frame.close_time <= matrix.close_time[position]][-1] for frame in frames]
        assert np.array_equal(matrix.values[position, len(NAMES) :], np.concatenate(known))
    assert not matrix.values.flags.writeable


def test_a_matrix_is_as_large_as_the_coordinator_expects_before_it_hands_out_the_job(
    tmp_path, minutes, coarser
):
    context = [coarser(minutes, "1h"), coarser(minutes, "1d")]
    matrix = open_features(tmp_path, minutes, context)
    size = matrix.path.stat().st_size - HEADER_BYTES
    assert size == pytest.approx(matrix_bytes(len(matrix.bar)), abs=8), "with all its contexts"
    assert size <= matrix_bytes(len(minutes))


def test_a_second_call_maps_the_first_ones_file(tmp_path, simulate):
    candles = simulate(500)
    first = open_features(tmp_path, candles, [])
    inode = first.path.stat().st_ino
    second = open_features(tmp_path, candles, [])
    assert second.path.stat().st_ino == inode
    assert second.digest == first.digest
    assert np.array_equal(second.values, first.values)


def test_other_candles_context_or_formulas_are_another_matrix(tmp_path, simulate, monkeypatch):
    hours, days = simulate(3000), simulate(125, "1d")
    paths = {
        open_features(tmp_path, hours, []).path,
        open_features(tmp_path, simulate(3000, seed=1), []).path,
        open_features(tmp_path, hours, [days]).path,
    }
    monkeypatch.setattr(feature_cache, "FEATURE_VERSION", "another")
    paths.add(open_features(tmp_path, hours, []).path)
    assert len(paths) == 4


def share_in_memory(path):
    """Of the pages of a file, the share that the kernel has in memory."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
        view = np.frombuffer(pages, np.uint8)
        found = np.empty(-(-len(view) // mmap.PAGESIZE), np.uint8)
        at = ctypes.c_void_p(view.ctypes.data), ctypes.c_size_t(len(view)), ctypes.c_void_p(found.ctypes.data)
        assert libc.mincore(*at) == 0, os.strerror(ctypes.get_errno())
        del view
    return float((found & 1).mean())


def is_in_memory_only(folder):
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    within = [one for one in mounts if folder.is_relative_to(one[1])]
    return max(within, key=lambda one: len(one[1]))[2] in ("tmpfs", "ramfs")


def test_memory_of_a_matrix_that_was_written_is_let_go_unless_somebody_maps_it(
    tmp_path, minutes, simulate, monkeypatch
):
    if is_in_memory_only(tmp_path):
        pytest.skip(f"{tmp_path} is in memory only, so that nothing of it can be let go")
    for candles, is_kept in ((minutes, False), (simulate(60 * 24 * 45, "1m", seed=3), True)):
        matrix = open_features(tmp_path, candles, [])
        path, values = matrix.path, matrix.values.copy()
        assert share_in_memory(path) == 1.0
        if not is_kept:
            del matrix
        release_written()
        assert (share_in_memory(path) > 0.9) == is_kept
    looked_at = []
    monkeypatch.setattr(feature_cache, "_content_of", lambda one: looked_at.append(one) or "another")
    assert feature_cache._mapped(path, feature_cache._made_of(candles, [])) is None
    assert len(looked_at) == 1, "what the disk gives back is looked at"
    monkeypatch.undo()
    assert np.array_equal(open_features(tmp_path, candles, []).values, values)
    release_written()
    assert share_in_memory(path) > 0.9, "it was only read"


@pytest.mark.parametrize("damage", ["cut", "longer", "header", "empty", "key"])
def test_damage_is_noticed_and_the_matrix_built_again(tmp_path, simulate, damage):
    candles = simulate(500)
    matrix = open_features(tmp_path, candles, [])
    expected, path = np.array(matrix.values), matrix.path
    content = path.read_bytes()
    header = json.loads(content[:HEADER_BYTES])
    damaged = {
        "cut": content[:-1],
        "longer": content + b"x",
        "header": b"\0" * HEADER_BYTES + content[HEADER_BYTES:],
        "empty": b"",
        "key": json.dumps(header | {"key": "0"}).encode().ljust(HEADER_BYTES) + content[HEADER_BYTES:],
    }
    path.write_bytes(damaged[damage])
    again = open_features(tmp_path, candles, [])
    assert np.array_equal(again.values, expected)
    assert path.read_bytes() == content


def build(folder, candles, barrier, queue):
    barrier.wait(30)
    matrix = open_features(folder, candles, [])
    queue.put((matrix.path.stat().st_ino, matrix.digest))


def test_processes_that_need_the_same_matrix_build_it_once(tmp_path, minutes):
    barrier, queue = FORK.Barrier(3), FORK.Queue()
    processes = [FORK.Process(target=build, args=(tmp_path, minutes, barrier, queue)) for _ in range(3)]
    for process in processes:
        process.start()
    answers = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(60)
    assert len(answers) == 1


def test_a_builder_that_is_killed_leaves_no_damage_and_no_lock(tmp_path, simulate):
    candles = simulate(150_000, "1m", volatility=0.0005)

    def slow_build():
        original = feature_cache.matrix_rows

        def rows(*arguments):
            time.sleep(0.2)
            return original(*arguments)

        feature_cache.matrix_rows = rows
        open_features(tmp_path, candles, [])

    builder = FORK.Process(target=slow_build)
    builder.start()
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size > HEADER_BYTES for path in tmp_path.glob("*.unfinished")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(builder.pid, signal.SIGKILL)
    builder.join(30)
    assert builder.exitcode == -signal.SIGKILL
    assert files(tmp_path) == []
    matrix = open_features(tmp_path, candles, [])
    assert len(matrix.bar) == 150_000 - WARM_UP
    assert not list(tmp_path.glob("*.unfinished"))


def test_what_killed_builders_left_gives_its_room_back_before_the_next_build(tmp_path, simulate, monkeypatch):
    candles, original, seen = simulate(500), feature_cache.matrix_rows, []
    left = [tmp_path / f".BTCUSDT_1h_{key * 16}.features.7.ab.unfinished" for key in "ab"]
    foreign = tmp_path / f".BTCUSDT_1d_{'a' * 16}.features.7.ab.unfinished"
    for path in (*left, foreign):
        path.write_bytes(b"half a matrix")

    def rows(*arguments):
        seen.append([path.exists() for path in (*left, foreign)])
        return original(*arguments)

    monkeypatch.setattr(feature_cache, "matrix_rows", rows)
    open_features(tmp_path, candles, [])
    assert seen[0] == [False, False, True]


def test_a_matrix_that_the_disk_refuses_after_it_was_written_is_not_used(tmp_path, simulate, monkeypatch):
    def refused(descriptor):
        del descriptor
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    candles = simulate(500)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refused)
        with pytest.raises(StorageError, match=r"\.features: cannot be written: Input/output error"):
            open_features(tmp_path, candles, [])
    assert not [path for path in tmp_path.iterdir() if path.name.endswith((".features", ".checked"))]
    assert open_features(tmp_path, candles, []).path.exists()


def fill_the_disk(folder, candles, queue):
    # A limit on file size fails a write as a full disk does: with an error in the middle of the file.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    try:
        open_features(folder, candles, [])
    except StorageError as error:
        queue.put(str(error))


def test_a_full_disk_is_one_line_with_the_file_and_leaves_nothing(tmp_path, simulate):
    queue = FORK.Queue()
    process = FORK.Process(target=fill_the_disk, args=(tmp_path, simulate(5000), queue))
    process.start()
    message = queue.get(timeout=30)
    process.join(30)
    assert message.startswith(f"{tmp_path}/BTCUSDT_1h_")
    assert ".features: cannot be written: File too large" in message
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("place", [0.1, 0.5, 0.99])
def test_one_bit_that_flipped_on_the_disk_is_noticed_and_the_matrix_built_again(tmp_path, simulate, place):
    candles = simulate(1000)
    path = open_features(tmp_path, candles, []).path
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[HEADER_BYTES + int((len(whole) - HEADER_BYTES) * place)] ^= 0b100
    path.write_bytes(damaged)
    matrix = open_features(tmp_path, candles, [])
    assert matrix.path.read_bytes() == whole


def test_a_matrix_that_was_found_good_is_not_digested_again_until_it_changes(tmp_path, simulate, monkeypatch):
    candles, digested = simulate(1000), []
    of_content = feature_cache._content_of

    def counted(found):
        digested.append(found.path)
        return of_content(found)

    monkeypatch.setattr(feature_cache, "_content_of", counted)
    monkeypatch.setattr(checked, "WORTH_WAITING_BYTES", 0)
    matrix = open_features(tmp_path, candles, [])
    again = open_features(tmp_path, candles, [])
    assert (again.digest, digested) == (matrix.digest, [])
    assert np.array_equal(again.values, matrix.values)
    matrix.path.touch()
    open_features(tmp_path, candles, [])
    open_features(tmp_path, candles, [])
    assert digested == [matrix.path]


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path, simulate):
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(StorageError, match="cache"):
        open_features(tmp_path / "cache", simulate(100), [])


def test_only_the_last_generations_are_kept(tmp_path, simulate):
    paths = [open_features(tmp_path, simulate(200, seed=seed), []).path for seed in range(GENERATIONS + 2)]
    assert files(tmp_path) == sorted(path.name for path in paths[-GENERATIONS:])


def test_a_matrix_that_goes_while_old_ones_are_looked_for_is_no_failure(tmp_path, simulate):
    first = open_features(tmp_path, simulate(200), []).path
    # Found by its name, and not there when it is asked for its age.
    first.with_name(f"{first.stem[:-1]}_.features").symlink_to(tmp_path / "gone")
    second = open_features(tmp_path, simulate(201), [])
    assert first.exists() and second.path.exists()


def test_context_that_is_known_at_few_rows_is_left_out(tmp_path, simulate):
    hours = simulate(24 * 50)
    few_days, all_days = simulate(40, "1d"), simulate(50, "1d")
    assert open_features(tmp_path, hours, [few_days]).contexts == ()
    assert open_features(tmp_path, hours, [all_days]).contexts == ("1d",)


def test_rows_without_fresh_context_are_left_out(tmp_path, simulate):
    hours = simulate(24 * 60)
    days = simulate(60, "1d", missing=range(50, 53))
    matrix = open_features(tmp_path, hours, [days])
    # Day 49 closes at hour 1200 and is fresh for 48 hours more; segment 53-60 is too short to give context.
    assert matrix.close_time[-1] == hours.open_time[0] + (1200 + 48) * 3_600_000


def test_a_segment_before_all_context_adds_no_row(tmp_path, simulate):
    hours = simulate(24 * 50, missing=[200])
    matrix = open_features(tmp_path, hours, [simulate(50, "1d")])
    assert matrix.bar[0] == 21 * 24 - 1 - 1


def test_candles_of_short_segments_are_refused_with_figures(tmp_path, simulate):
    candles = simulate(500, missing=range(50, 500, 51))
    with pytest.raises(DataError, match="BTCUSDT 1h: 61 bars in a row are needed, there are 50"):
        open_features(tmp_path, candles, [])
    assert files(tmp_path) == []


def test_features_that_are_never_a_number_are_refused_by_name(tmp_path, simulate):
    candles = simulate(300)
    candles.close[:] = np.nan
    with pytest.raises(DataError, match="BTCUSDT 1h: no bar has usable features, never a number: return_1, "):
        open_features(tmp_path, candles, [])
    assert files(tmp_path) == []
