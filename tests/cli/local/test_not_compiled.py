"""Who has new code and has not installed it again is told so before a night begins that nothing can train."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The project's code with none of its libraries."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("cli", "common", "coordinator", "trainer"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return folder


def asked(source, *words):
    # The current folder is looked at before what is installed.
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["run", "up", "trainer"])
def test_nothing_is_begun_that_could_train_nothing(source, tmp_path, command):
    (tmp_path / "candles").mkdir()
    out, data = ("--out", str(tmp_path / "out")), ("--data", str(tmp_path / "candles"))
    alone = (
        "--coordinator",
        "http://127.0.0.1:9",
        "--token-file",
        "token",
        "--cache",
        str(tmp_path / "cache"),
    )
    words = ("trainer", *alone, *data) if command == "trainer" else ("cli", command, *out, *data)
    ended = asked(source, *words)
    assert ended.returncode == 2, ended.stderr
    assert "what is written in C was not compiled" in ended.stderr
    assert "install again: make setup" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_check_says_what_to_do(source, tmp_path):
    ended = asked(source, "cli", "check", "--out", str(tmp_path / "out"))
    assert ended.returncode == 1
    (line, todo) = [line for line in ended.stdout.splitlines() if "compiled" in line or "make setup" in line][
        :2
    ]
    assert line.split()[:2] == ["failed", "parts"]
    assert "install again: make setup" in todo
