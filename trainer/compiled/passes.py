"""Passes over the rows of a feature matrix that many models share, compiled.

Numpy writes each step of such a pass to memory before it takes the next one; here a block of rows is read
once and used by all models while it is at hand, which takes a third of the time. A sum is of one order that
depends on nothing but the number of rows, and exponentials and logarithms are its own: so are its digits, on
all processors that fuse products and sums, whatever compiled it.
"""

from __future__ import annotations

import ctypes

import numpy as np

from trainer.candles.arrays import Float32Array, FloatArray, IntArray
from trainer.compiled.library import opened

_LIBRARY = opened()

NO_ROOM, ROW_AMISS = 1, 2
"""How a pass may end but well."""

SPAN_ROWS = 1024
"""How many rows `curved_sums` and `logistic_sums_rounded` add up in float32."""


def curved_sums(
    values: Float32Array,
    row: IntArray | None,
    counted: Float32Array | None,
    weights: FloatArray,
    offsets: FloatArray,
) -> FloatArray:
    """Return the sums of the log loss's curved part and of its products with the columns.

    That is ``r(t) = tanh(t/2)/2 - t/4`` of the log odds t of each row. It is computed, multiplied and added
    up in float32, `SPAN_ROWS` rows at a time, before the sums go on in float64.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix, finite.
    row : ndarray of int64, shape (n,), or None
        Which rows of it, ascending; all by default.
    counted : ndarray of float32, shape (n,), or None
        How often each counts; once by default.
    weights : ndarray of float64, shape (m, p)
        Of the columns as they are, of m models; only their float32 digits count.
    offsets : ndarray of float64, shape (m,)
        Log odds where all columns are 0; likewise.

    Returns
    -------
    ndarray of float64, shape (2, m, p + 1)
        Of the spans with even and with odd numbers apart.
    """
    models, columns = weights.shape
    halved = np.empty((columns + 1, models), dtype=np.float32)
    np.multiply(0.5, offsets, out=halved[0], casting="same_kind")
    np.multiply(0.5, weights.T, out=halved[1:], casting="same_kind")
    found = np.zeros((2, models, columns + 1))
    rows = _rows(values, row, columns)
    _check("counted", counted, np.float32, (rows[-1],))
    _run(_LIBRARY.curved_sums, *rows, _at(counted), _at(halved), models, _at(found))
    return found


