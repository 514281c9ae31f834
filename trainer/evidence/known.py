"""What was said of predictions before, found again where they are equal digit for digit.

The certificate predicts again from what is kept of the models. Where that gives what the training had judged,
scores, p-value and edge follow from it by the same functions: to sort and transform a million equal numbers
once more would show nothing. Where one digit differs all is computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from common.protocol.reports import Edge, Scores
from trainer.candles.arrays import FloatArray
from trainer.compiled.predictions import midranks
from trainer.evidence.significance import RankSum, rank_sum
from trainer.learning.edge import FoldOutcome, edge
from trainer.learning.scores import Ordered, score

Result = TypeVar("Result")


class Known:
    """Verdicts on predictions, for the time of one training; the arrays that are given must not change."""

    def __init__(self) -> None:
        self._kept: list[tuple[tuple[FloatArray | float, ...], Any]] = []

    def scores(self, p: FloatArray, y: FloatArray) -> Scores:
        """Return `score` of predictions, such as those of a fold."""
        return self._of((p, y), lambda: score(p, y))

    def scores_and_test(
        self, p: FloatArray, y: FloatArray, horizon: int, memory: int, ordered: Ordered | None = None
    ) -> tuple[Scores, RankSum | None]:
        """Return `score` and `rank_sum` of predictions, such as those of all folds.

        `ordered` are these predictions and labels, where they are in order already.
        """

        def both() -> tuple[Scores, RankSum | None]:
            ranks = midranks(p) if ordered is None else ordered.midranks
            return score(p, y, ranks), rank_sum(p, y, horizon, memory, ranks)

        return self._of((p, y, horizon, memory), both)

    def edge(self, folds: Sequence[FoldOutcome], horizon: int, costs_bp: float) -> Edge:
        """Return `edge` of what the folds predicted."""
        inputs = [each for fold in folds for each in (fold.p, fold.moves)]
        return self._of((*inputs, horizon, costs_bp), lambda: edge(folds, horizon, costs_bp))

    def keep_scores(self, p: FloatArray, y: FloatArray, found: Scores) -> None:
        """Keep what `score` has given elsewhere in this training."""
        self._kept.append(((p, y), found))

    def _of(self, inputs: tuple[FloatArray | float, ...], compute: Callable[[], Result]) -> Result:
        # Each verdict has inputs of its own number and kinds, so that they alone tell which it is.
        for kept, found in self._kept:
            if _equal(kept, inputs):
                result: Result = found
                return result
        result = compute()
        self._kept.append((inputs, result))
        return result


def _equal(ours: tuple[FloatArray | float, ...], theirs: tuple[FloatArray | float, ...]) -> bool:
    if len(ours) != len(theirs):
        return False
    return all(one is other or np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))
