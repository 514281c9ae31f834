"""Whether features know nothing of what comes after their row: computed again from candles that end there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import ValidationError

from common.frozen import Frozen
from common.protocol.reports import Check
from common.whole_file import whole_file
from trainer.candles.candles import Candles
from trainer.candles.moments import moment_of
from trainer.features.context import context_frame
from trainer.features.indicators import blocks
from trainer.features.matrix import FeatureMatrix, matrix_rows
from trainer.learning.training_set import TrainingSet

CUTS = 3


class _RememberedCheck(Frozen):
    digest: str
    check: Check


def check_features(data: TrainingSet) -> Check:
    """Compute features again from candles that end at sampled rows, and compare bit for bit.

    At each of `CUTS` rows all candles, the context's too, are cut at the row's close; the last block of the
    cut, up to `indicators.BLOCK_ROWS` rows, must equal the matrix's rows. The rows are drawn by the
    matrix's digest, and the answer is kept beside the matrix, so that the horizons share it.
    """
    matrix = data.matrix
    path = matrix.path.with_suffix(".certificate.json")
    try:
        remembered = _RememberedCheck.model_validate_json(path.read_bytes())
        if remembered.digest == matrix.digest:
            return remembered.check
    except (FileNotFoundError, ValidationError):
        pass
    check = _compared_at_cuts(matrix, data.candles, data.context)
    with whole_file(path) as file:
        file.write(_RememberedCheck(digest=matrix.digest, check=check).model_dump_json().encode())
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


def closed_by(candles: Candles, known: int) -> int:
    """Return how many bars have closed at the moment `known` (milliseconds)."""
    return int(np.searchsorted(candles.open_time, known - candles.interval_ms, side="right"))