def logistic_sums(
    values: Float32Array, row: IntArray, y: FloatArray, origin: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the gradients of the summed log loss, and the sums of p(1-p), in float64.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix, finite.
    row : ndarray of int64, shape (n,)
        Which rows of it, ascending.
    y : ndarray of float64, shape (n,)
        Their labels, 0, 1 or 1/2.
    origin : ndarray of float64, shape (p,)
        What the columns are less.
    weights : ndarray of float64, shape (m, p + 1)
        Of a one and of the columns less their origin, of m models.

    Returns
    -------
    gradients : ndarray of float64, shape (m, p + 1)
    curvatures : ndarray of float64, shape (m,)
    """
    return _logistic_sums(_LIBRARY.logistic_sums_double, values, row, y, origin, weights)


def logistic_sums_rounded(
    values: Float32Array, row: IntArray, y: FloatArray, origin: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the same as `logistic_sums` in half the time: in float32, `SPAN_ROWS` rows at a time."""
    return _logistic_sums(_LIBRARY.logistic_sums_float, values, row, y, origin, weights)


def _logistic_sums(
    function: ctypes._NamedFuncPointer,
    values: Float32Array,
    row: IntArray,
    y: FloatArray,
    origin: FloatArray,
    weights: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    models, columns = len(weights), weights.shape[1] - 1
    by_column = np.ascontiguousarray(weights.T, dtype=np.float64)
    gradients, curvatures = np.zeros(weights.shape), np.zeros(models)
    rows = _rows(values, row, columns)
    _check("y", y, np.float64, (rows[-1],))
    _check("origin", origin, np.float64, (columns,))
    summed = _at(gradients), _at(curvatures)
    _run(function, *rows, _at(y), _at(origin), _at(by_column), models, *summed)
    return gradients, curvatures


def weighted_sums(values: Float32Array, row: IntArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the sums of weights and of their products with the columns, and what `sizes` says of the rows.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix, finite.
    row : ndarray of int64, shape (n,)
        Which rows of it, ascending.
    weights : ndarray of float64, shape (n,)
        Of the rows.

    Returns
    -------
    sums : ndarray of float64, shape (p + 1,)
    sizes : ndarray of float64, shape (n,)
        They come of the same reading of the rows.
    """
    columns = values.shape[1]
    found, of_rows = np.zeros(columns + 1), np.empty(len(row))
    rows = _rows(values, row, columns)
    _check("weights", weights, np.float64, (rows[-1],))
    _run(_LIBRARY.weighted_sums, *rows, _at(weights), _at(found), _at(of_rows))
    return found, of_rows


def products(
    values: Float32Array, start: int, stop: int, row: IntArray | None, origin: FloatArray
) -> FloatArray:
    """Return the sums of products of a one and the columns, in float64, shape (p + 1, p + 1).

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix, finite.
    start, stop : int
        Which rows of it, half-open.
    row : ndarray of int64, shape (n,), or None
        Positions in the matrix, ascending; then `start` and `stop` count these.
    origin : ndarray of float64, shape (p,)
        What the columns are less.
    """
    columns = len(origin)
    found = np.zeros((columns + 1, columns + 1))
    there = len(values) if row is None else len(row)
    if not 0 <= start <= stop <= there:
        raise ValueError(f"rows {start} to {stop} of {there}")
    at, stored, _, at_row, count = _rows(values, row if row is None else row[start:stop], columns)
    _check("origin", origin, np.float64, (columns,))
    begin, count = (start, stop - start) if row is None else (0, count)
    _run(_LIBRARY.products, at, stored, columns, at_row, begin, count, _at(origin), _at(found))
    return found


def sizes(values: Float32Array, row: IntArray) -> FloatArray:
    """Return the third power of the length of each row, in float64 of float32 squares, shape (n,).

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix.
    row : ndarray of int64, shape (n,)
        Which rows of it, ascending.
    """
    found = np.empty(len(row))
    _run(_LIBRARY.sizes, *_rows(values, row, values.shape[1]), _at(found))
    return found


def draw(sizes: FloatArray, a_size: float, equal: float, most: int) -> tuple[IntArray, FloatArray]:
    """Draw a row wherever the sum of chances passes a half; each is a share of its size, and an equal one.

    Parameters
    ----------
    sizes : ndarray of float64, shape (n,)
        Finite, none negative.
    a_size, equal : float
        A row's chance is ``min(size * a_size + equal, 1)``.
    most : int
        How many at most; the later ones are left out.

    Returns
    -------
    positions : ndarray of int64, shape (k,)
        Ascending.
    weights : ndarray of float64, shape (k,)
        Inverse chances.
    """
    _check("sizes", sizes, np.float64, (len(sizes),))
    positions, weights = np.empty(most, dtype=np.int64), np.empty(most)
    drawn = _LIBRARY.draw(_at(sizes), len(sizes), a_size, equal, most, _at(positions), _at(weights))
    return positions[:drawn], weights[:drawn]


def judged(
    values: Float32Array,
    start: int,
    stop: int,
    weights: FloatArray,
    offsets: FloatArray,
    chosen: int,
    signs: FloatArray | None,
    most: float,
    *,
    rounded: bool = False,
) -> tuple[FloatArray, FloatArray]:
    """Return the log odds of rows by one of m models, and what the rows lose by each, in float64.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix, finite.
    start, stop : int
        Which rows of it, half-open.
    weights : ndarray of float64, shape (m, p)
        Of the columns as they are.
    offsets : ndarray of float64, shape (m,)
        Log odds where all columns are 0.
    chosen : int
        Position of the one.
    signs : ndarray of float64, shape (stop - start,), or None
        1 for a row that fell, -1 for one that rose, 0 for half of each, not a number for those that do not
        count, as all by default.
    most : float
        Log odds of a mistake that nothing can be worse than; `most` times 16 is within float64's exponents.
    rounded : bool
        Whether the losses are of log odds in float32, which takes half the time: what rounding makes of many
        rows is next to nothing, if their columns are not far from zero. It needs `signs`.

    Returns
    -------
    said : ndarray of float64, shape (stop - start,)
    losses : ndarray of float64, shape (m,)
        Sums in nats.
    """
    models, columns = weights.shape
    by_column = np.empty((columns + 1, models))
    by_column[0], by_column[1:] = offsets, weights.T
    said, losses = np.empty(stop - start), np.zeros(models)
    _rows(values, None, columns)
    if not (0 <= start <= stop <= len(values) and 0 <= chosen < models):
        raise ValueError(f"rows {start} to {stop} of {len(values)}, model {chosen} of {models}")
    _check("signs", signs, np.float64, (stop - start,))
    if rounded and signs is None:
        raise ValueError("losses of no signs")
    of_rows = _at(values), len(values), columns, start, stop - start
    judged_by = _LIBRARY.judged_rounded if rounded else _LIBRARY.judged
    _run(judged_by, *of_rows, _at(by_column), models, chosen, _at(signs), most, _at(said), _at(losses))
    return said, losses


def _rows(
    values: Float32Array, row: IntArray | None, columns: int
) -> tuple[int | None, int, int, int | None, int]:
    """Return how the library is told of the rows; it believes all of it but their positions."""
    _check("values", values, np.float32, (len(values), columns))
    if row is None:
        return _at(values), len(values), columns, None, len(values)
    _check("row", row, np.int64, (len(row),))
    return _at(values), len(values), columns, _at(row), len(row)


def _check(name: str, array: np.ndarray | None, kind: type, shape: tuple[int, ...]) -> None:
    if array is None:
        return
    if array.dtype != kind or array.shape != shape or not array.flags.c_contiguous:
        kept = f"{array.dtype}, shape {array.shape}, strides {array.strides}"
        raise ValueError(f"{name} must be {kind.__name__}, shape {shape}, in one piece, not {kept}")


def _at(array: np.ndarray | None) -> int | None:
    return None if array is None else array.ctypes.data


def _run(function: ctypes._NamedFuncPointer, *arguments: float | None) -> None:
    ended = function(*arguments)
    if ended == NO_ROOM:
        raise MemoryError("a pass over the rows found no room for its sums")
    if ended == ROW_AMISS:
        raise ValueError("a row was asked for that is not in the matrix")
