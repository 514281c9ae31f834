"""A cell of the grid as a script would train it: pandas for the features, a grid search of scikit-learn.

It reads the same candles and is asked for the same: five folds forward in time with a gap, five C, one final
model. It proves nothing, keeps nothing and looks at no defect of its candles, all of which a night does.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

DUMP = ("open_time", "open", "high", "low", "close", "volume")
"""The first columns of a dump of the exchange, which has no header."""
OFFSETS = {"m": "min", "h": "h", "d": "D"}
EMBARGO = pd.Timedelta(minutes=30)
FOLDS = 5
CS = np.logspace(-3, 1, 5)


@dataclass(frozen=True)
class Matrix:
    """Features of the closed bars of a symbol at a timeframe, and their closes."""

    features: pd.DataFrame
    close: pd.Series[float]
    bar: pd.Timedelta


def matrix(folder: Path, symbol: str, timeframe: str) -> Matrix:
    """Read and resample the candles of a symbol, and compute their features.

    Raises
    ------
    LookupError
        There are no candles to make these of.
    """
    bar = pd.Timedelta(timeframe[:-1] + OFFSETS[timeframe[-1]])
    for source in (timeframe, "1m"):
        parts = [_read(path) for path in sorted(folder.glob(f"{symbol}-{source}[-.]*"))]
        if parts:
            break
    else:
        raise LookupError(f"no candles for {symbol} {timeframe}")
    candles = pd.concat(parts).drop_duplicates("open_time").sort_values("open_time").set_index("open_time")
    candles.index = pd.to_datetime(candles.index, unit="ms", utc=True)
    if source != timeframe:
        whole = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        candles = candles.resample(bar).agg(whole).dropna()
    return Matrix(_features(candles), candles["close"], bar)


def fit(of: Matrix, horizon: int) -> float:
    """Choose a C by its mean AUC in the folds, fit the final model, and return that AUC."""
    known = of.features.notna().all(axis=1)
    known.iloc[-horizon:] = False
    X = of.features[known].to_numpy()
    y = (of.close.shift(-horizon) > of.close)[known].to_numpy()
    gap = horizon + max(1, int(EMBARGO / of.bar))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        {"logisticregression__C": CS},
        cv=TimeSeriesSplit(FOLDS, gap=gap),
        scoring="roc_auc",
    )
    return float(search.fit(X, y).best_score_)


def train(folder: Path, symbol: str, timeframe: str, horizon: int) -> float | None:
    """Train a cell from its candles on, and return its AUC; None where there are no candles."""
    try:
        return fit(matrix(folder, symbol, timeframe), horizon)
    except LookupError:
        return None


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path, columns=list(DUMP))
    with zipfile.ZipFile(path) as packed, packed.open(packed.namelist()[0]) as file:
        return pd.read_csv(file, header=None, names=list(DUMP), usecols=range(len(DUMP)))


def _features(candles: pd.DataFrame) -> pd.DataFrame:
    close, high, low, volume = (candles[name] for name in ("close", "high", "low", "volume"))
    log = np.log(close)
    step = log.diff()
    columns = {f"return_{lag}": log.diff(lag) for lag in (1, 2, 3, 5, 8, 13, 21, 55)}
    for width in (5, 15, 30):
        columns[f"volatility_{width}"] = step.rolling(width).std()
    for width in (10, 20, 40):
        mean = close.rolling(width).mean()
        columns[f"distance_{width}"] = close / mean - 1
        columns[f"z_{width}"] = (close - mean) / close.rolling(width).std()
    for width in (7, 14):
        change = close.diff()
        gain = change.clip(lower=0).ewm(alpha=1 / width).mean()
        loss = -change.clip(upper=0).ewm(alpha=1 / width).mean()
        columns[f"rsi_{width}"] = 100 - 100 / (1 + gain / loss)
    spread = close.ewm(span=12).mean() - close.ewm(span=26).mean()
    columns |= {"macd": spread / close, "signal": spread.ewm(span=9).mean() / close}
    lowest, highest = low.rolling(14).min(), high.rolling(14).max()
    columns |= {"stochastic": (close - lowest) / (highest - lowest), "range": (high - low) / close}
    for width in (20, 60):
        rolling = volume.rolling(width)
        columns[f"volume_{width}"] = (volume - rolling.mean()) / rolling.std()
    columns |= _clock(candles.index)
    return pd.DataFrame(columns, index=candles.index).replace([np.inf, -np.inf], np.nan)


def _clock(times: pd.Index) -> dict[str, pd.Series[float]]:
    moments = pd.DatetimeIndex(times)
    day = pd.Series((moments.hour + moments.minute / 60) / 24, index=times)
    week = (day + moments.dayofweek.to_numpy()) / 7
    turns: Iterable[tuple[str, pd.Series[float]]] = (("day", day), ("week", week))
    waves = {"sin": np.sin, "cos": np.cos}
    return {f"{name}_{wave}": of(2 * np.pi * turn) for name, turn in turns for wave, of in waves.items()}
