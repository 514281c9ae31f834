"""The certificate: four checks that nothing of a model has seen the future, made from candles and times.

Each check computes again, by another way, what the training claims: features from candles that end at the
row, label ends from opening times, scalers from the rows that time allows, and each C from earlier folds'
losses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import ValidationError

from common.frozen import Frozen
from common.protocol.reports import Check, FoldReport
from common.whole_file import whole_file
from trainer.candles.arrays import FloatArray, IntArray
from trainer.candles.candles import Candles
from trainer.candles.moments import milliseconds_of, moment_of
from trainer.features.context import context_frame
from trainer.features.indicators import blocks
from trainer.features.matrix import FeatureMatrix, matrix_rows
from trainer.learning.training_set import TrainingSet

CUTS = 3
_RELATIVE = 1e-6


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


def check_labels(data: TrainingSet, folds: Sequence[FoldReport]) -> Check:
    """Check labels against closes, and the end of every training label against its fold's first test row.

    Parameters
    ----------
    data : TrainingSet
        What was trained on; only candles, the bar of each row, horizon and embargo are believed. Ties
        must be exactly the rows whose close ends where it was, and all others must have a label.
    folds : sequence of FoldReport
        What each fold says of its rows and times.
    """
    candles, labels, bar, horizon = data.candles, data.labels, data.bar, data.horizon

    def failed(detail: str) -> Check:
        return Check(name="labels", passed=False, checked=len(labels), detail=detail)

    close_time, end = _label_times(candles, bar, horizon)
    rise = candles.close[bar + horizon] > candles.close[bar]
    if (end - close_time != horizon * candles.interval_ms).any():
        return failed("a label reaches across a gap")
    if not (np.array_equal(end, labels.end) and np.array_equal(rise, labels.y > 0.5)):
        return failed("labels or their ends are not those of the closes and times")
    moved, tied = _moves(candles, data.matrix.bar, horizon)
    if not (np.array_equal(moved, labels.row) and np.array_equal(tied, labels.tie)):
        return failed(
            "rows with a label are not those whose close moves, or ties not those whose close stays"
        )
    checked = 0
    least = None
    for fold in folds:
        place = f"fold {fold.index + 1}"
        first_test = milliseconds_of(fold.test_span.start) + candles.interval_ms
        tested = np.count_nonzero(
            (close_time >= first_test) & (close_time <= milliseconds_of(fold.test_span.end))
        )
        if tested != fold.test_rows:
            return failed(f"{place}: {fold.test_rows} test rows, but {tested} in its span")
        last_end = int(end[: fold.train_rows].max())
        if last_end != milliseconds_of(fold.last_train_label_end):
            return failed(
                f"{place}: its last training label ends at {moment_of(last_end).isoformat()}, not as it says"
            )
        distance = first_test - last_end
        if distance < data.embargo_ms:
            return failed(
                f"{place}: a training label ends {distance / 60_000:g} minutes before the first test row, "
                f"the embargo is {data.embargo_ms / 60_000:g}"
            )
        checked += fold.train_rows
        least = distance if least is None else min(least, distance)
    minutes = (least or 0) / 60_000
    detail = f"training labels of {len(folds)} folds end {minutes:g} minutes or more before the test"
    return Check(name="labels", passed=True, checked=checked, detail=detail)


def check_scalers(
    data: TrainingSet, folds: Sequence[FoldReport], final: tuple[FloatArray, FloatArray]
) -> Check:
    """Compute means and scales again from the rows that time allows, and compare.

    Parameters
    ----------
    data : TrainingSet
        What was trained on.
    folds : sequence of FoldReport
        Means and scales of each fold, and when it tests.
    final : (means, scales)
        Those of the final model, which may know all rows.
    """
    candles, design = data.candles, data.design
    _, end = _label_times(candles, data.bar, data.horizon)
    stages = [("the final model", len(design), *final)]
    for fold in folds:
        limit = milliseconds_of(fold.test_span.start) + candles.interval_ms - data.embargo_ms
        allowed = int(np.count_nonzero(end <= limit))
        stages.append((f"fold {fold.index + 1}", allowed, np.asarray(fold.means), np.asarray(fold.scales)))
    sums, squares = np.zeros(design.columns), np.zeros(design.columns)
    done = 0
    for place, rows, means, scales in sorted(stages, key=lambda stage: stage[1]):
        for _, values in design.chunks(done, rows):
            sums += values.sum(axis=0)
            squares += np.einsum("ij,ij->j", values, values)
        done = rows
        mean = sums / rows
        deviation = np.sqrt(np.maximum(squares / rows - mean * mean, 0.0))
        if not (
            _near(means, mean, deviation)
            and _near(scales, np.where(deviation < _RELATIVE, 1.0, deviation), deviation)
        ):
            detail = f"{place}: means or scales are not those of the {rows} rows that it may know"
            return Check(name="scaler", passed=False, checked=len(stages), detail=detail)
    detail = (
        f"means and scales of {len(folds)} folds and the final model are those of their own training rows"
    )
    return Check(name="scaler", passed=True, checked=len(stages), detail=detail)


def check_choice(folds: Sequence[FoldReport], Cs: Sequence[float], final_C: float) -> Check:
    """Choose every C again from the log losses of earlier folds only, the final one from all."""
    totals = [0.0] * len(Cs)
    chosen = [*((f"fold {fold.index + 1}", fold.C) for fold in folds), ("the final model", final_C)]
    for position, (place, C) in enumerate(chosen):
        best = Cs[totals.index(min(totals))] if position else Cs[len(Cs) // 2]
        sources = tuple(range(position))
        if best != C or (position < len(folds) and folds[position].C_chosen_from != sources):
            detail = f"{place}: C is {C:g}; the {position} folds before it choose {best:g}"
            return Check(name="C", passed=False, checked=position + 1, detail=detail)
        if position < len(folds):
            totals = [total + loss for total, loss in zip(totals, folds[position].log_losses, strict=True)]
    detail = (
        "each C is the best of the folds before it (the first is the middle one), the final one of all folds"
    )
    return Check(name="C", passed=True, checked=len(chosen), detail=detail)


def _label_times(candles: Candles, bar: IntArray, horizon: int) -> tuple[IntArray, IntArray]:
    interval = candles.interval_ms
    return candles.open_time[bar] + interval, candles.open_time[bar + horizon] + interval


def _moves(candles: Candles, bar: IntArray, horizon: int) -> tuple[IntArray, IntArray]:
    """Return the rows of the matrix whose close moves over an unbroken horizon, and the ties."""
    ahead = np.searchsorted(candles.open_time, candles.open_time[bar] + horizon * candles.interval_ms)
    inside = ahead < len(candles)
    ahead = np.where(inside, ahead, 0)
    unbroken = inside & (ahead - bar == horizon)
    unbroken &= candles.open_time[ahead] - candles.open_time[bar] == horizon * candles.interval_ms
    change = candles.close[ahead] - candles.close[bar]
    return np.flatnonzero(unbroken & (change != 0.0)), np.flatnonzero(unbroken & (change == 0.0))


def _near(claimed: FloatArray, found: FloatArray, deviation: FloatArray) -> bool:
    return bool((np.abs(claimed - found) <= _RELATIVE * np.maximum(deviation, _RELATIVE)).all())
