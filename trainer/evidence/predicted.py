"""What stored models say of the rows that their folds test, and of all between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.protocol.reports import FoldReport
from trainer.candles.arrays import FloatArray
from trainer.evidence.stored_models import StoredModels
from trainer.learning.log_sums import summed_logs
from trainer.learning.stretch import Stretch
from trainer.learning.training_set import TrainingSet

CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Predicted:
    """What the models of one fold say.

    Parameters
    ----------
    stored : StoredModels
        The models.
    stretch : Stretch
        Of which rows of the matrix.
    chosen : ndarray of float64, shape (rows of the stretch,)
        What the model of the fold's C says.
    log_losses : ndarray of float64, shape (m,)
        Mean log loss of each model on the tested rows that the next fold may know; 0 where there are none.
    """

    stored: StoredModels
    stretch: Stretch
    chosen: FloatArray
    log_losses: FloatArray


def predicted(
    data: TrainingSet, stored: Sequence[StoredModels], folds: Sequence[FoldReport]
) -> list[Predicted]:
    """Predict again, with every stored model of each fold.

    Parameters
    ----------
    data : TrainingSet
        What was trained on.
    stored : sequence of StoredModels
        Models that pass `check_models`.
    folds : sequence of FoldReport
        The C of each.
    """
    found = []
    for models, fold in zip(stored, folds, strict=False):
        stretch = Stretch.of(data.design, models.tested.start, models.tested.stop)
        numbers = models.coefficients, models.intercepts, models.means, models.scales
        said = stretch.predictions(*numbers)
        known = stretch.at(said, data.labels.row[models.known])
        losses = _summed_log_losses(known, data.labels.y[models.known]) / max(known.shape[1], 1)
        # A copy, so that the other models' are freed.
        chosen = said[models.Cs.index(fold.C)].copy()
        found.append(Predicted(models, stretch, chosen, losses))
    return found


def _summed_log_losses(p: FloatArray, truth: FloatArray) -> FloatArray:
    """Return -log of what each model gave to what happened, summed: p of shape (m, n), truth (n,)."""
    epsilon = np.finfo(np.float64).eps
    losses = np.zeros(len(p))
    # What each step leaves is still in the cache for the next one.
    for start in range(0, len(truth), CHUNK):
        rows = slice(start, start + CHUNK)
        of = np.clip(p[:, rows], epsilon, 1.0 - epsilon)
        given = np.where(truth[rows] > 0.5, of, 1.0 - of)
        if (between := truth[rows] == 0.5).any():
            given[:, between] = np.sqrt(of[:, between] * (1.0 - of[:, between]))
        losses -= summed_logs(given)
    return losses
