"""Walk-forward cross-validation of the path over C, fold by fold, and the final model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.candles.arrays import FloatArray
from trainer.learning.column_moments import Moments
from trainer.learning.design_matrix import DesignMatrix
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.logistic_path import LogisticPath, fit_path
from trainer.learning.splits import Fold
from trainer.learning.stretch import Stretch


@dataclass(frozen=True, eq=False)
class FoldFit:
    """A finished fold: its models, their test log losses in the order of the path, and the choice.

    The log losses are of the test rows whose labels the next fold may know. The choice is a position in the
    path, made from the log losses of the folds `chosen_from` only.
    """

    fold: Fold
    path: LogisticPath
    log_losses: tuple[float, ...]
    choice: int
    chosen_from: tuple[int, ...]

    @property
    def model(self) -> LogisticModel:
        """The chosen model."""
        return self.path.model(self.choice)


WALK_FORWARD_VERSION = "12"
"""Changes whenever a fold's models or what is kept of them do; folds of another version are fitted anew."""


class CrossValidation:
    """Fits every fold's path over C, each beginning where the fold before it ended.

    Parameters
    ----------
    design : DesignMatrix
        Labelled rows in order of time, n x p.
    y : ndarray of float64, shape (n,)
        Their labels, 0 or 1.
    folds : sequence of Fold
        Expanding training prefixes and the test rows after them.
    Cs : tuple of float
        The path's inverse regularisation strengths, ascending.
    finished : sequence of FoldFit, optional
        The first folds' results, from a checkpoint. What follows equals, digit for digit, what a run from the
        beginning gives.
    """

    def __init__(
        self,
        design: DesignMatrix,
        y: FloatArray,
        folds: Sequence[Fold],
        Cs: tuple[float, ...],
        finished: Sequence[FoldFit] = (),
    ) -> None:
        self.design = design
        self.y = y
        self.folds = folds
        self.Cs = Cs
        self.fits = list(finished)
        self._moments = Moments(design, y)
        self._newest: FloatArray | None = None
        for fit in self.fits:
            self._moments.extend(fit.fold.train_stop)

    def fit_next(self) -> FoldFit:
        """Fit the next fold that is not finished yet."""
        fold = self.folds[len(self.fits)]
        self._moments.extend(fold.train_stop)
        path = fit_path(self._moments, self.Cs, self._begin())
        earlier = [fit.log_losses for fit in self.fits]
        choice = choose(earlier, len(self.Cs))
        known = slice(fold.test_start, fold.known_stop)
        outcomes = self.design.row[known], self.y[known]
        models = path.coefficients, path.intercepts, path.means, path.scales
        self._newest, losses = self.stretch(fold).judged(*models, choice, *outcomes)
        fit = FoldFit(fold, path, tuple(losses.tolist()), choice, tuple(range(len(earlier))))
        self.fits.append(fit)
        return fit

    def final(self) -> tuple[int, LogisticModel]:
        """Fit all rows with the C of the least log loss over all folds; return its position and it."""
        choice = choose([fit.log_losses for fit in self.fits], len(self.Cs))
        self._moments.extend(len(self.design))
        begin = self._begin()
        if begin is not None:
            begin = begin[0][choice : choice + 1], begin[1][choice : choice + 1]
        return choice, fit_path(self._moments, self.Cs[choice : choice + 1], begin).model(0)

    def stretch(self, fold: Fold) -> Stretch:
        """Return the rows of the matrix from a fold's first test row to the next fold's."""
        return Stretch.of(self.design, fold.test_start, fold.test_stop)

    def predictions(self, fit: FoldFit) -> FloatArray:
        """Return what a fold's chosen model says of its stretch.

        They are the same to the last digit whenever they are asked for; the newest fold's are at hand once.
        """
        newest, self._newest = self._newest, None
        if newest is not None and fit is self.fits[-1]:
            return newest
        return self.stretch(fit.fold).predictions(fit.model)

    def _begin(self) -> tuple[FloatArray, FloatArray] | None:
        if not self.fits:
            return None
        path = self.fits[-1].path
        return path.coefficients, path.intercepts


def choose(log_losses: Sequence[Sequence[float]], candidates: int) -> int:
    """Return the position of the C with the least summed log loss; of equals the strongest regularisation.

    Parameters
    ----------
    log_losses : sequence of sequence of float
        For each fold the test log loss of each C; zeros of a fold whose rows tell nothing yet. With no fold
        the middle C is taken.
    candidates : int
        Length of the path.
    """
    if not log_losses:
        return candidates // 2
    return int(np.argmin(np.sum(np.asarray(log_losses), axis=0)))
