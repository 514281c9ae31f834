"""What is started ahead of the command that it serves."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from cli.local import head_start
from cli.local.head_start import ahead, begin, call_off, coordinator_to_be
from cli.local.interrupt import Interrupt
from cli.local.supervision import Supervision
from trainer.process.fork_server import TRAINING, WORKER, ForkServer


def test_a_coordinator_that_is_told_nothing_ends_with_the_command_and_has_written_nothing(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), ahead(out, debug=False) as started:
        assert started.coordinator.exit_code is None
        raise ZeroDivisionError
    assert started.coordinator.exit_code is not None
    assert not out.exists()


def test_one_that_is_told_its_options_outlives_the_block_and_is_employed_without_another_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ahead(tmp_path, debug=False) as started:
        coordinator = started.coordinator
        coordinator.tell("--no-such-option")
    process = coordinator.process
    assert process is not None
    supervision = Supervision(Interrupt(), lambda _: None)
    with caplog.at_level(logging.INFO, "nighttrain.launcher"):
        supervision.employ(coordinator)
    assert (coordinator.process, coordinator.starts) == (process, 1)
    assert f"coordinator started as process {process.pid}" in caplog.text
    assert process.wait(60) == 2, "it has read them"
    coordinator.terminate()


def test_the_fork_server_can_be_joined_at_once_and_ends_with_the_block(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ahead(tmp_path, debug=False) as started:
        agent = ForkServer(WORKER, TRAINING, started.fork_server)
        agent.start()
        try:
            give_up = time.monotonic() + 30
            while not agent.is_ready:
                agent.listen()
                assert time.monotonic() < give_up
                time.sleep(0.01)
            assert agent._process is None, "it has none of its own"
        finally:
            agent.close()
    assert "killed" not in caplog.text
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as late, pytest.raises(ConnectionRefusedError):
        late.connect(f"\0{started.fork_server[1:]}")


def test_secrets_of_the_surroundings_do_not_reach_the_fork_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("BT_NIGHT_SECRET", "not for children")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "neither")
    with caplog.at_level(logging.INFO, "nighttrain.launcher"), ahead(tmp_path, debug=False):
        (line,) = [one for one in caplog.messages if one.startswith("fork server started as process ")]
        found = Path(f"/proc/{line.rpartition(' ')[2]}/environ").read_bytes()
    assert b"PATH=" in found
    assert b"not for children" not in found
    assert b"AWS_" not in found


@pytest.mark.parametrize(
    ("words", "out", "debug"),
    [
        ([], "night", False),
        (["--out", "away", "--debug"], "away", True),
        (["--out=away", "--symbols", "BTCUSDT"], "away", False),
        (["--out", "first", "--out", "second"], "second", False),
    ],
)
def test_what_is_begun_by_the_look_of_the_words_serves_the_night_that_they_ask_for(
    words: list[str], out: str, debug: bool
) -> None:
    begin(words, Path("night"))
    [begun] = head_start._begun
    try:
        with ahead(Path(out), debug) as started:
            assert started is begun
            assert (started.coordinator.starts, started.server.starts) == (1, 1)
            assert started.coordinator.process is not None
            assert started.coordinator.process.args == coordinator_to_be(Path(out), debug).command
            assert not head_start._begun
    finally:
        call_off()


def test_what_is_begun_for_another_folder_is_ended_and_begun_anew(tmp_path: Path) -> None:
    begin(["--out", str(tmp_path / "guessed")], tmp_path)
    [guessed] = head_start._begun
    with ahead(tmp_path / "asked", debug=False) as started:
        assert guessed.coordinator.exit_code is not None and guessed.server.exit_code is not None
        assert started is not guessed and started.coordinator.exit_code is None


@pytest.mark.parametrize(
    "words", [["run", "--no-such-option"], ["run", "--help"], ["run", "--horizons", "x"]]
)
def test_a_command_that_begins_no_night_leaves_no_process_behind_and_says_one_line(
    words: list[str], tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex
    ended = subprocess.run(
        [sys.executable, "-m", "cli", *words, "--out", str(tmp_path)],
        env={**os.environ, "LC_NIGHTTRAIN_TEST": mark},
        capture_output=True,
        text=True,
        timeout=60,
    )
    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("LC_NIGHTTRAIN_TEST") == mark:
                left.append(process.cmdline())
    assert not left
    helped = "--help" in words
    assert (ended.returncode, ended.stderr.count("\n")) == (0 if helped else 2, 0 if helped else 1), ended


def test_the_processes_that_it_looks_for_would_bear_the_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_NIGHTTRAIN_TEST", "here")
    begin([], tmp_path)
    [begun] = head_start._begun
    try:
        for child in begun.coordinator, begun.server:
            assert child.process is not None
            assert psutil.Process(child.process.pid).environ()["LC_NIGHTTRAIN_TEST"] == "here"
    finally:
        call_off()


def test_what_is_called_off_is_gone_at_once_and_nothing_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    begin([], tmp_path)
    [begun] = head_start._begun
    call_off()
    assert begun.server.exit_code == begun.coordinator.exit_code == -signal.SIGKILL
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
