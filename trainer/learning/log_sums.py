"""Sums of logarithms, by the logarithms of products: a product takes a tenth of the time of a logarithm."""

from __future__ import annotations

import numpy as np

from trainer.candles.arrays import FloatArray

FACTORS = 16
"""How many are multiplied: so many are still within float64 if each is within `SMALLEST` and its inverse."""

SMALLEST = 1e-18


def summed_logs(values: FloatArray) -> FloatArray:
    """Return the sums of the natural logarithms over the last axis.

    Parameters
    ----------
    values : ndarray of float64, shape (..., n)
        Each from `SMALLEST` to its inverse.

    Returns
    -------
    ndarray of float64, shape (...)
        0 where n is 0.
    """
    rows = values.shape[-1]
    whole = rows // FACTORS * FACTORS
    factors = values[..., :whole].reshape(*values.shape[:-1], FACTORS, whole // FACTORS)
    products = np.multiply.reduce(factors, axis=-2)
    return np.asarray(np.log(products).sum(axis=-1) + np.log(values[..., whole:]).sum(axis=-1))
