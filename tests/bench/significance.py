"""Size and power of the test of significance beside others it was chosen from, as tables in Markdown.

    OPENBLAS_NUM_THREADS=1 nice -n 19 .venv/bin/python -m tests.bench.significance size --closes DIR
    OPENBLAS_NUM_THREADS=1 nice -n 19 .venv/bin/python -m tests.bench.significance power

DIR holds closes of real candles, one file a series, as `numpy.save` writes them; without it those settings
are left out. ``--share 0.1`` draws a tenth of the samples. Equal arguments print equal tables.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
from scipy.fft import dct, irfft, next_fast_len, rfft
from scipy.special import ndtr, stdtr

from tests.trust.markets import nulls, signals
from trainer.compiled.predictions import midranks
from trainer.evidence.significance import auc_p_value
from trainer.features.indicators import WARM_UP

LEVELS = (0.001, 0.01, 0.05, 0.1)
DRAWS = {300: 4000, 1000: 2500, 5000: 1000}
"""Samples a setting, by rows."""

# --- Methods: each gives the p-value of predictions and labels ----------------------------------------------


def products(p, y):
    """The influence of each row on the area, centred where predictions and labels are independent."""
    return (midranks(p) - (len(p) + 1) / 2) * (y - y.mean()) / len(p)


def as_if_independent(p, y, horizon, draw):
    """Mann-Whitney with the variance of rows that know nothing of each other."""
    centred = midranks(p) - (len(p) + 1) / 2
    return ndtr(-(centred @ y) / np.sqrt((centred @ centred) * y.mean() * (1 - y.mean())))


def circular_shifts(p, y, horizon, draw):
    """The labels shifted by every number of rows at which they show neither the truth nor the features."""
    rows = len(y)
    length = next_fast_len(2 * rows - 1, real=True)
    centred = 2 * midranks(p) - (rows + 1)
    doubled = np.concatenate([y, y[:-1]])
    sums = np.rint(irfft(np.conj(rfft(centred, length)) * rfft(doubled, length), length)[:rows])
    null = sums[horizon : rows - horizon - WARM_UP + 1]
    return (1 + np.count_nonzero(null >= sums[0])) / (1 + len(null))


def newey_west(p, y, horizon, draw):
    """Newey-West of the products, lags of two labels and of the features' memory, normal distribution."""
    score, variance, _ = _newey_west(p, y, horizon)
    return ndtr(-score / np.sqrt(variance))


def newey_west_t(p, y, horizon, draw):
    """The same with Student's t, whose degrees of freedom are those of Bartlett's weights."""
    score, variance, freedom = _newey_west(p, y, horizon)
    return stdtr(freedom, -score / np.sqrt(variance))


def _newey_west(p, y, horizon):
    product = products(p, y)
    rows, lags = len(y), min(max(2 * horizon, WARM_UP), len(y) - 1)
    length = next_fast_len(rows + lags, real=True)
    spectrum = rfft(product - product.mean(), length)
    sums = irfft(spectrum.real**2 + spectrum.imag**2, length)[: lags + 1]
    weight = 1 - np.arange(lags + 1) / (lags + 1)
    return product.sum(), sums[0] + 2 * weight[1:] @ sums[1:], rows / (1 + 2 * weight[1:] @ weight[1:])


