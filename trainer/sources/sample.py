"""Synthetic candles, for a machine without any: always the same, marked as synthetic, with a known answer.

The model, per minute t, with independent standard normal eps:

    r_t = sigma_t * (eps_t + m_t),   m_t = sum_k kappa_k * E_k(t-1)     (log return of the close)
    E_k(t) = a_k * E_k(t-1) + sqrt(1 - a_k^2) * eps_t,   a_k = exp(-1 / tau_k)

sigma is a stochastic volatility (Taylor, Modelling Financial Time Series, 1986): the product of a slow and a
fast log-normal AR(1), a log-normal factor of each minute by itself, and the profile of day and week. It
clusters, and makes fat tails out of normal eps. Volume follows sigma.

In the planted symbols the moving averages E_k of past eps shift the mean; their time constants tau_k of
minutes, hours and days give every timeframe something to find. In all others kappa is 0, and the returns are
a martingale difference: nothing at all can be predicted of their signs.

sigma cancels from the sign of r_t, so for one minute the best possible AUC is known exactly, and for sums of
minutes it is known but for the changes of sigma within them: `best_possible_auc` gives 0.539 for the next
bar of 1m, 0.565 for 5m, 0.566 for 15m, 0.553 for 1h and 0.556 for 4h.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.signal import lfilter

from common.timeframes import Timeframe
from common.whole_file import whole_file
from trainer.candles.arrays import FloatArray
from trainer.sources.arrow_table import SYNTHETIC_KEY

END = datetime(2024, 1, 1, tzinfo=UTC)
"""Closing of the last bar, whatever the length; fixed, so that a sample is the same on every day."""

MODEL_VERSION = 1
"""To be raised with each change that makes other candles: older files are then written anew."""

RECIPE_KEY = b"nighttrain.sample"

MINUTE_MS = 60_000
DAY_MINUTES = 1440

DRIFT = ((8.0, 0.08), (240.0, 0.012), (2880.0, 0.004))
"""Time constant tau_k in minutes and weight kappa_k of the averages that shift a planted symbol's mean."""

SLOW_VOLATILITY = (5 * DAY_MINUTES, 0.35)
FAST_VOLATILITY = (180, 0.30)
"""Time constant in minutes and standard deviation of the two persistent parts of log sigma."""

MINUTE_VOLATILITY = 0.25
"""Standard deviation of the part of log sigma that each minute has to itself."""


@dataclass(frozen=True)
class Profile:
    """A symbol's first price, and a minute's usual sigma and volume (in the quote currency)."""

    price: float
    sigma: float
    turnover: float
    planted: bool


PROFILES = {
    "BTCUSDT": Profile(46_200.0, 3.4e-4, 900_000.0, True),
    "ETHUSDT": Profile(3_680.0, 4.2e-4, 420_000.0, True),
    "SOLUSDT": Profile(170.0, 6.0e-4, 90_000.0, True),
    "ADAUSDT": Profile(1.31, 9.0e-4, 45_000.0, False),
    "DOGEUSDT": Profile(0.17, 9.5e-4, 60_000.0, False),
    "XRPUSDT": Profile(0.83, 8.0e-4, 75_000.0, False),
}


def profile_of(symbol: str) -> Profile:
    """Return a symbol's profile; of a symbol without one of its own it is drawn from the symbol's name."""
    if symbol in PROFILES:
        return PROFILES[symbol]
    drawn = hashlib.sha256(symbol.encode()).digest()
    price = 10 ** (drawn[0] / 64 - 1)
    sigma, turnover = 6e-4 + drawn[1] * 1e-6, 20_000.0 + 100.0 * drawn[2]
    return Profile(round(price, 4), sigma, turnover, planted=drawn[3] % 2 == 0)


def planted_symbols(symbols: Sequence[str]) -> tuple[str, ...]:
    """Return those of the symbols whose sample can be predicted, in the given order."""
    return tuple(symbol for symbol in symbols if profile_of(symbol).planted)


