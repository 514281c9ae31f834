"""What is made of predictions, all at once, compiled: probabilities, log odds, their order, what they lose.

Exponentials and logarithms are the library's own, so that their digits do not depend on numpy, and are the
same on all processors that fuse products and sums.
"""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import FloatArray
from trainer.compiled.library import opened

_LIBRARY = opened()


def summed_losses(p: FloatArray, y: FloatArray, least: float) -> float:
    """Return the sum of the log losses of predictions, in nats; 0 of none.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Probabilities of a rise.
    y : ndarray of float64, shape (n,)
        1 where it rose, 0 where it fell; 1/2 counts as half of each.
    least : float
        What a probability counts as at least, and 1 less this at most; 1e-18 or more.
    """
    said, truth = _alike(p, y)
    return float(_LIBRARY.summed_losses(said.ctypes.data, truth.ctypes.data, len(said), least))


def probabilities(log_odds: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-log odds)), shape (n,)."""
    given = _in_one_piece(log_odds)
    found = np.empty(len(given))
    _LIBRARY.probabilities(given.ctypes.data, len(given), found.ctypes.data)
    return found


def log_odds(p: FloatArray, least: float) -> FloatArray:
    """Return log(p / (1 - p)), shape (n,).

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Probabilities.
    least : float
        What a probability counts as at least, and 1 less this at most; 2**-53 or more.
    """
    given = _in_one_piece(p)
    found = np.empty(len(given))
    _LIBRARY.log_odds(given.ctypes.data, len(given), least, found.ctypes.data)
    return found


def slope_derivatives(
    added: FloatArray, y: FloatArray, intercept: float, slope: float
) -> tuple[float, float]:
    """Return the first and second derivatives of the summed log loss by a slope, in nats.

    Parameters
    ----------
    added : ndarray of float64, shape (n,)
        What is multiplied with the slope and then added to the intercept, as log odds.
    y : ndarray of float64, shape (n,)
        Outcomes: 0, 1, or 1/2 for neither.
    intercept, slope : float
        Where the derivatives are taken.
    """
    parts, truth = _in_one_piece(added), _in_one_piece(y)
    if parts.shape != truth.shape:
        raise ValueError(f"log odds of shape {parts.shape}, outcomes of shape {truth.shape}")
    sums = np.zeros(2)
    at_gradient, at_curvature = sums.ctypes.data, sums[1:].ctypes.data
    _LIBRARY.slope_derivatives(
        parts.ctypes.data, truth.ctypes.data, len(parts), intercept, slope, at_gradient, at_curvature
    )
    return float(sums[0]), float(sums[1])


def midranks(values: FloatArray) -> FloatArray:
    """Return the rank of each value from 1 to n, shape (n,); equal values share the mean of their ranks.

    They are put in order by their digits (radix sort), which takes a sixth of the time of a sort by
    comparisons.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite.
    """
    return _ranked(_in_one_piece(values), None)[0]


def ranked_and_ordered(p: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the `midranks` of predictions, and predictions and outcomes in the order of the first.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Predictions, finite, and outcomes; those of equal predictions stay in their order.
    """
    return _ranked(*_alike(p, y))


def _ranked(values: FloatArray, y: FloatArray | None) -> tuple[FloatArray, FloatArray, FloatArray]:
    rows = len(values)
    if rows >= 1 << 32:
        raise ValueError(f"{rows} predictions are more than can be put in order")
    ranks, ascending, outcomes = (np.empty(rows) for _ in range(3))
    at = ascending.ctypes.data, outcomes.ctypes.data, ranks.ctypes.data
    if _LIBRARY.ranked(values.ctypes.data, None if y is None else y.ctypes.data, rows, *at):
        raise MemoryError("no room to put predictions in order")
    return ranks, ascending, outcomes


def raised(p: FloatArray, y: FloatArray, falls: FloatArray) -> float:
    """Return the sum over `falls` of the outcomes ranked above each, those of equal ones by half.

    Parameters
    ----------
    p, y : ndarray of float64, shape (n,)
        Ascending predictions and their outcomes: 0, 1/2 or 1.
    falls : ndarray of float64, shape (t,)
        Further predictions, in any order.
    """
    said, truth = _alike(p, y)
    others, found = np.sort(_in_one_piece(falls)), np.zeros(1)
    at = said.ctypes.data, truth.ctypes.data, len(said), others.ctypes.data, len(others), found.ctypes.data
    _LIBRARY.raised(*at)
    return float(found[0])


def tallies(p: FloatArray, y: FloatArray) -> tuple[float, int, int]:
    """Return the sum of squares of p - y, how many rows have a direction, and of how many it was told.

    Parameters
    ----------
    p : ndarray of float64, shape (n,)
        Probabilities; above 1/2 they say rise.
    y : ndarray of float64, shape (n,)
        1 where it rose, 0 where it fell, 1/2 where there is no direction.
    """
    said, truth = _alike(p, y)
    found = np.zeros(3)
    _LIBRARY.tallies(said.ctypes.data, truth.ctypes.data, len(said), found.ctypes.data)
    squares, directed, right = found.tolist()
    return squares, int(directed), int(right)


def _alike(p: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    said, truth = _in_one_piece(p), _in_one_piece(y)
    if said.shape != truth.shape:
        raise ValueError(f"predictions of shape {said.shape}, outcomes of shape {truth.shape}")
    return said, truth


def _in_one_piece(numbers: FloatArray) -> FloatArray:
    if np.ndim(numbers) != 1:
        raise ValueError(f"numbers in a row are needed, not of shape {np.shape(numbers)}")
    return np.ascontiguousarray(numbers, dtype=np.float64)
