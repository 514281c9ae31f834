"""Certificates of trainings that cheated: each must fail, and that of an honest training must not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.simulated_candles import simulated
from tests.trust.outcome import Outcome, Setup
from tests.trust.trainings import (
    CS,
    ROWS,
    Training,
    expressed,
    fitted,
    honest_paths,
    training_set,
    with_slope,
)
from trainer.learning.recalibration import rescaled

KINDS = (
    "fold fitted on rows that time forbids or not on all it allows",
    "final model fitted on other rows",
    "coefficient changed in its third digit",
    "predictions nudged by the label",
    "loss, score or p-value told better",
    "folds swapped or left out",
    "recalibrated by more or less than earlier folds show",
    "C and slopes from labels that end in the fold's test part",
)


def certificates(setup: Setup) -> Iterator[Outcome]:
    """Trainings of simulated candles, honest and forged."""
    found, tried = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0)
    honest, trainings = 0, 1 if setup.small else 8
    for number in range(trainings):
        setup.say(f"training {number + 1} of {trainings}")
        draw = setup.draw(f"training {number}")
        candles = simulated(24 * 125, seed=int(draw.integers(2**31)), autocorrelation=0.1)
        data = training_set(candles, setup.folder / str(number))
        paths, final = honest_paths(data), fitted(data, np.arange(len(data)))
        told = Training.told(data, paths, final)
        honest += _is_valid(told)
        for kind, forged in _forged(data, paths, final, told, draw):
            tried[kind] += 1
            found[kind] += not _is_valid(forged)
    yield Outcome(
        "forgeries: honest trainings", "all valid", f"{honest} valid", f"{trainings}", honest == trainings
    )
    for kind in KINDS:
        yield Outcome(
            f"forgeries: {kind}",
            "all found",
            f"{found[kind]} found",
            f"{tried[kind]}",
            found[kind] == tried[kind] > 0,
        )


def _is_valid(training: Training) -> bool:
    return training.certificate().valid


def _forged(data, paths, final, told, draw) -> Iterator[tuple[str, Training]]:
    of_rows, of_final, of_digit, of_nudge, of_words, of_folds, of_slopes, of_foresight = KINDS
    for rows in ROWS:
        fold = int(draw.integers(len(paths)))
        other = expressed(fitted(data, rows(data, data.folds[fold])), paths[fold])
        yield of_rows, Training.told(data, [*paths[:fold], other, *paths[fold + 1 :]], final)
    yield of_final, Training.told(data, paths, expressed(fitted(data, np.arange(len(data) - 1)), final))
    yield of_final, Training.told(data, paths, expressed(fitted(data, np.arange(len(data) // 2)), final))
    for position in range(len(CS)):
        yield of_digit, Training.told(data, [paths[0], _altered(paths[1], position), paths[2]], final)
    for nudge in (0.01, 0.001):
        yield of_nudge, Training.told(data, paths, final, nudge)
    first, second, third = told.reports
    losses = tuple(loss - 1e-6 for loss in second.log_losses)
    yield of_words, told.with_report(1, log_losses=losses)
    yield of_words, told.but(scores=told.scores.model_copy(update={"auc": told.scores.auc + 1e-4}))
    yield of_words, told.but(p_value=told.p_value / 2)
    yield of_folds, told.but(reports=[second, first, third])
    yield of_folds, told.but(reports=[first, second])
    yield of_folds, Training.told(data, [paths[1], paths[0], paths[2]], final)
    for place in range(len(paths) + 1):
        for slope in (0.8, 1.25):
            yield of_slopes, Training.told(data, paths, final, recalibrate=with_slope(place, slope))
    yield of_slopes, told.but(model=rescaled(told.model, 0.9))
    yield of_foresight, Training.told(data, paths, final, foresight=True)


def _altered(path, position):
    coefficients = path.coefficients.copy()
    coefficients[position, np.argmax(np.abs(coefficients[position]))] *= 1.001
    return type(path)(path.means, path.scales, coefficients, path.intercepts, path.passes)
