"""Sums of products of a feature matrix's columns over its first rows, kept beside the matrix.

Every fold, horizon and check of a matrix needs them, each over other first rows. They are computed once and
summed up block by block, so that those of any prefix cost no more than its rows beyond the last whole block.

A file is a head of `HEAD_BYTES` (JSON, padded) and the sums, float64. One that is missing, damaged or of
another matrix is computed again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.whole_file import whole_file
from trainer.candles.arrays import Float32Array, FloatArray, IntArray
from trainer.compiled import passes

SCHEMA = "nighttrain.products/2"
SUFFIX = ".products"
HEAD_BYTES = 512
BLOCK_ROWS = 16_384


@dataclass(frozen=True, eq=False)
class Products:
    """Sums over the first rows of a matrix.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix.
    blocks : ndarray of float64, shape (N // BLOCK_ROWS + 1, p + 1, p + 1)
        For each multiple of `BLOCK_ROWS`, from 0 on, the sums over the rows before it of the products of a
        column of ones and of the columns less those of the first row. That is as good as exact centring for
        the digits, and known in advance.
    digest : str
        SHA-256 over `blocks`, in hex.
    """

    values: Float32Array
    blocks: FloatArray
    digest: str

    @classmethod
    def computed(cls, values: Float32Array) -> Products:
        """Compute the sums of all whole blocks."""
        size = values.shape[1] + 1
        blocks = np.zeros((len(values) // BLOCK_ROWS + 1, size, size))
        for position in range(1, len(blocks)):
            stop = position * BLOCK_ROWS
            blocks[position] = blocks[position - 1] + products_of(values, stop - BLOCK_ROWS, stop)
        return cls(values, blocks, hashlib.sha256(blocks.data).hexdigest())

    def until(self, start: int, known: FloatArray, stop: int) -> FloatArray:
        """Return the sums over the first `stop` rows, where those over the first `start` are known."""
        whole = stop // BLOCK_ROWS
        if whole * BLOCK_ROWS <= start:
            return known + products_of(self.values, start, stop)
        found: FloatArray = self.blocks[whole] + products_of(self.values, whole * BLOCK_ROWS, stop)
        return found


def products_of(values: Float32Array, start: int, stop: int, row: IntArray | None = None) -> FloatArray:
    """Return the sums of products over rows `start` to `stop`, (p + 1, p + 1), or over `row` of these only.

    Parameters
    ----------
    values : ndarray of float32, shape (N, p)
        The matrix; the columns are taken less those of its first row.
    row : ndarray of int64, shape (n,), optional
        Positions in the matrix; then `start` and `stop` count them.
    """
    return passes.products(values, start, stop, row, values[0].astype(np.float64))


def open_products(path: Path, digest: str, values: Float32Array) -> Products:
    """Return the products that are kept beside a matrix; compute and keep them if there are none.

    Parameters
    ----------
    path : Path
        The matrix's file.
    digest : str
        The matrix's digest.
    values : ndarray of float32, shape (N, p)
        The matrix.

    Raises
    ------
    StorageError
        They could not be written.
    """
    place = path.with_suffix(SUFFIX)
    products = _read(place, digest, values)
    if products is None:
        products = Products.computed(values)
        head = {"schema": SCHEMA, "matrix": digest, "sha256": products.digest}
        with whole_file(place, durable=False) as file:
            file.write(json.dumps(head).encode().ljust(HEAD_BYTES))
            file.write(products.blocks.data)
    return products


def _read(place: Path, digest: str, values: Float32Array) -> Products | None:
    size = values.shape[1] + 1
    try:
        content = place.read_bytes()
        head = json.loads(content[:HEAD_BYTES])
        blocks = np.frombuffer(content, np.float64, offset=HEAD_BYTES)
        blocks = blocks.reshape(len(values) // BLOCK_ROWS + 1, size, size)
        found = head["schema"], head["matrix"], head["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    # One bit that flipped on the disk would train another model.
    expected = SCHEMA, digest, hashlib.sha256(blocks.data).hexdigest()
    return Products(values, blocks, expected[2]) if found == expected else None
