"""Scrambled futures: what is known at a row must not change when all that comes after it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from common.timeframes import Timeframe
from tests.simulated_candles import coarser, simulated
from tests.trust.outcome import Outcome, Setup
from tests.trust.trainings import CS, EMBARGO_MS, HORIZON
from trainer.candles.candles import COLUMNS, Candles
from trainer.features.matrix import FeatureMatrix, open_features
from trainer.learning.crossval import CrossValidation
from trainer.learning.training_set import TrainingSet

ROWS = 24 * 125


def scrambled_futures(setup: Setup) -> Iterator[Outcome]:
    """Candles whose bars after a cut are those of another market."""
    series, cuts = (1, 4) if setup.small else (6, 12)
    values = changed = labels = labels_changed = models = models_changed = 0
    for number in range(series):
        draw = setup.draw(f"series {number}")
        # Hours of 4 hours each, so that there is a context of days, and gaps, as real candles have.
        hours = simulated(ROWS, "4h", int(draw.integers(2**31)), 0.1)
        whole = _trained(hours, setup.folder / f"{number}")
        for cut in range(cuts):
            setup.say(f"series {number + 1} of {series}, cut {cut + 1} of {cuts}")
            bar = int(draw.integers(ROWS // 6, ROWS - 1))
            other = _trained(_scrambled(hours, bar, draw), setup.folder / f"{number}-{cut}")
            known = int(hours.open_time[bar])
            seen, differing = _compared(whole[0].matrix, other[0].matrix, known)
            values, changed = values + seen, changed + differing
            seen, differing = _labels_compared(whole[0], other[0], known)
            labels, labels_changed = labels + seen, labels_changed + differing
            seen, differing = _models_compared(whole, other, known)
            models, models_changed = models + seen, models_changed + differing
    of = f"before {series * cuts} cuts"
    for name, number, differing in (
        ("features", values, changed),
        ("labels", labels, labels_changed),
        ("coefficients, means and scales of folds", models, models_changed),
    ):
        yield Outcome(
            f"futures: {name}",
            "none changes with the future",
            f"{differing} changed",
            f"{number:,} {of}",
            differing == 0 < number,
        )


def _trained(hours: Candles, folder: Path) -> tuple[TrainingSet, list]:
    days = coarser(hours, "1d")
    matrix = open_features(folder, hours, [days])
    data = TrainingSet.of(hours, [days], matrix, HORIZON, 3, EMBARGO_MS)
    crossval = CrossValidation(data.design, data.labels.y, data.folds, CS)
    return data, [crossval.fit_next() for _ in data.folds]


def _scrambled(candles: Candles, bar: int, draw: np.random.Generator) -> Candles:
    """The same bars before `bar`, and another market's, a hundred times as dear, from there on."""
    other = simulated(len(candles), str(candles.timeframe), int(draw.integers(2**31)), volatility=0.05)
    columns = {"open_time": candles.open_time}
    for name in COLUMNS[1:]:
        strange = getattr(other, name) * 100
        columns[name] = np.concatenate([getattr(candles, name)[:bar], strange[bar:]])
    return Candles.of(candles.symbol, Timeframe(candles.timeframe), columns)


def _compared(ours: FeatureMatrix, theirs: FeatureMatrix, known: int) -> tuple[int, int]:
    """Values of rows that are known by then, and how many of them differ in any bit."""
    rows = int(np.searchsorted(ours.close_time, known, side="right"))
    one, other = (np.ascontiguousarray(matrix.values[:rows]).view(np.uint32) for matrix in (ours, theirs))
    if one.shape != other.shape:
        return one.size, one.size
    return one.size, int((one != other).sum())


def _labels_compared(ours: TrainingSet, theirs: TrainingSet, known: int) -> tuple[int, int]:
    rows = int(np.searchsorted(ours.labels.end, known, side="right"))
    return rows, int((ours.labels.y[:rows] != theirs.labels.y[:rows]).sum())


def _models_compared(ours, theirs, known: int) -> tuple[int, int]:
    """Numbers of the folds whose last training label has ended by then."""
    (data, fits), (_, others) = ours, theirs
    seen = differing = 0
    for fit, other in zip(fits, others, strict=True):
        if data.labels.end[fit.fold.train_stop - 1] > known:
            continue
        for name in ("coefficients", "intercepts", "means", "scales"):
            one, two = getattr(fit.path, name), getattr(other.path, name)
            seen, differing = seen + one.size, differing + int((one != two).sum())
    return seen, differing
