"""Real minutes whose directions a coin has decided: times, volumes, ranges and idle bars are a market's."""

import io
import zipfile

import numpy as np
import pytest

from common.protocol.jobs import Cell, TrainingSpec
from common.settings.sections import Label, PromoteIf
from common.timeframes import Timeframe
from coordinator.policy.promotion import Challenger, decide
from tests.candle_fixtures import real_candles
from trainer.candles.candles import Candles
from trainer.compiled.predictions import midranks
from trainer.learning.scores import area_under_curve
from trainer.pipeline import train

QUIET_MONTHS = ("08", "09", "10")
"""Months of 2023 with many idle minutes."""


@pytest.fixture(scope="module")
def minutes():
    """Three months, with each bar mirrored about the close before it or not."""
    months = []
    for month in QUIET_MONTHS:
        with zipfile.ZipFile(real_candles("night") / f"BTCUSDT-1m-2023-{month}.zip") as archive:
            text = archive.read(archive.namelist()[0]).decode()
        months.append(np.loadtxt(io.StringIO(text), delimiter=",", usecols=range(6)))
    table = np.concatenate(months)
    rows = len(table)
    columns = dict(zip(("open", "high", "low", "close", "volume"), table[:, 1:].T, strict=True))
    open_time = table[:, 0].astype(np.int64)
    side = np.random.default_rng(11).choice([-1.0, 1.0], rows)
    before = np.concatenate([columns["open"][:1], columns["close"][:-1]])
    moves = side * np.log(columns["close"] / before)
    close = 47_000 * np.exp(np.cumsum(moves))
    start = np.concatenate([[47_000.0], close[:-1]])
    # Ranges are mirrored too; an idle bar stays one to the last digit.
    opened = start * np.exp(side * np.log(columns["open"] / before))
    far = [start * np.exp(side * np.log(columns[name] / before)) for name in ("high", "low")]
    idle = columns["close"] == before
    for row in np.flatnonzero(idle):
        close[row] = close[row - 1] if row else start[0]
    flipped = {
        "open_time": open_time,
        "open": opened,
        "high": np.maximum.reduce([*far, opened, close]),
        "low": np.minimum.reduce([*far, opened, close]),
        "close": close,
        "volume": columns["volume"],
    }
    return Candles.of("BTCUSDT", Timeframe.M1, flipped), float(idle.mean())


@pytest.mark.parametrize("kind", ["direction", "beyond_costs"])
def test_a_coin_on_real_minutes_earns_nothing_and_is_not_promoted(minutes, tmp_path, kind):
    candles, idle = minutes
    spec = TrainingSpec(
        cell=Cell(symbol="BTCUSDT", timeframe=Timeframe.M1, horizon=1),
        label=Label(kind=kind),
        n_splits=5,
        embargo_minutes=30,
        Cs=(1e-6, 1e-4, 1e-2),
        min_train_rows=100,
        min_test_rows=40,
        data_digests={Timeframe.M1: candles.digest},
        synthetic=False,
    )
    report = train(
        spec, {Timeframe.M1: candles}.get, tmp_path, lambda: None, lambda kept: None, None, lambda *step: None
    )
    assert report.certificate.valid, report.certificate
    # Of 100,000 rows the standard error of an area is 0.0018.
    assert abs(report.scores.auc - 0.5) < 0.006
    assert abs(report.edge.edge_bp) < 3 * report.edge.standard_error_bp
    if kind == "direction":
        assert report.ties.share == pytest.approx(idle, rel=0.05)
    challenger = Challenger(
        job_id=1,
        scores=report.scores,
        p_value=report.p_value,
        certified=report.certificate.valid,
        synthetic=False,
        comparison=None,
    )
    [decision] = decide([challenger], {}, PromoteIf(), 0.1)
    assert "auc" in decision.refused_by


def test_the_same_minutes_pay_for_knowing_which_are_idle_if_ties_are_falls(minutes):
    # Were this not so, the test above could not fail.
    candles, _ = minutes
    change = np.diff(candles.close)
    busy = midranks(np.convolve(change != 0, np.ones(30), "valid")[:-1])
    later = change[30:]
    assert area_under_curve(busy, (later > 0).astype(float)) > 0.515
    moved = later != 0
    assert abs(area_under_curve(midranks(busy[moved]), (later[moved] > 0).astype(float)) - 0.5) < 0.006