def cosines(p, y, horizon, draw):
    """Equal-weighted cosines with Student's t (Lazarus, Lewis, Stock & Watson 2018)."""
    product = products(p, y)
    terms = max(2, min(int(0.4 * len(y) ** (2 / 3)), len(y) // (4 * horizon)))
    waves = dct(product, type=2, norm="ortho")[1 : terms + 1]
    return stdtr(terms, -product.sum() / np.sqrt(len(y) * np.mean(waves**2)))


def block_bootstrap(p, y, horizon, draw, repeats=999):
    """Circular blocks of the products (Politis & Romano 1992), as long as Newey-West's lags."""
    product = products(p, y)
    rows = len(y)
    size = max(2 * horizon, WARM_UP)
    around = np.concatenate([product, product[: size - 1]]) - product.mean()
    ends = np.concatenate([[0.0], np.cumsum(around)])
    blocks = ends[size:] - ends[:-size]
    number = -(-rows // size)
    sums = blocks[draw.integers(0, len(blocks), (repeats, number))].sum(axis=1) * np.sqrt(
        rows / size / number
    )
    return (1 + np.count_nonzero(sums >= product.sum())) / (1 + repeats)


def chosen(p, y, horizon, draw):
    return auc_p_value(p, y, horizon)


METHODS = {
    "as if independent": as_if_independent,
    "circular shifts (before)": circular_shifts,
    "Newey-West, normal": newey_west,
    "Newey-West, Student's t": newey_west_t,
    "cosines": cosines,
    "block bootstrap": block_bootstrap,
    "product of autocovariances (chosen)": chosen,
}

# --- Measuring and printing --------------------------------------------------------------------------------


def passed(setting, draws):
    """The share of samples that pass each level, by method, and the mean area."""
    seed = zlib.crc32(f"{setting.name}/{setting.rows}/{setting.horizon}".encode())
    draw = np.random.default_rng(seed)
    counts = {name: np.zeros(len(LEVELS)) for name in METHODS}
    areas = []
    for _ in range(draws):
        p, y = setting.sample(draw)
        rises = y.sum()
        areas.append((midranks(p) @ y - rises * (rises + 1) / 2) / (rises * (len(y) - rises)))
        for name, method in METHODS.items():
            counts[name] += method(p, y, setting.horizon, draw) <= np.array(LEVELS)
    return {name: count / draws for name, count in counts.items()}, float(np.mean(areas))


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def head(*cells):
    row(*cells)
    row(*["---"] * len(cells))


def shares(values):
    return [f"{value:.4f}" if value < 0.02 else f"{value:.3f}" for value in values]


def print_sizes(closes, share):
    shown = ("circular shifts (before)", "Newey-West, Student's t", "product of autocovariances (chosen)")
    print("### Size by setting: before / Newey-West with t / chosen\n")
    head("returns; predictions", "rows", "bars", "samples", *(f"{level:g}" for level in LEVELS))
    sizes = []
    for setting in nulls(closes):
        draws = max(10, int(DRAWS.get(setting.rows, 400) * share))
        found, _ = passed(setting, draws)
        sizes.append((setting, found))
        cells = [" / ".join(shares(found[name][k] for name in shown)) for k in range(len(LEVELS))]
        row(setting.name, str(setting.rows), str(setting.horizon), str(draws), *cells)
    print("\n### Size by method: mean, and largest among settings of 300 and 1,000 rows\n")
    head("method", *(f"{level:g}" for level in LEVELS), *(f"largest at {level:g}" for level in LEVELS))
    realistic = [(setting, found) for setting, found in sizes if not setting.name.startswith("strong")]
    for name in METHODS:
        mean = np.mean([found[name] for _, found in realistic], axis=0)
        largest = np.max([found[name] for setting, found in realistic if setting.rows <= 1000], axis=0)
        row(name, *shares(mean), *shares(largest))


def print_powers(share):
    print("### Power at 0.001 / at 0.01\n")
    compared = [name for name in METHODS if name not in ("as if independent", "block bootstrap")]
    head("signal", "rows", "bars", "area", *compared)
    for setting in signals():
        found, area = passed(setting, max(10, int(400 * share)))
        cells = [f"{found[name][0]:.2f} / {found[name][1]:.2f}" for name in compared]
        row(setting.name, str(setting.rows), str(setting.horizon), f"{area:.3f}", *cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("size", "power"))
    parser.add_argument("--closes", type=Path, help="folder of closes of real candles, NAME-TIMEFRAME.npy")
    parser.add_argument("--share", type=float, default=1.0, help="share of the samples to draw")
    options = parser.parse_args()
    if options.part == "power":
        print_powers(options.share)
    else:
        print_sizes(sorted(options.closes.glob("*.npy")) if options.closes else [], options.share)


if __name__ == "__main__":
    main()
