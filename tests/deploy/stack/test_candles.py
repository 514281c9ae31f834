"""Which candles a start takes, and when it makes a sample."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deploy.stack.conftest import Copy, candles


@pytest.mark.parametrize(
    "written", ["~/my candles", "$HOME/my candles", "${HOME}/my candles/", '"~/my candles"']
)
def test_a_folder_below_home_is_found(copy: Copy, written: str) -> None:
    own = candles(copy.home / "my candles")
    copy.env.write_text(f"CANDLES_DIR={written}\n")
    copy.up()
    assert not copy.sampled()
    assert copy.in_force("CANDLES_DIR") == str(own)
    assert f"CANDLES_DIR={written}\n" in copy.env.read_text()


def test_what_merely_looks_like_a_command_in_a_path_is_not_run(copy: Copy) -> None:
    copy.env.write_text("CANDLES_DIR=~/$(touch ran)`touch ran`\n")
    assert "$(touch ran)`touch ran`" in copy.refused("up")
    assert not list(copy.folder.rglob("ran")) and not list(copy.home.rglob("ran"))


@pytest.mark.parametrize("linked", ["data", "data/candles"])
def test_candles_behind_a_link_are_found(copy: Copy, tmp_path: Path, linked: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    candles(elsewhere / "candles")
    (copy.folder / linked).parent.mkdir(exist_ok=True)
    (copy.folder / linked).symlink_to(elsewhere if linked == "data" else elsewhere / "candles")
    copy.up()
    assert not copy.sampled()
    assert copy.in_force("CANDLES_DIR") == "./data/candles"


@pytest.mark.parametrize(
    "written", ["/nowhere/candles", "~/candles", "./data/candels", "data/candles/binance"]
)
def test_a_folder_of_ones_own_without_candles_is_refused_and_kept(copy: Copy, written: str) -> None:
    copy.env.write_text(f"CANDLES_DIR={written}\n")
    assert "CANDLES_DIR: there are no candles in " in copy.refused("up")
    assert f"CANDLES_DIR={written}\n" in copy.env.read_text()
    assert not copy.sampled() and not (copy.folder / "data").exists()


def test_a_folder_in_the_environment_that_is_empty_is_refused_and_not_remembered(copy: Copy) -> None:
    assert "there are no candles in /nowhere" in copy.refused("up", CANDLES_DIR="/nowhere")
    assert "/nowhere" not in copy.env.read_text()
    copy.up()


def test_a_sample_for_once_leaves_the_users_folder_in_env(copy: Copy) -> None:
    copy.env.write_text("CANDLES_DIR=/nowhere\n")
    copy.up(CANDLES_DIR="./data/candles")
    assert copy.in_force("CANDLES_DIR") == "./data/sample"
    assert copy.settings()["CANDLES_DIR"] == "/nowhere"


def test_candles_that_came_after_the_sample_are_taken(copy: Copy) -> None:
    copy.up()
    candles(copy.folder / "data" / "candles")
    said = copy.up()
    assert "there are candles in data/candles now" in said.out
    assert not copy.sampled()
    assert copy.settings()["CANDLES_DIR"] == "./data/candles" == copy.in_force("CANDLES_DIR")


def test_the_sample_can_be_asked_for_in_spite_of_candles(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    candles(copy.folder / "data" / "sample")
    copy.up(CANDLES_DIR="data/sample/")
    assert copy.in_force("CANDLES_DIR") == "./data/sample"


def test_a_bare_relative_folder_is_no_name_of_a_volume(copy: Copy) -> None:
    candles(copy.folder / "mine")
    copy.env.write_text("CANDLES_DIR=mine\n")
    copy.up()
    assert copy.in_force("CANDLES_DIR") == "./mine"


def test_the_folder_of_the_sample_is_there_before_the_engine_makes_it_for_root(copy: Copy) -> None:
    copy.up()
    assert (copy.folder / "data" / "sample").stat().st_uid == (os.getuid() or 10001)
