"""Which candles a start takes, and when it makes a sample."""

import pytest

from cli.stack.candles import Choice, Found, choose
from cli.stack.facts import read_facts
from common.errors import ConfigurationError
from tests.cli.stack.conftest import said

ROOT = "/home/me/night train"


def facts(written="", given="", candles=""):
    dotenv, environment = {"CANDLES_DIR": written} if written else {}, {"CANDLES_DIR": given} if given else {}
    return read_facts(said(ROOT, dotenv, environment, candles), dotenv)


def test_without_candles_a_sample_is_made_and_remembered():
    choice = choose(facts(), Found(chosen=False, default=False))
    assert (choice.folder, choice.written, choice.sample) == ("./data/sample", "./data/sample", True)
    assert "no candles in ./data/candles: making SYNTHETIC ones in data/sample" in choice.words


def test_candles_in_the_usual_folder_are_taken():
    assert choose(facts(), Found(True, True)) == Choice("./data/candles", None, sample=False)


@pytest.mark.parametrize(
    "written", ["/nowhere", "/home/me/other", f"{ROOT}/data/candels", f"{ROOT}/data/candles/x"]
)
def test_a_folder_of_ones_own_without_candles_is_refused(written):
    with pytest.raises(ConfigurationError, match=f"CANDLES_DIR: there are no candles in {written}"):
        choose(facts(written, candles=written), Found(chosen=False, default=True))


def test_a_folder_of_ones_own_is_taken():
    choice = choose(facts("~/candles", candles="/home/me/candles"), Found(True, True))
    assert (choice.folder, choice.written, choice.sample) == ("~/candles", None, False)


def test_a_sample_for_once_leaves_the_users_folder_in_env():
    choice = choose(facts("/nowhere", "./data/candles"), Found(False, False))
    assert (choice.folder, choice.written, choice.sample) == ("./data/sample", None, True)


def test_candles_that_came_after_the_sample_are_taken():
    choice = choose(facts("./data/sample"), Found(chosen=True, default=True))
    assert (choice.folder, choice.written, choice.sample) == ("./data/candles", "./data/candles", False)
    assert "there are candles in data/candles now" in choice.words


def test_the_sample_can_be_asked_for_in_spite_of_candles():
    found = Found(chosen=True, default=True)
    assert choose(facts("", "./data/sample", f"{ROOT}/data/sample"), found).folder == "./data/sample"


@pytest.mark.parametrize("written", ["data/sample/", f"{ROOT}/data/sample", "data\\sample"])
def test_the_sample_is_known_by_any_spelling(written):
    choice = choose(facts(written, candles=f"{ROOT}/data/sample"), Found(False, False))
    assert (choice.written, choice.sample) == ("./data/sample", True)
