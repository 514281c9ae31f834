"""Lines of `.env` that are added and replaced."""

import pytest

from cli.stack.env_file import HEAD, EnvFile


def test_a_line_is_added_once_with_its_comment():
    env = EnvFile()
    assert env.add("TRAINERS", "3", "as many") and not env.add("TRAINERS", "4")
    assert env.text == f"{HEAD}# as many\nTRAINERS=3\n"


def test_an_open_last_line_stays_whole():
    env = EnvFile("GRAFANA_PORT=3100")
    env.add("TRAINERS", "3")
    env.set("X", "1")
    assert env.text == "GRAFANA_PORT=3100\nTRAINERS=3\nX=1\n"


@pytest.mark.parametrize("text", ["A=1\nTRAINERS=2 # two\nB=2\nTRAINERS=3", "A=1\nTRAINERS = 2\nB=2\n"])
def test_a_set_key_has_one_line_in_its_first_place(text):
    env = EnvFile(text)
    env.set("TRAINERS", "4")
    assert env.text == "A=1\nTRAINERS=4\nB=2\n"


def test_a_comment_or_a_longer_key_is_no_line_of_a_key():
    env = EnvFile("# TRAINERS=1\nTRAINERS_X=2\n")
    assert not env.has("TRAINERS")
    env.set("TRAINERS", "5")
    assert env.text.endswith("TRAINERS_X=2\nTRAINERS=5\n")


def test_the_containers_get_settings_of_the_night_as_they_are_written_and_nothing_else():
    env = EnvFile(
        "TRAINERS=1\nBT_NIGHT_N_SPLITS=4 # folds\nBT_NIGHT_TRAINING=true\nBT_NIGHT_WORKERS=2\n"
        "BT_NIGHT_MEMORY_LIMIT=1\nBT_NIGHT_DASHBOARD_PORT=1\nBT_NIGHT_DASHBOARD__ENABLED=false\n"
        "#BT_NIGHT_X=1\nBT_NIGHT_DATABASE_URL='a b'"
    )
    assert env.night == (
        "BT_NIGHT_N_SPLITS=4 # folds\nBT_NIGHT_DASHBOARD__ENABLED=false\nBT_NIGHT_DATABASE_URL='a b'\n"
    )


def test_lines_are_shown_side_by_side():
    assert EnvFile("B=2\nA=1\nC=3\n").lines("A", "B") == "A=1 B=2"
