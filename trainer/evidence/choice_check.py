"""Whether each C was chosen by what came before it."""

from __future__ import annotations

from collections.abc import Sequence

from common.protocol.reports import Check, FoldReport


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
