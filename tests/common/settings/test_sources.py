"""Where settings come from: file, environment and command line, and which goes before which."""

from __future__ import annotations

from datetime import time

import pytest

from common.errors import ConfigurationError
from common.settings.night import NightSettings, load


def test_the_environment_overrides_the_file_and_the_command_line_both(file, monkeypatch) -> None:
    path = file("n_splits: 3\nembargo_minutes: 10\nhorizons: [7]\npromote_if: {min_auc: 0.6, min_acc: 0.4}\n")
    monkeypatch.setenv("BT_NIGHT_N_SPLITS", "4")
    monkeypatch.setenv("BT_NIGHT_EMBARGO_MINUTES", "20")
    monkeypatch.setenv("BT_NIGHT_PROMOTE_IF__MIN_AUC", "0.7")
    settings = load(path, {"n_splits": 6, "promote_if.max_brier": 0.2})
    assert (settings.n_splits, settings.embargo_minutes, settings.horizons) == (6, 20, (7,))
    promote_if = settings.promote_if
    assert (promote_if.min_auc, promote_if.max_brier, promote_if.min_acc) == (0.7, 0.2, 0.4)


def test_the_known_names_set_their_keys(monkeypatch) -> None:
    monkeypatch.setenv("BT_NIGHT_WORKERS", "3")
    monkeypatch.setenv("BT_NIGHT_MEMORY_LIMIT", "1.5")
    monkeypatch.setenv("BT_NIGHT_DASHBOARD_PORT", "6000")
    monkeypatch.setenv("BT_NIGHT_TRAINING", "false")
    monkeypatch.setenv("BT_NIGHT_DASHBOARD__HOST", "0.0.0.0")
    settings = load(None)
    assert settings.num_workers == 3
    assert settings.memory_limit_bytes == 1536 * 1024**2
    assert (settings.dashboard.port, settings.dashboard.host) == (6000, "0.0.0.0")
    assert settings.training is False


def test_a_known_name_wins_over_the_name_made_from_the_key(monkeypatch) -> None:
    monkeypatch.setenv("BT_NIGHT_NUM_WORKERS", "2")
    monkeypatch.setenv("BT_NIGHT_WORKERS", "4")
    assert load(None).num_workers == 4


def test_workers_may_be_auto_in_the_environment(monkeypatch, file) -> None:
    monkeypatch.setenv("BT_NIGHT_WORKERS", "auto")
    assert load(file("num_workers: 7")).num_workers == "auto"


def test_an_empty_variable_counts_as_not_set(monkeypatch, file) -> None:
    for name in ("BT_NIGHT_WORKERS", "BT_NIGHT_SYMBOLS", "BT_NIGHT_PROMOTE_IF__MIN_AUC", "BT_NIGHT_N_SPLITS"):
        monkeypatch.setenv(name, "")
    assert load(file("num_workers: 7")) == NightSettings(num_workers=7)


def test_nested_keys_go_three_levels_deep(monkeypatch) -> None:
    monkeypatch.setenv("BT_NIGHT_DATA__SAMPLE__DAYS", "30")
    monkeypatch.setenv("BT_NIGHT_WINDOW__START", "22:00")
    monkeypatch.setenv("BT_NIGHT_WINDOW__END", "07:30")
    settings = load(None)
    assert (settings.data.sample.days, settings.data.sample.seed) == (30, 7)
    assert settings.window is not None
    assert (settings.window.start, settings.window.end) == (time(22), time(7, 30))


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("BTCUSDT", ("BTCUSDT",)),
        ("BTC/USDT, eth_usdt", ("BTCUSDT", "ETHUSDT")),
        ('["BTCUSDT", "ETHUSDT"]', ("BTCUSDT", "ETHUSDT")),
    ],
)
def test_a_list_of_words_may_have_commas_or_be_json(monkeypatch, text, symbols) -> None:
    monkeypatch.setenv("BT_NIGHT_SYMBOLS", text)
    assert load(None).symbols == symbols


@pytest.mark.parametrize(("text", "horizons"), [("2", (2,)), ("2,4", (2, 4)), ("[2, 4]", (2, 4))])
def test_a_list_of_numbers_may_have_commas_or_be_json(monkeypatch, text, horizons) -> None:
    monkeypatch.setenv("BT_NIGHT_HORIZONS", text)
    assert load(None).horizons == horizons


def test_a_nested_list_may_have_commas(monkeypatch) -> None:
    monkeypatch.setenv("BT_NIGHT_MODEL__C", "0.1,10")
    assert load(None).model.C == (0.1, 10.0)


def test_a_section_may_be_json(monkeypatch) -> None:
    monkeypatch.setenv("BT_NIGHT_RETRY", '{"error": 9}')
    assert load(None).retry.error == 9


@pytest.mark.parametrize(
    "url", ["ftp://x", "night.example.org", "https://a b", "javascript:alert(1)", "http://x?y"]
)
def test_an_external_address_is_one_of_the_web(url) -> None:
    with pytest.raises(ConfigurationError, match="external_url"):
        load(None, {"dashboard.external_url": url})


def test_links_use_the_external_address_or_else_where_the_coordinator_listens() -> None:
    assert load(None, {"dashboard.port": 5001}).dashboard.address == "http://127.0.0.1:5001"
    outside = load(None, {"dashboard.external_url": "https://night.example.org/desk/"})
    assert outside.dashboard.address == "https://night.example.org/desk"