def best_possible_auc(timeframe: str, horizon: int) -> float:
    """Return the AUC of the best possible forecast of a planted symbol.

    Parameters
    ----------
    timeframe : str
        What bars the question is asked of.
    horizon : int
        Does the close rise over so many bars?

    Returns
    -------
    float
        0.5 + 2/pi * asin(rho / sqrt(2)), where rho is the correlation of the sum of the coming returns with
        its mean given the past. Exact for normal returns of equal sigma, by the orthant probabilities of
        three normal variables (Sheppard, 1899).
    """
    steps = horizon * Timeframe(timeframe).seconds // 60
    known = np.zeros((len(DRIFT), len(DRIFT)))
    unknown = np.ones(steps)
    for row, (tau, kappa) in enumerate(DRIFT):
        a = math.exp(-1 / tau)
        decays = a ** np.arange(steps)
        reach = kappa * decays.sum()
        # The shock of step i moves the mean of the steps after it too.
        unknown[:-1] += kappa * math.sqrt(1 - a * a) * np.cumsum(decays)[::-1][1:]
        for column, (other_tau, other_kappa) in enumerate(DRIFT):
            b = math.exp(-1 / other_tau)
            correlation = math.sqrt((1 - a * a) * (1 - b * b)) / (1 - a * b)
            known[row, column] = reach * other_kappa * (b ** np.arange(steps)).sum() * correlation
    explained = known.sum() / (known.sum() + (unknown**2).sum())
    return 0.5 + 2 / math.pi * math.asin(math.sqrt(explained / 2))


def write_sample(
    directory: Path, symbols: Sequence[str], days: int, seed: int, progress: Callable[[str, int, int], None]
) -> list[Path]:
    """Write 1m candles of each symbol, one Parquet file each, ending at `END`; what is there is left alone.

    Parameters
    ----------
    directory : Path
        Where the files go, as ``BTCUSDT-1m-sample.parquet``; it is made.
    symbols : sequence of str
        Canonical spellings.
    days : int
        Length in days.
    seed : int
        A symbol's candles depend on the symbol, `days` and `seed` only, not on the other symbols.
    progress : callable
        Called as ``progress("sample", done, total)`` with symbols that are written; not where all are there.

    Returns
    -------
    list of Path
        The files, in the order of the symbols. Their metadata say ``nighttrain.synthetic``.

    Raises
    ------
    StorageError
        A file could not be written.
    """
    paths = {symbol: directory / f"{symbol}-1m-sample.parquet" for symbol in symbols}
    recipes = {
        symbol: f"model {MODEL_VERSION}, symbol {symbol}, days {days}, seed {seed}".encode()
        for symbol in symbols
    }
    missing = [symbol for symbol, path in paths.items() if _recipe_of(path) != recipes[symbol]]
    for done, symbol in enumerate(missing):
        progress("sample", done, len(missing))
        metadata = {SYNTHETIC_KEY: b"true", RECIPE_KEY: recipes[symbol]}
        table = pa.table(simulated(symbol, days, seed)).replace_schema_metadata(metadata)
        with whole_file(paths[symbol]) as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=False)
    if missing:
        progress("sample", len(missing), len(missing))
    return list(paths.values())


def _recipe_of(path: Path) -> bytes | None:
    # The metadata stand at the end of the file, and it was written whole or not at all.
    try:
        return (pq.read_schema(path).metadata or {}).get(RECIPE_KEY)
    except (OSError, pa.ArrowException):
        return None


