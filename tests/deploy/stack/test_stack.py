"""What a start does, in which order, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.deploy.stack.conftest import Copy, candles


def test_the_first_start_writes_env_makes_a_sample_and_starts(copy: Copy) -> None:
    said = copy.up()
    assert "no candles in ./data/candles: making SYNTHETIC ones in data/sample" in said.out
    assert copy.sampled()
    settings = copy.settings()
    assert settings["CANDLES_DIR"] == "./data/sample" == copy.in_force("CANDLES_DIR")
    assert (settings["TRAINERS"], settings["TRAINER_MEMORY"]) == ("5", "2048m")
    assert (settings["DASHBOARD_PORT"], settings["COMPOSE_PROJECT_NAME"]) == ("5000", "nighttrain")
    assert [call.split()[1] for call in copy.calls() if call.startswith("compose")][-2:] == ["up", "exec"]


def test_a_second_start_changes_nothing(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.up()
    before = copy.env.read_bytes(), (copy.folder / "secrets" / "nighttrain_token").read_bytes()
    said = copy.up()
    assert (copy.env.read_bytes(), (copy.folder / "secrets" / "nighttrain_token").read_bytes()) == before
    assert "wrote .env" not in said.out


@pytest.mark.parametrize("version", ["2.23.3", "v2.9.0", "1.29.2", "2.5"])
def test_a_compose_that_is_too_old_is_named(copy: Copy, version: str) -> None:
    said = copy.refused("up", STUB_COMPOSE=version)
    assert f"docker has Compose {version.lstrip('v')}, and the stack needs 2.24 or newer" in said
    assert not copy.env.exists()


@pytest.mark.parametrize("version", ["2.24.0", "v2.24.0-desktop.1", "2.40.3", "3.0", "5.0.1", "dev"])
def test_a_compose_that_is_new_enough_is_taken(copy: Copy, version: str) -> None:
    copy.up(STUB_COMPOSE=version)


@pytest.mark.parametrize("command", [("scale", "2"), ("report",), ("alerts",), ("down",)])
@pytest.mark.parametrize("written", ["", "TRAINERS=1\n"])
def test_a_short_env_will_do_and_another_copy_is_still_noticed(
    copy: Copy, tmp_path: Path, command: tuple[str, ...], written: str
) -> None:
    copy.run("prepare")
    copy.env.write_text(written)
    said = copy.run(*command)
    assert (said.code, said.err) == (0, "")
    assert any("project=nighttrain " in call for call in copy.calls())
    said_no = copy.refused(*command, STUB_FOLDER=f"{tmp_path}\n")
    assert f"belong to the copy in {tmp_path}" in said_no


def test_alerts_of_a_short_env_are_those_of_the_file_that_is_there(copy: Copy) -> None:
    copy.env.write_text("TRAINERS=1\n")
    assert "where ./deploy/alerting.env.example says" in copy.run("alerts").out
    shutil.copy(copy.folder / "deploy" / "alerting.env.example", copy.folder / "deploy" / "alerting.env")
    assert "where ./deploy/alerting.env says" in copy.run("alerts").out
    assert copy.compose()["ALERTING_ENV"] == "./deploy/alerting.env"
