"""Commands whose words have nowhere to go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import GRID, ROOT, command, environment
from tests.cli.nights import Night, essence, only_results_of

LOST = "nighttrain: some words may be missing on standard output: No space left on device; all else is done"


def said(*words: object, stdout: int, **env: str) -> tuple[int, str]:
    """What a command ends with, and what it writes to standard error."""
    done = subprocess.run(
        command(*words),
        cwd=ROOT,
        env={**environment(), **env},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["config", "show"], ["--version"]], ids=" ".join)
def test_a_command_whose_output_is_on_a_full_disk_says_so_in_a_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        assert said(*words, stdout=full.fileno()) == (1, f"{LOST}\n")


def test_a_night_whose_output_is_on_a_full_disk_goes_on_to_its_end(
    undisturbed: Night, candles: Path, tmp_path: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        code, words = said(
            "run", "--data", candles, "--out", tmp_path, "--trainers", 1, *GRID, stdout=full.fileno()
        )
    assert (code, words.splitlines()[-1]) == (1, LOST)
    assert essence(only_results_of(tmp_path)) == essence(undisturbed[0])


def test_a_command_whose_output_is_closed_does_what_it_is_told() -> None:
    line = command("config", "show")
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *line], cwd=ROOT, env=environment(), stderr=subprocess.PIPE
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_who_has_enough_ends_a_command_in_peace() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        _, words = said("config", "show", stdout=writing)
        assert words == ""
    finally:
        os.close(writing)


def test_words_are_shown_as_soon_as_ever_where_nothing_is_to_be_held_back() -> None:
    # As in the images, whose environment has PYTHONUNBUFFERED.
    told = "import os, sys; from cli.screen.outlet import opened; sys.stdout = opened(sys.stdout)"
    done = subprocess.run(
        [sys.executable, "-c", f"{told}; print('shown'); os._exit(3)"],
        cwd=ROOT,
        env={**environment(), "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (3, "shown\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_command_whose_output_finds_room_for_a_part_of_it_says_so(tmp_path: Path, unbuffered: str) -> None:
    full = tmp_path / "words"
    line = ["/bin/sh", "-c", 'ulimit -f 1; exec "$@"', "sh", *command("config", "show")]
    with full.open("w") as written:
        done = subprocess.run(
            line,
            cwd=ROOT,
            env={**environment(), "PYTHONUNBUFFERED": unbuffered},
            stdout=written,
            stderr=subprocess.PIPE,
            text=True,
        )
    lost = LOST.replace("No space left on device", "File too large")
    assert (done.returncode, done.stderr) == (1, f"{lost}\n")
    assert 0 < full.stat().st_size <= 1024
