"""A coordinator that is started ahead of the command that it serves."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from cli.local.head_start import coordinator_ahead
from cli.local.interrupt import Interrupt
from cli.local.supervision import Supervision


def test_one_that_is_told_nothing_ends_with_the_command_and_has_written_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ZeroDivisionError), coordinator_ahead(out, debug=False) as coordinator:
        assert coordinator.exit_code is None
        raise ZeroDivisionError
    assert coordinator.exit_code is not None
    assert not out.exists()


def test_one_that_is_told_its_options_outlives_the_block_and_is_employed_without_another_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with coordinator_ahead(tmp_path, debug=False) as coordinator:
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
