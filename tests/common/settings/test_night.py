import os
from datetime import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigurationError
from common.settings.night import NightSettings, canonical_symbol, load
from common.timeframes import SECONDS

DEPLOYED = Path(__file__).parents[3] / "deploy" / "night_training.yaml"


@pytest.fixture(autouse=True)
def no_settings_in_environment(monkeypatch):
    for name in os.environ:
        if name.upper().startswith("BT_NIGHT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "night.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path | None, overrides: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path, overrides)
    return str(caught.value)


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


# --- precedence


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


# --- lists in the environment


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


# --- mistakes: the source, the key, what would be right, and what was got

MISTAKES = [
    ("horizonts: [1]", "horizonts: unknown key; did you mean horizons?"),
    ("1: 2", "1: unknown key"),
    ("promote_if: {min_auk: 0.5}", "promote_if.min_auk: unknown key; did you mean min_auc?"),
    ("data: {sample: {day: 3}}", "data.sample.day: unknown key; did you mean days?"),
    ("timeframes: [7m]", "timeframes: '7m' is no timeframe; use some of 1m, 3m, 5m"),
    ("timeframes: [1h, 1h]", "timeframes: '1h' is named twice"),
    ("symbols: [BTCUSDT, BTC_USDT]", "symbols: 'BTCUSDT' is named twice"),
    ("symbols: []", "symbols: must name at least one; got []"),
    ("symbols: BTCUSDT", "symbols: must be a list; got 'BTCUSDT'"),
    ("symbols: [123]", "symbols.0: must be text; put it in quotes; got 123"),
    ("data: {dir: 5}", "data.dir: must be a path in quotes; got 5"),
    ("symbols: [B]", "symbols: 'B' is no symbol; write it as BTCUSDT, BTC_USDT or BTC/USDT"),
    ("symbols: ['BTC USDT']", "is no symbol"),
    ("symbols: ['../../etc']", "is no symbol"),
    ("horizons: [0]", "horizons.0: must be greater than or equal to 1; got 0"),
    ("horizons: [1.5]", "horizons.0: must be a valid integer, got a number with a fractional part; got 1.5"),
    ("horizons: [yes]", "horizons.0: must be a number; got True"),
    ("embargo_minutes: -1", "embargo_minutes: must be greater than or equal to 0; got -1"),
    ("embargo_minutes: 9999999", "embargo_minutes: must be less than or equal to 527040; got 9999999"),
    ("breaker: {park_seconds: 1.0e+300}", "breaker.park_seconds: must be less than or equal to 31622400"),
    ("lease: {seconds: 1.0e+300}", "lease.seconds: must be less than or equal to 31622400"),
    ("lease: {seconds: 0.5}", "lease.seconds: must be greater than or equal to 1; got 0.5"),
    ("dashboard: {port: -1}", "dashboard.port: must be greater than or equal to 0; got -1"),
    ("n_splits: 1", "n_splits: must be greater than or equal to 2; got 1"),
    ("n_splits: true", "n_splits: must be a number; got True"),
    ("num_workers: 0", "num_workers: must be auto or a whole number from 1 to 256; got 0"),
    ("num_workers: many", "num_workers: must be auto or a whole number from 1 to 256; got 'many'"),
    ("num_workers: true", "num_workers: must be auto or a whole number from 1 to 256; got True"),
    ("max_memory_per_process: 2GB", "max_memory_per_process: must be a valid number"),
    ("max_memory_per_process: .inf", "max_memory_per_process: must be a finite number; got inf"),
    ("max_memory_per_process: 0.01", "max_memory_per_process: must be greater than or equal to 0.1"),
    ("memory_threshold: 1.5", "memory_threshold: must be less than or equal to 1; got 1.5"),
    ("promote_if: {max_brier: .nan}", "promote_if.max_brier: must be a finite number; got nan"),
    ("false_discovery_rate: 0", "false_discovery_rate: must be greater than 0; got 0"),
    ("dashboard: {port: 70000}", "dashboard.port: must be less than or equal to 65535; got 70000"),
    ("training: maybe", "training: must be a valid boolean"),
    ("retry:", "retry: must be a section with keys of its own; got None"),
    ("model: {C: [1, 0.1]}", "model.C: must be a list of different positive numbers in ascending order"),
    ("model: {C: []}", "model.C: must be a list of different positive numbers in ascending order"),
    ("model: {C: [0, 1]}", "model.C.0: must be greater than 0; got 0"),
    ("deadline: {factor: 1}", "deadline.factor: must be greater than 1; got 1"),
    (
        "window: {start: 22:00, end: '07:00'}",
        'window.start: must be a time of day in quotes, such as "22:00"',
    ),
    ("window: {start: '22:00'}", "window.end: must be given"),
    ("window: {start: '22:00', end: '22:00'}", "window: start and end must differ"),
    ("window: {start: '22:00+02:00', end: '07:00'}", "window.start: must be without an offset"),
    ("window: {start: '22:00', end: '07:00', timezone: Mars}", "window.timezone: must be a time zone"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_in_the_file_is_one_line_with_file_key_and_value(file, text, words) -> None:
    path = file(text)
    said = refusal(path)
    assert said.startswith(f"{path}: ")
    assert words in said
    assert "\n" not in said


def test_each_mistake_is_named(file) -> None:
    said = refusal(file("n_splits: 0\nsymbols: []\n"))
    assert "n_splits: must" in said
    assert "symbols: must" in said


def test_a_mistake_in_the_environment_says_so(file, monkeypatch) -> None:
    monkeypatch.setenv("BT_NIGHT_WORKERS", "many")
    expected = "environment: num_workers: must be auto or a whole number from 1 to 256; got 'many'"
    assert refusal(file("num_workers: 2")) == expected


def test_a_mistake_on_the_command_line_says_so(monkeypatch) -> None:
    monkeypatch.setenv("BT_NIGHT_PROMOTE_IF__MIN_AUC", "0.6")
    said = refusal(None, {"promote_if.min_auc": 7})
    assert said == "command line: promote_if.min_auc: must be less than or equal to 1; got 7"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "BT_NIGHT_WORKERZ",
            "3",
            "environment: BT_NIGHT_WORKERZ is no setting (did you mean BT_NIGHT_WORKERS?)",
        ),
        (
            "BT_NIGHT_PROMOTE_IF__MIN_AUK",
            "1",
            "environment: promote_if.min_auk: unknown key; did you mean min_auc?",
        ),
        ("BT_NIGHT_MODEL", "foo", "environment: model: must be a section with keys of its own; got 'foo'"),
        ("BT_NIGHT_WINDOW__START", "22:00", "environment: window.end: must be given"),
        ("BT_NIGHT_TIMEFRAMES", "1h,7m", "environment: timeframes: '7m' is no timeframe"),
    ],
)
def test_a_wrong_variable_is_refused(monkeypatch, name, value, said) -> None:
    monkeypatch.setenv(name, value)
    assert refusal(None).startswith(said)


