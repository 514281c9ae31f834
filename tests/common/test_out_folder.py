from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import ConfigurationError, ConflictError
from common.out_folder import held

HOLD = """
import pathlib, sys
from common.out_folder import held
with held(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_folder_that_another_process_holds_is_refused_and_says_by_whom(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        try:
            with pytest.raises(ConflictError, match=f"process {other.pid}"), held(tmp_path):
                pass
        finally:
            other.kill()


def test_a_folder_is_free_again_when_its_holder_was_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with held(tmp_path) as folder:
        assert folder.logs.is_dir()


def test_a_folder_that_cannot_be_made_is_a_configuration_error_that_names_it(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    with pytest.raises(ConfigurationError, match="file"), held(in_the_way / "night"):
        pass
