"""Whether each model was recalibrated by what came before it, and by no more than that shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import Check, FoldReport, Recalibration
from trainer.evidence.predicted import Predicted
from trainer.learning.logistic_model import LogisticModel
from trainer.learning.recalibration import (
    LEAST,
    NOTHING,
    UNMEASURED,
    Forecast,
    Overconfidence,
    gain_of,
    newton_step,
    rescaled,
)
from trainer.learning.training_set import TrainingSet

TOLERANCE = 1e-6
"""How far a slope may be from where the log loss is level, and any other figure from what is found."""


def forecasts_of(data: TrainingSet, said: Sequence[Predicted], folds: Sequence[FoldReport]) -> list[Forecast]:
    """Return what the stored model of its C says of each fold's test rows."""
    found = []
    for one, fold in zip(said, folds, strict=True):
        tested = one.stored.tested
        p = one.stretch.at(one.chosen, data.labels.row[tested])
        found.append(Forecast.of(p, data.labels.y[tested], one.stored.model(fold.C).intercept))
    return found


def slope_of(recalibration: Recalibration | None) -> float:
    """Return the slope that is claimed, or 1 where it is none that can be computed with."""
    slope = recalibration.slope if recalibration else 1.0
    return slope if slope > 0.0 and np.isfinite(slope) else 1.0


def before_recalibration(model: LogisticModel, recalibration: Recalibration) -> LogisticModel:
    """Return the model that was recalibrated."""
    return rescaled(model, 1.0 / slope_of(recalibration))


def check_recalibration(
    forecasts: Sequence[Forecast], claimed: Sequence[Recalibration | None], horizon: int
) -> Check:
    """Check each slope by the predictions of earlier folds only, the final model's by those of all.

    The estimate, its standard error and the gain are measured again; whether a slope is used must follow from
    them, and the log loss of these predictions must be level at the slope that is.

    Parameters
    ----------
    forecasts : sequence of Forecast
        What the stored models predict, from `forecasts_of`, of the rows that the next fold may know.
    claimed : sequence of Recalibration or None
        Those of the folds in their order, and then of the final model.
    horizon : int
        Bars that a label spans.
    """
    total, gain = Overconfidence(), 0.0
    for known, recalibration in enumerate(claimed):
        if known:
            total += Overconfidence.of(forecasts[known - 1], horizon)
        wrong = _wrong(recalibration, forecasts[:known], total, gain)
        if wrong:
            place = f"fold {known + 1}" if known < len(forecasts) else "the final model"
            return Check(name="recalibration", passed=False, checked=known + 1, detail=f"{place}: {wrong}")
        if known < len(forecasts) and total.curvature > NOTHING and total.estimate < 1.0:
            gain += gain_of(forecasts[known], max(total.estimate, LEAST))
    used = [f"{one.slope:.2f}" for one in claimed if one is not None and one.slope != 1.0]
    words = f"slopes {', '.join(used)} are used" if used else "none was needed"
    return Check(
        name="recalibration",
        passed=True,
        checked=len(claimed),
        detail=f"{words}, as the folds before each model show",
    )


def _wrong(
    claimed: Recalibration | None, known: Sequence[Forecast], total: Overconfidence, gain: float
) -> str:
    if claimed is None:
        return "nothing is said of its recalibration"
    if total.curvature <= NOTHING:
        return "" if claimed == UNMEASURED else "it is recalibrated though no fold before it can be measured"
    if claimed.measured_on != tuple(range(len(known))):
        return f"its slope was measured on other folds than the {len(known)} before it"
    for name, ours, theirs in (
        ("estimate", total.estimate, claimed.estimate),
        ("standard error", total.standard_error, claimed.standard_error),
        ("gain", gain, claimed.gain),
    ):
        if theirs is None or not abs(ours - theirs) <= TOLERANCE * max(1.0, abs(ours)):
            shown = "none" if theirs is None else f"{theirs:.6g}"
            return f"the {name} of its slope is {ours:.6g}, not {shown}"
    if not (total.beyond_doubt and gain > 0.0):
        return "" if claimed.slope == 1.0 else f"a slope of {claimed.slope:.6g} is used, none is called for"
    level = abs(newton_step(known, claimed.slope)) <= TOLERANCE
    bounded = claimed.slope in (LEAST, 1.0) and _beyond(known, claimed.slope)
    return "" if level or bounded else f"a slope of {claimed.slope:.6g} is not what the folds before it show"


def _beyond(known: Sequence[Forecast], bound: float) -> bool:
    """Return whether the least log loss lies outside the slopes that are used, on the side of this bound."""
    step = newton_step(known, bound)
    return step <= 0.0 if bound == LEAST else step >= 0.0
