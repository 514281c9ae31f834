"""Whether features know nothing of what comes after their row: computed again from candles that end there."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from pydantic import ValidationError

from common.frozen import Frozen
from common.protocol.reports import Check
from common.whole_file import whole_file
from trainer.candles.arrays import FloatArray
from trainer.candles.candles import Candles
from trainer.candles.moments import moment_of
from trainer.features.context import context_frame
from trainer.features.indicators import blocks
from trainer.features.matrix import FeatureMatrix, matrix_rows
from trainer.features.products import BLOCK_ROWS, Products
from trainer.learning.training_set import TrainingSet

CUTS = 3

ROUNDING = 1e-11
"""Share of a sum of squares that sums of products may differ by."""

DIRECTIONS = 4
"""Along one, what is wrong by 1e5 times the slack is missed once in 1e5 times; along all of them, never."""

CHUNK_ROWS = 4096
"""So many rows of a block are multiplied at a time."""


class _RememberedCheck(Frozen):
    digest: str
    check: Check


def check_features(data: TrainingSet) -> Check:
    """Compute features again from candles that end at sampled rows, and compare bit for bit.

    At each of `CUTS` rows all candles, the context's too, are cut at the row's close; the last block of the
    cut, up to `indicators.BLOCK_ROWS` rows, must equal the matrix's rows. The rows are drawn by the
    matrix's digest. So must the sums of products that training and certificate read be those of the rows,
    but for rounding. The answer is kept beside the matrix, so that the horizons share it.
    """
    matrix, products = data.matrix, data.design.products
    of = matrix.digest if products is None else f"{matrix.digest} {products.digest}"
    path = matrix.path.with_suffix(".certificate.json")
    try:
        remembered = _RememberedCheck.model_validate_json(path.read_bytes())
        if remembered.digest == of:
            return remembered.check
    except (FileNotFoundError, ValidationError):
        pass
    check = _compared_at_cuts(matrix, data.candles, data.context)
    if check.passed and products is not None and not are_products(products):
        detail = "the sums of products that are kept beside the matrix are not those of its rows"
        check = Check(name="features", passed=False, checked=check.checked, detail=detail)
    with whole_file(path, durable=False) as file:
        file.write(_RememberedCheck(digest=of, check=check).model_dump_json().encode())
    return check


def _compared_at_cuts(matrix: FeatureMatrix, candles: Candles, context: Sequence[Candles]) -> Check:
    draw = np.random.default_rng(int(matrix.digest[:16], 16))
    compared = 0
    for row in np.sort(draw.integers(len(matrix.bar), size=CUTS)):
        known = int(matrix.close_time[row])
        cut = candles.until(int(matrix.bar[row]) + 1)
        frames = [context_frame(coarse.until(closed_by(coarse, known))) for coarse in context]
        last = list(blocks(cut))[-1]
        bar, values = matrix_rows(cut, last, frames)
        rows = slice(int(np.searchsorted(matrix.bar, last.first)), int(row) + 1)
        stored = np.ascontiguousarray(matrix.values[rows])
        compared += len(bar)
        if not np.array_equal(bar, matrix.bar[rows]):
            detail = f"candles cut at {moment_of(known).isoformat()} give other rows than the whole candles"
            return Check(name="features", passed=False, checked=compared, detail=detail)
        differs = stored.view(np.uint32) != values.view(np.uint32)
        if differs.any():
            names = ", ".join(np.asarray(matrix.names)[differs.any(axis=0)])
            detail = f"candles cut at {moment_of(known).isoformat()} give other values of {names}"
            return Check(name="features", passed=False, checked=compared, detail=detail)
    detail = f"{compared} rows before {CUTS} cuts equal bit for bit those of candles that end there"
    return Check(name="features", passed=True, checked=compared, detail=detail)


def are_products(products: Products) -> bool:
    """Tell whether sums of products are those of their rows, computed from the columns as they are.

    The sums S of a block's rows X are compared with X'X along `DIRECTIONS` vectors v: X'(Xv) takes far fewer
    steps than X'X, and Sv differs from it for all v but those that a difference is at right angles to, which
    normal ones hardly ever are (Freivalds, 1977). They are drawn by the digest of the sums.
    """
    values, blocks = products.values, products.blocks
    if blocks[0].any() or not np.isfinite(blocks).all():
        return False
    origin = values[0].astype(np.float64)
    sizes = _sizes(blocks[-1], origin)
    draw = np.random.default_rng(int(products.digest[:16], 16))
    directions = draw.standard_normal((len(origin) + 1, DIRECTIONS)) / np.where(sizes > 0, sizes, 1)[:, None]
    # The sums are of columns less their origin, and these multiply columns as they are.
    of_raw = directions.copy()
    of_raw[0] -= origin @ directions[1:]
    part = np.ones((CHUNK_ROWS, len(directions)))
    for position, (before, until) in enumerate(pairwise(blocks)):
        found = np.zeros_like(directions)
        for first in range(position * BLOCK_ROWS, (position + 1) * BLOCK_ROWS, CHUNK_ROWS):
            part[:, 1:] = values[first : first + CHUNK_ROWS]
            found += part.T @ (part @ of_raw)
        found[1:] -= np.outer(origin, found[0])
        slack = np.zeros_like(directions)
        # What is left of large sums after the shift has lost the digits that they share; so it has, in the
        # difference of two prefixes, those of the rows before.
        for size in (_sizes(until - before, origin), np.sqrt(np.abs(until.diagonal()))):
            slack += ROUNDING * np.outer(size, size @ np.abs(directions))
        if not (np.abs((until - before) @ directions - found) <= slack).all():
            return False
    return True


def _sizes(products: FloatArray, origin: FloatArray) -> FloatArray:
    """Return the root of the sum of squares of ones and of each column as it is, by sums of products."""
    squares = products.diagonal().copy()
    squares[1:] += origin * (2 * products[0, 1:] + origin * products[0, 0])
    return np.sqrt(np.abs(squares))


def closed_by(candles: Candles, known: int) -> int:
    """Return how many bars have closed at the moment `known` (milliseconds)."""
    return int(np.searchsorted(candles.open_time, known - candles.interval_ms, side="right"))
