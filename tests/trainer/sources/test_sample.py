import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from tests.candle_fixtures import defects, surveyed
from trainer.sources import sample
from trainer.sources.sample import END, best_possible_auc, planted_symbols, simulated, write_sample

SIX = ("BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT", "DOGEUSDT", "XRPUSDT")
DAYS = 120


def quiet(stage, done, total):
    pass


def returns(columns):
    return np.diff(np.log(columns["close"]))


@pytest.fixture(scope="module")
def noise():
    return simulated("ADAUSDT", DAYS, 7)


@pytest.fixture(scope="module")
def planted():
    return simulated("BTCUSDT", DAYS, 7)


def test_a_sample_is_always_the_same_and_depends_on_its_seed(tmp_path):
    first = write_sample(tmp_path / "a", ["BTCUSDT", "ADAUSDT"], 3, 7, quiet)
    second = write_sample(tmp_path / "b", ["ADAUSDT"], 3, 7, quiet)
    assert first[1].read_bytes() == second[0].read_bytes()
    other = write_sample(tmp_path / "c", ["ADAUSDT"], 3, 8, quiet)
    assert other[0].read_bytes() != second[0].read_bytes()


def test_what_is_there_is_left_alone_and_all_else_made_anew(tmp_path):
    def write(symbols, days, seed):
        write_sample(tmp_path, symbols, days, seed, quiet)
        return {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.iterdir()}

    first = write(["BTCUSDT"], 3, 7)
    both = write(["BTCUSDT", "ADAUSDT"], 3, 7)
    assert both["BTCUSDT-1m-sample.parquet"] == first["BTCUSDT-1m-sample.parquet"]
    for days, seed in ((4, 7), (3, 8)):
        other = write(["BTCUSDT", "ADAUSDT"], days, seed)
        assert all(other[name][1] != both[name][1] for name in both)
    (tmp_path / "ADAUSDT-1m-sample.parquet").write_bytes(both["ADAUSDT-1m-sample.parquet"][1][:-100])
    again = write(["BTCUSDT", "ADAUSDT"], 3, 7)
    assert {name: content for name, (_, content) in again.items()} == {
        name: content for name, (_, content) in both.items()
    }


def test_symbols_move_independently(noise, planted):
    signs = np.sign(returns(noise)), np.sign(returns(planted))
    assert abs((signs[0] * signs[1]).mean()) < 4 / np.sqrt(len(signs[0]))


def test_the_files_are_surveyed_without_a_finding_as_synthetic(tmp_path):
    seen = []
    paths = write_sample(tmp_path, ["BTCUSDT", "XRPUSDT"], 20, 7, lambda *step: seen.append(step))
    assert [path.name for path in paths] == ["BTCUSDT-1m-sample.parquet", "XRPUSDT-1m-sample.parquet"]
    assert seen == [("sample", 0, 2), ("sample", 1, 2), ("sample", 2, 2)]
    seen.clear()
    assert write_sample(tmp_path, ["BTCUSDT", "XRPUSDT"], 20, 7, lambda *step: seen.append(step)) == paths
    assert seen == []
    report = surveyed(tmp_path, tmp_path / "cache", "XRPUSDT", ("1m", "1h", "1d"))
    assert report.synthetic
    assert defects(report) == {}
    assert [series.rows for series in report.series] == [20 * 1440, 20 * 24, 20]
    assert {series.span.end for series in report.series} == {END}
    assert json.loads(pq.read_schema(paths[0]).metadata[b"nighttrain.synthetic"]) is True


def test_the_planted_symbols_do_not_depend_on_the_others():
    assert planted_symbols(SIX) == ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    assert planted_symbols(("XRPUSDT", "SOLUSDT")) == ("SOLUSDT",)
    others = [f"COIN{number}USDT" for number in range(40)]
    assert 8 < len(planted_symbols(others)) < 32


def test_volatility_clusters_and_tails_are_fat(noise):
    moves = np.abs(returns(noise))
    for lag in (1, 60):
        assert np.corrcoef(moves[lag:], moves[:-lag])[0, 1] > 0.1
    centred = returns(noise) - returns(noise).mean()
    assert (centred**4).mean() / (centred**2).mean() ** 2 > 5


def test_volume_follows_volatility_and_differs_between_symbols(noise, planted):
    minutes = np.abs(returns(noise)) + 1e-9
    assert np.corrcoef(np.log(noise["volume"][1:]), np.log(minutes))[0, 1] > 0.2
    assert planted["quote_volume"].sum() > 5 * noise["quote_volume"].sum()
    assert (noise["volume"] > 0).all()


def test_the_noise_has_no_memory_and_rounding_gives_it_none(noise):
    moves = returns(noise)
    bound = 4 / np.sqrt(len(moves))
    standard = moves / np.sqrt((moves**2).mean())
    for lag in (1, 2, 3, 5, 60):
        # Products of clustering returns vary more than those of independent ones.
        spread = np.sqrt((standard[lag:] ** 2 * standard[:-lag] ** 2).mean())
        assert abs((standard[lag:] * standard[:-lag]).mean()) < bound * spread
    assert (moves == 0).mean() < 0.002
    assert abs((moves > 0).mean() - 0.5) < bound / 2 + 0.001


def test_the_best_forecast_of_the_next_minute_has_the_auc_that_is_claimed(monkeypatch):
    drifts = []
    drift = sample._drift

    def watched(eps):
        drifts.append(drift(eps))
        return drifts[-1]

    monkeypatch.setattr(sample, "_drift", watched)
    close = simulated("BTCUSDT", 365, 3)["close"]
    rises = close[1:] > close[:-1]
    # Four standard errors of the AUC of n rows.
    error = 4 * np.sqrt(1 / (3 * len(rises)))
    assert roc_auc_score(rises, drifts[0][1:]) == pytest.approx(best_possible_auc("1m", 1), abs=error)


def test_nothing_drifts_in_the_noise(monkeypatch):
    monkeypatch.delattr(sample, "_drift")
    assert len(simulated("ADAUSDT", 2, 3)["close"]) == 2880


def test_the_best_auc_is_within_reach_and_not_too_easy():
    for timeframe in ("1m", "5m", "15m", "1h", "4h"):
        assert 0.53 < best_possible_auc(timeframe, 1) < 0.57


def test_the_best_auc_agrees_with_a_simulation_of_the_sums():
    draw = np.random.default_rng(0)
    eps = draw.standard_normal(2_000_000)
    averages = [sample._average(eps, np.exp(-1 / tau)) for tau, _ in sample.DRIFT]
    total = np.concatenate([[0.0], np.cumsum(eps + sample._drift(eps))])
    steps = 15 * 3
    now = np.arange(20_000, len(eps) - steps, steps)
    forecast = sum(
        kappa * average[now - 1] * (1 - np.exp(-steps / tau)) / (1 - np.exp(-1 / tau))
        for (tau, kappa), average in zip(sample.DRIFT, averages, strict=True)
    )
    rises = total[now + steps] > total[now]
    error = 4 * np.sqrt(1 / (3 * len(now)))
    assert roc_auc_score(rises, forecast) == pytest.approx(best_possible_auc("15m", 3), abs=error)
