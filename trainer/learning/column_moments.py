"""Sums and products of the training rows: all that a fit needs of them where it is linear in them."""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import FloatArray, aligned
from trainer.compiled.passes import sizes, weighted_sums
from trainer.features.products import Products, products_of
from trainer.learning.design_matrix import CHUNK_ROWS, DesignMatrix

_CONSTANT = 1e-6

MOSTLY = 0.6
"""Share of labelled rows below which they are summed themselves, not the others."""


class Moments:
    """Sums, squares and products of the columns and the labels over a growing prefix of the rows.

    Columns are taken relative to the first row, which is as good as exact centring for the digits, and known
    in advance; labels relative to 1/2. Where the products of the whole matrix are known and most of its rows
    are labelled, only the others are summed, and taken away.

    Parameters
    ----------
    design : DesignMatrix
        Labelled rows in order of time, n x p.
    y : ndarray of float64, shape (n,)
        Their labels, 0, 1 or 1/2.
    """

    def __init__(self, design: DesignMatrix, y: FloatArray) -> None:
        self.design = design
        self.y = y
        self.rows = 0
        # A column of ones, the design's columns, the labels.
        self._products = np.zeros((design.columns + 2, design.columns + 2))
        self._origin = np.zeros(design.columns)
        few = len(design.row) < MOSTLY * len(design.values)
        self._of_all = None if few else design.products
        self._all = np.zeros((design.columns + 1, design.columns + 1))
        self._others = np.zeros_like(self._all)
        self._sizes = np.empty(len(design))

    def extend(self, stop: int) -> None:
        """Take in the rows up to `stop`.

        Extending in the same steps gives the same digits: sums of one step are added as a whole.
        """
        if self._of_all is not None:
            self._extend_by_others(self._of_all, stop)
            self.rows = stop
            return
        if self.rows == 0 and stop > 0:
            _, first = next(self.design.chunks(0, 1))
            self._origin = first[0].copy()
        products = np.zeros_like(self._products)
        block = aligned((CHUNK_ROWS, len(products)))
        block[:, 0] = 1.0
        for rows, values in self.design.chunks(self.rows, stop):
            part = block[: rows.stop - rows.start]
            np.subtract(values, self._origin, out=part[:, 1:-1])
            np.subtract(self.y[rows], 0.5, out=part[:, -1])
            products += part.T @ part
        self._products += products
        self._sizes[self.rows : stop] = sizes(self.design.values, self.design.row[self.rows : stop])
        self.rows = stop

    def _extend_by_others(self, of_all: Products, stop: int) -> None:
        if stop == self.rows:
            return
        values, row = self.design.values, self.design.row[self.rows : stop]
        self._origin = values[0].astype(np.float64)
        low = int(self.design.row[self.rows - 1]) + 1 if self.rows else 0
        high = int(row[-1]) + 1
        other = np.ones(high - low, dtype=np.bool_)
        other[row - low] = False
        others = low + np.flatnonzero(other)
        before = self._all
        self._all = of_all.until(low, before, high)
        size = len(before)
        self._others += products_of(values, 0, len(others), others)
        self._products[:size, :size] = self._all - self._others
        labels = self.y[self.rows : stop] - 0.5
        with_labels, self._sizes[self.rows : stop] = weighted_sums(values, row, labels)
        # What labels of 1/2 and 1 give with a constant is exact, and nothing is left of it.
        with_labels[1:] -= with_labels[0] * self._origin
        self._products[:size, -1] += with_labels
        self._products[-1, :size] += with_labels

    @property
    def sizes(self) -> FloatArray:
        """The third power of each row's length, shape (rows,): about what it says of how p(1-p) varies.

        Of the columns as they are, which are all of one scale: so a row's size depends on no other row.
        """
        return self._sizes[: self.rows]

    @property
    def base_rate(self) -> float:
        """The mean of the labels."""
        return 0.5 + float(self._products[0, -1]) / self.rows

    def standardisation(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return means, scales (population standard deviations, 1 for constants) and the correlation matrix.

        Shapes (p,), (p,) and (p, p). A constant's row and column of the correlations are 0.
        """
        shift = self._products[0, 1:-1] / self.rows
        covariance = self._products[1:-1, 1:-1] / self.rows - np.outer(shift, shift)
        deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        constant = deviation < _CONSTANT
        scales = np.where(constant, 1.0, deviation)
        correlation = covariance / np.outer(scales, scales)
        correlation[constant, :] = 0.0
        correlation[:, constant] = 0.0
        return self._origin + shift, scales, correlation

    def with_labels(self, scales: FloatArray, correlation: FloatArray) -> FloatArray:
        """Return the sums of the labels less 1/2, and of their products with the standardised columns.

        Parameters
        ----------
        scales, correlation : ndarray of float64, shapes (p,) and (p, p)
            From `standardisation`.

        Returns
        -------
        ndarray of float64, shape (p + 1,)
            0 for constants.
        """
        total = self._products[0, -1]
        shift = self._products[0, 1:-1] / self.rows
        products = (self._products[1:-1, -1] - shift * total) / scales
        return np.concatenate([[total], np.where(np.diag(correlation) > 0.0, products, 0.0)])
