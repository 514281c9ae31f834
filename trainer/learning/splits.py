"""Expanding walk-forward splits, purged by time.

Counting purged rows instead would leak where candles are missing: the row before the test part may be far
away in rows and near in time, or the other way round. After López de Prado, Advances in Financial Machine
Learning (2018), ch. 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.errors import DataError
from trainer.candles.arrays import IntArray

MUCH_LOST = 0.1
"""From this share of the rows on it is the gaps that a message blames, not the span."""


@dataclass(frozen=True)
class Fold:
    """Labelled rows in time order: 0 to `train_stop` train, `test_start` to `test_stop` test (half-open).

    The rows between `train_stop` and `test_start` are purged. Of the test rows those before `known_stop` have
    labels that are known when the next fold's test begins, embargo included: only they may have a say in how
    later folds are fitted. After the last fold all are known.
    """

    index: int
    train_stop: int
    test_start: int
    test_stop: int
    known_stop: int

    @property
    def known(self) -> int:
        """How many of the test rows, from the first on, may have a say in later folds."""
        return self.known_stop - self.test_start


def walk_forward(close_time: IntArray, label_end: IntArray, n_splits: int, embargo_ms: int) -> list[Fold]:
    """Split labelled rows into `n_splits` expanding folds.

    The rows are cut into ``n_splits + 1`` parts of equal size (+-1). Fold k tests on part k + 1, and trains
    on every row whose label has ended `embargo_ms` or more before the first test row's close.

    Parameters
    ----------
    close_time : ndarray of int64, shape (n,)
        When each row is known, ascending, in milliseconds.
    label_end : ndarray of int64, shape (n,)
        When each row's label is known, ascending, in milliseconds.
    n_splits : int
        Number of folds.
    embargo_ms : int
        Least time between the end of a training label and the first test row.

    Returns
    -------
    list of Fold
        In order of time; a fold's part may be empty where there are too few rows.
    """
    rows = len(close_time)
    edges = [part * rows // (n_splits + 1) for part in range(n_splits + 2)]
    train_stops = [
        int(np.searchsorted(label_end, close_time[start] - embargo_ms, side="right")) if start < rows else 0
        for start in edges[1:-1]
    ]
    folds = []
    for index, train_stop in enumerate(train_stops):
        test_start, test_stop = edges[index + 1], edges[index + 2]
        known_stop = test_stop
        if index + 1 < n_splits:
            known_stop = min(max(train_stops[index + 1], test_start), test_stop)
        folds.append(Fold(index, train_stop, test_start, test_stop, known_stop))
    return folds


def require_trainable(
    folds: Sequence[Fold],
    y: npt.NDArray[np.float64],
    min_train_rows: int,
    min_test_rows: int,
    where: str,
    lost: Callable[[], tuple[int, int]] = lambda: (0, 0),
) -> None:
    """Refuse folds that cannot be trained or tested.

    Parameters
    ----------
    folds : sequence of Fold
        The folds.
    y : ndarray of float64, shape (n,)
        Labels of the rows that the folds speak of; those of 1/2 have no direction and are not counted.
    min_train_rows, min_test_rows : int
        The least rows of a fold.
    where : str
        What is split, for the message.
    lost : callable
        Tells how many rows gaps in the candles cost, and how many there would be without gaps, for the
        message.

    Raises
    ------
    DataError
        A fold has too few rows, or a training part has labels of one class only.
    """
    rises, falls = y > 0.5, y < 0.5
    kind = (
        "rows" if _directed(rises, falls, slice(0, len(y))) == len(y) else "rows that move beyond the costs"
    )
    for fold in folds:
        place = f"{where}: fold {fold.index + 1} of {len(folds)}"
        test_rows = _directed(rises, falls, slice(fold.test_start, fold.test_stop))
        train_rows = _directed(rises, falls, slice(0, fold.train_stop))
        for part, rows, least in (
            ("train", train_rows, min_train_rows),
            ("test", test_rows, min_test_rows),
        ):
            if rows < least:
                said = f"{place} has {rows} {kind} to {part} on, needed are {least}"
                if rows < (fold.train_stop if part == "train" else fold.test_stop - fold.test_start):
                    raise DataError(said, "take a longer timeframe or horizon, or lower label.costs_bp")
                raise _too_few(said, part, len(y), lost())
        risen = np.count_nonzero(rises[: fold.train_stop])
        if risen in (0, train_rows):
            word = "rises" if risen else "falls"
            raise DataError(
                f"{place} has one class only: the close {word} after all {train_rows} training {kind}",
                "look at the candles' closes",
            )


def _directed(rises: npt.NDArray[np.bool_], falls: npt.NDArray[np.bool_], rows: slice) -> int:
    return int(np.count_nonzero(rises[rows]) + np.count_nonzero(falls[rows]))


def _too_few(said: str, part: str, rows: int, lost: tuple[int, int]) -> DataError:
    by_gaps, possible = lost
    if by_gaps > MUCH_LOST * possible:
        share = f"{by_gaps:,} of {possible:,}"
        return DataError(
            f"{said} ({rows} rows in all; gaps in the candles took {share})",
            "bring candles without gaps; if they are minutes without trades, set data.missing: no_trade",
        )
    return DataError(
        f"{said} ({rows} rows in all)",
        f"bring candles of a longer span, or lower n_splits or model.min_{part}_rows",
    )
