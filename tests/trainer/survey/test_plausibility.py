import numpy as np
import pytest

from common.timeframes import Timeframe
from tests.candle_fixtures import POLICY, START_MS, candles
from trainer.candles.bars import FIELDS, Bars
from trainer.sources.files import Source
from trainer.survey.repair import repaired

HOUR = 3_600_000


def repair(columns):
    bars = Bars.of(columns["open_time"], {name: columns[name] for name in FIELDS[:5]})
    source = Source("a.csv", bars, frozenset(), synthetic=False, mtime_ms=START_MS - 1)
    series, found = repaired([source], Timeframe.H1, POLICY)
    return series, {finding.defect: finding for finding in found}


def hours(close, opened=None):
    before = np.concatenate([close[:1], close[:-1]]) if opened is None else opened
    return {
        "open_time": START_MS + np.arange(len(close)) * HOUR,
        "open": before,
        "high": np.maximum(before, close) * 1.001,
        "low": np.minimum(before, close) * 0.999,
        "close": close,
        "volume": np.full(len(close), 5.0),
    }


def returns(share, seed=0):
    draw = np.random.default_rng(seed)
    small = draw.normal(0, 0.005, 2000)
    return np.where(draw.random(2000) < share, draw.choice([-0.08, 0.08], 2000), small)


@pytest.mark.parametrize(("share", "named"), [(0.02, False), (0.13, True)])
def test_implausible_volatility_is_reported_by_name(share, named):
    series, findings = repair(hours(100 * np.exp(np.cumsum(returns(share)))))
    assert series.refusal == ""
    assert ("volatile" in findings) == named
    if named:
        assert "move by more than 5 %" in findings["volatile"].detail
        assert findings["volatile"].action == "kept"


def test_moves_that_come_back_at_once_are_no_market():
    spikes = np.where(np.random.default_rng(1).random(2000) < 0.13, 1.08, 1.0)
    series, findings = repair(hours(100 * spikes * np.exp(np.cumsum(returns(0.0)))))
    assert findings["volatile"].action == "refused"
    assert series.refusal + "." == findings["volatile"].detail
    assert "come back at once, as on a testnet" in series.refusal


@pytest.mark.parametrize(("share", "action"), [(0.005, None), (0.03, "kept"), (0.2, "refused")])
def test_opens_far_from_the_last_close_are_reported_and_refused_where_many(share, action):
    close = 100 * np.exp(np.cumsum(returns(0.0)))
    before = np.concatenate([close[:1], close[:-1]])
    far = np.random.default_rng(2).random(2000) < share
    series, findings = repair(hours(close, np.where(far, before * 1.2, before)))
    assert (findings["far_open"].action if "far_open" in findings else None) == action
    assert bool(series.refusal) == (action == "refused")


def test_an_open_outside_of_low_to_high_is_dropped_by_that_name():
    columns = candles(500, "1h")
    columns["open"][7] = columns["high"][7] * 1.01
    series, findings = repair(columns)
    finding = findings["open_outside"]
    assert (finding.count, finding.action, len(series.bars)) == (1, "dropped", 499)
    columns["open"][:50] = columns["high"][:50] * 1.01
    assert "(50 open_outside)" in repair(columns)[0].refusal


@pytest.mark.parametrize("nothing", [np.nan, 0.0])
def test_empty_rows_are_times_without_a_trade_and_no_damage(nothing):
    columns = candles(500, "1h")
    rows = np.arange(100, 200)
    for name in FIELDS[:4]:
        columns[name][rows] = nothing
    columns["volume"][rows] = 0.0
    series, findings = repair(columns)
    assert (series.refusal, len(series.bars)) == ("", 400)
    assert (findings["empty_bar"].count, findings["empty_bar"].action) == (100, "dropped")
