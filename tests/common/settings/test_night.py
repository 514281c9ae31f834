"""The settings of a night: the deployed file says the defaults, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from common.settings.night import NightSettings, canonical_symbol, load
from common.timeframes import Timeframe

DEPLOYED = Path(__file__).parents[3] / "deploy" / "night_training.yaml"


def test_the_deployed_file_says_the_defaults() -> None:
    assert load(DEPLOYED) == NightSettings()


def test_the_deployed_file_names_every_key() -> None:
    def keys(document: object) -> object:
        return {key: keys(value) for key, value in document.items()} if isinstance(document, dict) else None

    assert keys(yaml.safe_load(DEPLOYED.read_text())) == keys(NightSettings().model_dump())


def test_an_empty_file_means_the_defaults(file) -> None:
    assert load(file("")) == load(file("# nothing\n")) == NightSettings()


def test_settings_survive_json() -> None:
    settings = load(None, {"window.start": "22:00", "window.end": "07:00", "num_workers": 3})
    assert NightSettings(**settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC/USDT", "BTC_USDT", "btc-usdt", " BtcUsdt "])
def test_all_spellings_of_a_symbol_are_one(symbol) -> None:
    assert canonical_symbol(symbol) == "BTCUSDT"


def test_only_what_decides_the_results_makes_a_night_another_one(monkeypatch) -> None:
    usual = NightSettings()
    elsewhere = load(None, {"num_workers": 9, "dashboard.port": 1234, "data.dir": "/x", "retry.error": 7})
    assert elsewhere.grid_config() == usual.grid_config()
    for key, value in {
        "n_splits": 4,
        "model.C": [1.0],
        "data.max_missing_share": 0.5,
        "symbols": ["XRPUSDT"],
    }.items():
        assert load(None, {key: value}).grid_config() != usual.grid_config()


def test_every_timeframe_that_there_is_can_be_named() -> None:
    assert load(None, {"timeframes": list(Timeframe)}).timeframes == tuple(Timeframe)