def simulated(symbol: str, days: int, seed: int) -> dict[str, npt.NDArray[np.generic]]:
    """Simulate the 1m candles of one symbol.

    Returns
    -------
    dict of ndarray, shape (days * 1440,)
        open_time (int64, milliseconds since the epoch), open, high, low, close, volume and quote_volume
        (float64).
    """
    profile = profile_of(symbol)
    name = int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:8], "big")
    random = np.random.Generator(np.random.PCG64([seed, name]))
    minutes = days * DAY_MINUTES
    open_time = int(END.timestamp() * 1000) - MINUTE_MS * np.arange(minutes, 0, -1, dtype=np.int64)

    log_sigma = _log_sigma(random, open_time)
    sigma = profile.sigma * np.exp(log_sigma)
    eps = random.standard_normal(minutes)
    returns = sigma * (eps + _drift(eps)) if profile.planted else sigma * eps
    tick = 10.0 ** (math.floor(math.log10(profile.price)) - 6)
    log_close = np.cumsum(returns)
    log_open = np.concatenate([[0.0], log_close[:-1]])
    high, low = _extremes(random, returns, sigma)

    close = _rounded(profile.price * np.exp(log_close), tick)
    opened = np.concatenate([[_rounded(np.array([profile.price]), tick)[0]], close[:-1]])
    high = np.maximum(_rounded(profile.price * np.exp(log_open + high), tick), np.maximum(opened, close))
    low = np.minimum(_rounded(profile.price * np.exp(log_open + low), tick), np.minimum(opened, close))

    turnover = profile.turnover * np.exp(1.2 * log_sigma + _log_activity(random, minutes))
    volume = _rounded(turnover / close, tick=10.0 ** -max(0, math.floor(math.log10(profile.price)) + 2))
    return {
        "open_time": open_time,
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "quote_volume": _rounded(volume * (opened + close) / 2, tick=0.01),
    }


def _log_sigma(random: np.random.Generator, open_time: npt.NDArray[np.int64]) -> FloatArray:
    minutes = len(open_time)
    day = 2 * math.pi * (open_time % (DAY_MINUTES * MINUTE_MS)) / (DAY_MINUTES * MINUTE_MS)
    # The week begins with the epoch's Thursday, so days 2 and 3 are Saturday and Sunday.
    weekend = np.isin(open_time // (DAY_MINUTES * MINUTE_MS) % 7, (2, 3))
    profile = 0.30 * np.cos(day - 2 * math.pi * 14.5 / 24) - 0.25 * weekend
    slow = _persistent(random, minutes, *SLOW_VOLATILITY)
    fast = _persistent(random, minutes, *FAST_VOLATILITY)
    return np.asarray(profile + slow + fast + MINUTE_VOLATILITY * random.standard_normal(minutes))


def _persistent(random: np.random.Generator, minutes: int, tau: float, deviation: float) -> FloatArray:
    a = math.exp(-1 / tau)
    shocks = random.standard_normal(minutes)
    # The first shock is drawn from the stationary law, so that there is no run-in.
    shocks[0] /= math.sqrt(1 - a * a)
    return deviation * _average(shocks, a)


def _average(shocks: FloatArray, a: float) -> FloatArray:
    return np.asarray(lfilter([math.sqrt(1 - a * a)], [1.0, -a], shocks), dtype=np.float64)


def _drift(eps: FloatArray) -> FloatArray:
    drift = np.zeros(len(eps))
    for tau, kappa in DRIFT:
        drift[1:] += kappa * _average(eps, math.exp(-1 / tau))[:-1]
    return drift


def _extremes(
    random: np.random.Generator, returns: FloatArray, sigma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    # Highest and lowest point of a Brownian bridge from 0 to the return, each by its own exact law.
    up, down = (2 * sigma**2 * random.standard_exponential(len(returns)) for _ in range(2))
    return (returns + np.sqrt(returns**2 + up)) / 2, (returns - np.sqrt(returns**2 + down)) / 2


def _log_activity(random: np.random.Generator, minutes: int) -> FloatArray:
    return np.asarray(_persistent(random, minutes, 60.0, 0.30) + 0.40 * random.standard_normal(minutes))


def _rounded(values: FloatArray, tick: float) -> FloatArray:
    # Dividing by a whole number gives the double nearest to the decimal; multiplying by a fraction does not.
    return np.asarray(np.rint(values / tick) / round(1 / tick), dtype=np.float64)
