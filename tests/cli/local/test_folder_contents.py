"""`all` is what the folder holds, and a night that the folder cannot fill is refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from cli.local.folder_contents import assert_mostly_there, assert_named, contents_of, whole_folder
from common.errors import ConfigurationError
from common.settings.grid import GridConfig
from common.settings.night import NightSettings

EVERYTHING = NightSettings.model_validate({"symbols": "all", "timeframes": ["all"]})


def put(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def test_all_is_the_symbols_of_the_folder_and_what_their_candles_fill(tmp_path: Path) -> None:
    put(tmp_path, "BTCUSD-1h.csv", "ETHUSD-1h.csv", "BTC_USDT-1h.feather", "notes.txt")
    settings, said = whole_folder(EVERYTHING, tmp_path)
    assert settings.symbols == ("BTCUSD", "BTCUSDT", "ETHUSD")
    assert settings.timeframes == ("1h", "4h", "1d")
    assert said == f"all in {tmp_path}: BTCUSD, BTCUSDT, ETHUSD; 1h, 4h, 1d"
    assert GridConfig(**settings.grid_config()).symbols == settings.symbols


def test_what_only_some_symbols_have_is_left_out_and_said(tmp_path: Path) -> None:
    put(tmp_path, "BTCUSDT-15m.csv", "BTCUSDT-2h.csv", "ETHUSDT-1h.csv")
    settings, said = whole_folder(EVERYTHING, tmp_path)
    assert settings.timeframes == ("1h", "2h", "4h", "1d")
    assert said.endswith("(not 15m, which some lack)")


def test_a_perpetual_is_one_of_them_and_what_was_not_traded_is_not(tmp_path: Path) -> None:
    put(tmp_path, "futures/BTC_USDT_USDT-1h-futures.feather", "futures/ETH_USDT_USDT-1h-mark.feather")
    assert list(contents_of(tmp_path).timeframes) == ["BTCUSDTUSDT"]


def test_without_names_all_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no file's name tells a symbol, so all is none"):
        whole_folder(EVERYTHING, put(tmp_path / "a", "all_1h.csv"))
    with pytest.raises(ConfigurationError, match="not every file of BTCUSDT names its timeframe"):
        whole_folder(EVERYTHING, put(tmp_path / "b", "BTCUSDT.csv"))


def test_a_folder_of_other_pairs_is_one_line_instead_of_a_failure_a_cell(tmp_path: Path) -> None:
    put(tmp_path, "BTCUSD-1h.csv", "ETHUSD-1h.csv", "BTCUSDT-1h.csv")
    with pytest.raises(ConfigurationError) as error:
        assert_mostly_there(NightSettings(), tmp_path)
    assert str(error.value.detail) == (
        f"{tmp_path}: has candles for 9 of 108 cells; it holds "
        "BTCUSD from 1h, BTCUSDT from 1h, ETHUSD from 1h"
    )
    assert "--symbols all --timeframes all" in error.value.hint


def test_a_folder_that_fills_half_of_the_night_or_tells_no_timeframe_is_trained(tmp_path: Path) -> None:
    settings = NightSettings(symbols=("BTCUSDT", "ETHUSDT"))
    assert_mostly_there(settings, put(tmp_path / "a", "BTCUSDT-1m.csv"))
    assert_mostly_there(settings, put(tmp_path / "b", "BTCUSDT.csv"))
    with pytest.raises(ConfigurationError):
        assert_mostly_there(settings, put(tmp_path / "c", "BTCUSDT-5m.csv"))


def test_a_symbol_that_no_file_is_of_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    put(tmp_path, "BTCUSDT-1h.csv", "ETHUSDT-1h.csv")
    assert_named(("ETHUSDT",), tmp_path)
    with pytest.raises(ConfigurationError) as error:
        assert_named(("ETHUSDT", "BTCUSD"), tmp_path)
    assert "no file of BTCUSD; it holds BTCUSDT from 1h, ETHUSDT from 1h" in str(error.value.detail)
    assert error.value.hint == "did you mean BTCUSDT?"


def test_a_file_that_tells_no_symbol_may_be_of_any(tmp_path: Path) -> None:
    assert_named(("BTCUSDT", "XRPUSDT"), put(tmp_path, "BTCUSDT-1h.csv", "candles.csv"))


@pytest.mark.parametrize("key", ["symbols", "timeframes"])
def test_a_coordinator_is_never_asked_for_all(key: str) -> None:
    config = {**NightSettings().grid_config(), key: ["all"]}
    with pytest.raises(ValidationError, match="all must be told name by name here"):
        GridConfig(**config)


def test_nothing_stands_beside_all() -> None:
    with pytest.raises(ValidationError, match="nothing can stand beside it"):
        NightSettings(symbols=("BTCUSDT", "all"))
