"""What is started ahead of the command that it serves."""

from __future__ import annotations

import logging
import socket
import time
from pathlib import Path

import pytest

from cli.local.head_start import ahead
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
