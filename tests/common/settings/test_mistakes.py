"""Mistakes in settings name the source, the key, what would be right, and what was got."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigurationError
from common.settings.night import NightSettings, load


def refusal(path: Path | None, overrides: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(path, overrides)
    return str(caught.value)


MISTAKES = [
    ("horizonts: [1]", "horizonts: unknown key; did you mean horizons?"),
    ("1: 2", "1: unknown key"),
    ("promote_if: {min_auk: 0.5}", "promote_if.min_auk: unknown key; did you mean min_auc?"),
    ("data: {sample: {day: 3}}", "data.sample.day: unknown key; did you mean days?"),
    ("timeframes: [7m]", "timeframes: '7m' is not a timeframe; use some of 1m, 3m, 5m"),
    ("timeframes: [1h, 1h]", "timeframes: '1h' is named twice"),
    ("symbols: [BTCUSDT, BTC_USDT]", "symbols: 'BTCUSDT' is named twice"),
    ("symbols: []", "symbols: must name at least one; got []"),
    ("symbols: BTCUSDT", "symbols: must be a list; got 'BTCUSDT'"),
    ("symbols: [123]", "symbols.0: must be text; put it in quotes; got 123"),
    ("data: {dir: 5}", "data.dir: must be a path in quotes; got 5"),
    ("max_cache: half", "max_cache: must be auto or a number from 0.1 to 1000000; got 'half'"),
    ("data: {dir: 's3:///prefix'}", "data.dir: must name a bucket: s3://BUCKET/PREFIX; got 's3:///prefix'"),
    ("data: {dir: 'http://far/candles'}", "data.dir: must be file:///FOLDER, s3://BUCKET/PREFIX"),
    ("data: {dir: 's3://k:sesame@b'}", "data.dir: must be without credentials"),
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
    ("label: {kind: beyond}", "label.kind: must be 'direction' or 'beyond_costs'; got 'beyond'"),
    ("label: {costs_bp: -1}", "label.costs_bp: must be greater than or equal to 0; got -1"),
    ("label: {costs_bp: yes}", "label.costs_bp: must be a number; got True"),
    ("label: {cost_bp: 5}", "label.cost_bp: unknown key; did you mean costs_bp?"),
    ("label: direction", "label: must be a section with keys of its own; got 'direction'"),
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
        ("BT_NIGHT_TIMEFRAMES", "1h,7m", "environment: timeframes: '7m' is not a timeframe"),
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
        ("? [a, b]\n: 1", "line 1, column 3: no valid YAML: a key must be a word"),
        ("symbols: [2024-13-45]", "line 1, column 11: no valid YAML: '2024-13-45' is no timestamp"),
        ("n_splits: !!int x", "line 1, column 11: no valid YAML: 'x' is no int"),
        ("n_splits: !!bool x", "line 1, column 11: no valid YAML: 'x' is no bool"),
        ("n_splits: " + "9" * 5000, "line 1, column 11: no valid YAML: '999"),
        ("n_splits: 0x" + "f" * 5000, "n_splits: "),
        ("symbols: " + "[" * 900, "no valid YAML: brackets or sections lie too deep in each other"),
        ("symbols: [\x00]", "no valid YAML: unacceptable character #x0000: special characters"),
        ("[1, 2]", "must be a mapping of keys to values"),
        ("n_splits", "must be a mapping of keys to values"),
    ],
)
def test_what_is_no_mapping_is_refused_with_its_place(file, text, words) -> None:
    path = file(text)
    said = refusal(path)
    assert said.startswith(f"{path}: {words}") and "\n" not in said and len(said) < 1000


@pytest.mark.parametrize("value", ["[" * 5000, '["' + "x" * 100_000 + '"]', "9" * 5000, "\udcff"])
@pytest.mark.parametrize("name", ["BT_NIGHT_WINDOW", "BT_NIGHT_SYMBOLS", "BT_NIGHT_N_SPLITS"])
def test_hostile_variables_are_one_short_line(monkeypatch, name, value) -> None:
    monkeypatch.setenv(name, value)
    said = refusal(None)
    assert said.startswith("environment: ") and "\n" not in said and len(said) < 1000


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


def test_credentials_in_the_address_of_candles_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("data: {dir: 's3://AKIAKEY:sesame@bucket/p?token=sesame'}")
    words = refusal(path)
    assert "must be without credentials" in words and "sesame" not in words and "AKIAKEY" not in words
