"""How many trainers of what size."""

from __future__ import annotations

import re

import pytest

from tests.deploy.stack.conftest import Copy, candles


def test_another_configuration_named_in_env_sizes_the_stack_and_is_watched(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    (copy.home / "mine.yaml").write_text("num_workers: 3\nmax_memory_per_process: 1.5\n")
    copy.env.write_text("NIGHT_CONFIG=~/mine.yaml\n")
    assert "So TRAINERS=3 and TRAINER_MEMORY=1536m." in copy.run("size").out
    copy.up()
    assert (copy.in_force("TRAINERS"), copy.in_force("TRAINER_MEMORY")) == ("3", "1536m")
    assert copy.in_force("NIGHT_CONFIG") == str(copy.home / "mine.yaml")
    before = copy.in_force("NIGHT_DIGEST")
    with (copy.home / "mine.yaml").open("a") as file:
        file.write("n_splits: 4\n")
    copy.up()
    assert copy.in_force("NIGHT_DIGEST") not in (before, "", None)


def test_a_configuration_that_is_not_there_is_named(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    assert "NIGHT_CONFIG: there is no file ./none.yaml" in copy.refused("up", NIGHT_CONFIG="./none.yaml")


SIZES = {"BT_NIGHT_WORKERS": "2", "BT_NIGHT_MEMORY_LIMIT": "1.0", "BT_NIGHT_DASHBOARD_PORT": "5100"}


@pytest.mark.parametrize("where", ["env", "environment", "both"])
@pytest.mark.parametrize("first", [True, False])
def test_the_older_names_work_in_env_as_in_the_environment(copy: Copy, where: str, first: bool) -> None:
    candles(copy.folder / "data" / "candles")
    if not first:
        copy.up()
    written = SIZES if where == "env" else dict.fromkeys(SIZES, "1") if where == "both" else {}
    with copy.env.open("a") as file:
        file.writelines(f"{key}={value}\n" for key, value in written.items())
    said = copy.up(**({} if where == "env" else SIZES))
    assert (copy.in_force("TRAINERS"), copy.in_force("TRAINER_MEMORY")) == ("2", "1024m")
    assert copy.in_force("DASHBOARD_PORT") == "5100"
    assert "http://127.0.0.1:5100/api/status" in said.out


def test_a_plain_name_in_the_environment_wins_over_the_older_one_in_env(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("".join(f"{key}={value}\n" for key, value in SIZES.items()))
    copy.up(TRAINERS="3", TRAINER_MEMORY="700m", DASHBOARD_PORT="5200")
    assert (copy.in_force("TRAINERS"), copy.in_force("TRAINER_MEMORY")) == ("3", "700m")
    assert copy.in_force("DASHBOARD_PORT") == "5200"


def test_an_impossible_number_of_workers_in_env_is_refused(copy: Copy) -> None:
    copy.env.write_text("BT_NIGHT_WORKERS=many\n")
    assert "must be a whole number from 1 to 256; got 'many'" in copy.refused("up")


def test_what_scale_asks_for_outlasts_workers_in_env(copy: Copy) -> None:
    candles(copy.folder / "data" / "candles")
    copy.env.write_text("BT_NIGHT_WORKERS=2\n")
    copy.up()
    with copy.env.open("a") as file:
        file.write("BT_NIGHT_MEMORY_LIMIT=0.75\n")
    assert copy.run("scale", "4").code == 0
    assert copy.compose()["TRAINER_MEMORY"] == "768m", "the new ones are as large as .env says"
    copy.up()
    assert copy.in_force("TRAINERS") == "4"


@pytest.mark.parametrize(("written", "trainers"), [('"auto"', 5), ("'auto' # all", 5), ('"3"', 3), ("2", 2)])
def test_quotes_in_the_configuration_mean_nothing(copy: Copy, written: str, trainers: int) -> None:
    path = copy.folder / "deploy" / "night_training.yaml"
    text, count = re.subn(r"^num_workers: auto", f"num_workers: {written}", path.read_text(), flags=re.M)
    text = text.replace("max_memory_per_process: 2.0", 'max_memory_per_process: "2.0"')
    path.write_text(text.replace("\n", "\r\n"))
    said = copy.run("size")
    assert (count, said.code) == (1, 0), said
    assert f"So TRAINERS={trainers} and TRAINER_MEMORY=2048m." in said.out