def test_variables_of_others_are_left_alone(monkeypatch) -> None:
    monkeypatch.setenv("BT_DAY_WORKERS", "x")
    monkeypatch.setenv("N_SPLITS", "x")
    assert load(None) == NightSettings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "line 1, column 6: no valid YAML: expected ',' or ']'"),
        ("n_splits: 3\nn_splits: 4", "line 2, column 1: no valid YAML: n_splits stands twice"),
        ("[1, 2]", "must be a mapping of keys to values"),
        ("n_splits", "must be a mapping of keys to values"),
    ],
)
def test_what_is_no_mapping_is_refused_with_its_place(file, text, words) -> None:
    path = file(text)
    assert refusal(path).startswith(f"{path}: {words}")


def test_a_missing_file_says_how_to_name_one(tmp_path) -> None:
    assert refusal(tmp_path / "none.yaml").endswith(
        "no such file (name the configuration with --config FILE)"
    )


def test_a_file_that_is_no_text_is_refused(tmp_path) -> None:
    path = tmp_path / "night.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in refusal(path)


def test_yaml_cannot_make_objects(file, tmp_path) -> None:
    proof = tmp_path / "proof"
    assert "no valid YAML" in refusal(file(f"n_splits: !!python/object/apply:os.mkdir ['{proof}']"))
    assert not proof.exists()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text("a1.,:[]{}-", max_size=6)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.sampled_from(["C", "port"]), SCALARS)


@given(st.dictionaries(st.sampled_from(sorted(NightSettings.model_fields)), VALUES, max_size=3))
def test_no_value_leads_to_anything_but_settings_or_a_refusal(values) -> None:
    try:
        assert isinstance(load(None, values), NightSettings)
    except ConfigurationError as error:
        assert str(error).startswith("command line: ")


# --- what is made of the settings


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
    assert load(None, {"timeframes": list(SECONDS)}).timeframes == tuple(SECONDS)
