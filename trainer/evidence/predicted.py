"""What stored models say of the rows that their folds test, and of all between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.protocol.reports import FoldReport
from trainer.candles.arrays import FloatArray
from trainer.evidence.stored_models import StoredModels
from trainer.learning.scores import log_loss
from trainer.learning.stretch import Stretch
from trainer.learning.training_set import TrainingSet


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
        That of the chosen one is computed from what it says, and not as the training has it.
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
        row, y = data.labels.row[models.known], data.labels.y[models.known]
        position = models.Cs.index(fold.C)
        chosen, losses = stretch.judged(*numbers, position, row, y)
        if len(row):
            losses[position] = log_loss(stretch.at(chosen, row), y)
        found.append(Predicted(models, stretch, chosen, losses))
    return found
