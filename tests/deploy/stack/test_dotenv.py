"""`.env` as Compose reads it, and as the script writes it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.deploy.stack.conftest import Copy, candles


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_env_without_a_final_newline_stays_whole(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("GRAFANA_PORT=3100")
    copy.up()
    assert copy.settings()["GRAFANA_PORT"] == "3100"
    assert copy.in_force("COMPOSE_PROJECT_NAME") == "nighttrain"


@pytest.mark.parametrize(
    "written",
    ["3 # as many", "3", '"3"', "'3' # as many", '"3" # "as many"', " 3 ", "3\r", "3 # as many\r"],
)
def test_a_value_is_read_as_compose_reads_it(copy: Copy, written: str) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_bytes(f"TRAINERS={written}\nGRAFANA_PORT=3#1\nPROMETHEUS_PORT= # any\n".encode())
    copy.up()
    assert copy.compose()["TRAINERS"] == "3"
    assert copy.compose()["GRAFANA_PORT"] == "3#1", "no comment without a space"
    assert copy.compose()["PROMETHEUS_PORT"] == "9090", "nothing but a comment"


def test_the_last_of_two_lines_counts(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.up()
    with copy.env.open("a") as file:
        file.write("TRAINERS=7")
    copy.up()
    assert copy.compose()["TRAINERS"] == "7"


def test_the_environment_wins_over_env_and_an_empty_one_does_not(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("TRAINERS=3\nGRAFANA_PORT=3100\n")
    copy.up(TRAINERS="4", GRAFANA_PORT="")
    assert (copy.compose()["TRAINERS"], copy.compose()["GRAFANA_PORT"]) == ("4", "3100")


def test_a_setting_that_differs_from_env_is_refused(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    said = copy.refused("up", BT_NIGHT_N_SPLITS="9")
    assert "BT_NIGHT_N_SPLITS does not reach the containers from here: write it into .env" in said
    copy.env.write_text("BT_NIGHT_N_SPLITS=4 # folds\n")
    said = copy.refused("up", BT_NIGHT_N_SPLITS="9")
    assert "BT_NIGHT_N_SPLITS" in said and ".env has another value for it" in said
    copy.up(BT_NIGHT_N_SPLITS="4")
    copy.up(BT_NIGHT_N_SPLITS="")
    assert (copy.folder / ".env.night").read_text() == "BT_NIGHT_N_SPLITS=4 # folds\n"
    assert copy.run("down", BT_NIGHT_N_SPLITS="9").code == 0, "it is no reason not to stop"


def test_what_may_hold_a_password_is_for_the_user_alone(copy: Copy) -> None:
    copy.up()
    assert (mode(copy.env), mode(copy.folder / ".env.night")) == (0o600, 0o600)
    (copy.folder / ".env.night").chmod(0o644)
    candles(copy.folder / "data" / "candles")
    copy.up()
    assert copy.run("scale", "2").code == 0
    assert copy.settings()["TRAINERS"] == "2"
    assert (mode(copy.env), mode(copy.folder / ".env.night")) == (0o600, 0o600)


@pytest.mark.parametrize("chosen", [0o640, 0o600])
def test_a_mode_that_the_user_chose_is_kept(copy: Copy, chosen: int) -> None:
    copy.env.write_text("BT_NIGHT_N_SPLITS=4\n")
    copy.env.chmod(chosen)
    copy.up()
    assert mode(copy.env) == chosen
    assert mode(copy.folder / ".env.night") == 0o600
