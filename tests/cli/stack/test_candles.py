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


STORE = "s3://bucket/candles"


def of_store(url, **others):
    return read_facts(said(ROOT, {"CANDLES_URL": url, **others}, {}), {"CANDLES_URL": url, **others})


@pytest.mark.parametrize("folder", ["", "./data/candles", "./data/sample"])
def test_candles_of_a_store_are_taken_and_no_sample_is_made(folder):
    choice = choose(of_store(STORE, CANDLES_DIR=folder), Found(chosen=False, default=False))
    assert (choice.written, choice.sample) == (None, False)
    assert choice.words == f"candles come from {STORE}, to which trainers have a way out"


def test_an_empty_address_of_a_store_is_none():
    assert choose(of_store(""), Found(True, True)).words == ""


def test_a_store_beside_a_folder_of_ones_own_is_refused():
    with pytest.raises(ConfigurationError, match="CANDLES_URL and CANDLES_DIR are both set"):
        choose(of_store(STORE, CANDLES_DIR="~/candles"), Found(True, True))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3:/bucket", "CANDLES_URL names a folder, and containers read one that CANDLES_DIR names"),
        ("file:///srv/candles", "CANDLES_URL names a folder"),
        ("az://container/x", "CANDLES_URL: trainers here read s3:// and gs://"),
        ("http://store/bucket", "CANDLES_URL: must be file:///FOLDER, s3://BUCKET/PREFIX"),
        ("s3://key:secret@bucket/x", "CANDLES_URL: must be without credentials"),
    ],
)
def test_an_address_that_is_none_of_a_store_is_refused(url, words):
    with pytest.raises(ConfigurationError) as caught:
        choose(of_store(url), Found(True, True))
    assert str(caught.value).startswith(words)
    assert "secret" not in str(caught.value)
