"""The out folder: one run and one coordinator at a time, and a lock that nobody leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from common.errors import ConfigurationError, ConflictError, NighttrainError
from common.out_folder import OutFolder, held, held_by_coordinator
from common.protocol.address import Address

HOLD = """
import pathlib, sys
from common import out_folder
with getattr(out_folder, sys.argv[2])(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""
Hold = Callable[[Path], AbstractContextManager[OutFolder]]
HOLDS: list[tuple[Hold, type[NighttrainError], str]] = [
    (held, ConflictError, ".run.lock"),
    (held_by_coordinator, ConfigurationError, ".coordinator.lock"),
]


def holder(folder: Path, hold: Hold) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), hold.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_that_another_run_holds_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    with holder(tmp_path, held) as other:
        try:
            for _ in range(2):
                with pytest.raises(ConflictError, match=rf"\(process {other.pid}\)"), held(tmp_path):
                    pass
        finally:
            other.kill()


def test_a_folder_that_another_coordinator_holds_is_refused_and_says_where_that_is(tmp_path: Path) -> None:
    with holder(tmp_path, held_by_coordinator) as other:
        try:
            starting = "in use by another coordinator that is just starting"
            with pytest.raises(ConfigurationError, match=starting), held_by_coordinator(tmp_path):
                pass
            address = Address(url="http://127.0.0.1:5000", pid=other.pid)
            OutFolder(tmp_path).address.write_text(address.model_dump_json())
            there = f"in use by process {other.pid} at http://127.0.0.1:5000"
            with pytest.raises(ConfigurationError, match=there), held_by_coordinator(tmp_path):
                pass
            assert OutFolder(tmp_path).address.exists()
        finally:
            other.kill()


@pytest.mark.parametrize(("hold", "refusal", "name"), HOLDS)
def test_a_folder_is_free_again_when_its_holder_was_killed(
    tmp_path: Path, hold: Hold, refusal: type[NighttrainError], name: str
) -> None:
    with holder(tmp_path, hold) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with hold(tmp_path), pytest.raises(refusal), hold(tmp_path):
        pass
    with hold(tmp_path):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o644


def test_a_run_and_its_coordinator_hold_a_folder_together(tmp_path: Path) -> None:
    with held(tmp_path) as folder, held_by_coordinator(tmp_path) as same:
        assert folder == same and folder.logs.is_dir() and folder.cache.is_dir()


def test_the_address_of_a_coordinator_that_was_killed_is_gone_at_the_next_start(tmp_path: Path) -> None:
    OutFolder(tmp_path).address.write_text("{}")
    with held_by_coordinator(tmp_path) as folder:
        assert not folder.address.exists()
        folder.address.write_text("{}")
    assert not folder.address.exists()


@pytest.mark.parametrize(("hold", "refusal", "name"), HOLDS)
def test_a_link_in_place_of_the_lock_is_refused_and_not_followed(
    tmp_path: Path, hold: Hold, refusal: type[NighttrainError], name: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(precious)
    with pytest.raises(ConfigurationError, match=rf"{name}: is a link.*\(remove it\)"), hold(out):
        pass
    assert precious.read_text() == "kept"


@pytest.mark.parametrize(("hold", "refusal", "name"), HOLDS)
def test_a_folder_that_cannot_be_made_is_a_configuration_error_that_names_it(
    tmp_path: Path, hold: Hold, refusal: type[NighttrainError], name: str
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    with pytest.raises(ConfigurationError, match="file"), hold(in_the_way / "night"):
        pass
