"""Whether stored models are what their permitted rows give: scalers, coefficients and test losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.protocol.reports import Check, FoldReport
from trainer.evidence.predicted import Predicted
from trainer.evidence.recount import CONSTANT, Recount

_RELATIVE = 1e-6

FURTHEST = 1.5e-5
"""How far from the optimum over its permitted rows a model may be, as a share of the spread of its log odds.

That share, `Recount.steps` over `Recount.spreads`, was measured on candles of ADA 1h to 1d and BTC 1m to 15m
(2,020 to 1,048,600 rows, horizons 1 and 5, every C from 1e-6 to 1e-2, five folds and the final model):

=====================================  ================
the model was fitted on                share
=====================================  ================
the permitted rows                     at most 1.6e-6
one row more                           at least 1.9e-5
five rows more, all of them purged     at least 5.2e-5
a fifth of the test rows more          at least 1.1e-2
all rows                               at least 4.9e-2
=====================================  ================

What a row changes falls with the number of rows, and the least are those of 1m at the strongest penalty; at
the weakest one row changes 1e-4 or more, and a fold is refused by any of its C. Below 20,000 rows it is
6e-4 at any. Equal columns, heavy tails, separable labels and C up to 1e6 leave an honest fit below 7e-7, and
two rises in 20,000 rows leave 6e-6.
"""

FURTHEST_INTERCEPT = 2e-5
"""How far its intercept may be, in log odds.

It is at most 5e-8 in the cells above. Where there are two rises in 900 rows a fit stops 4e-6 away, which
moves the log odds of all rows alike.
"""

NEGLIGIBLE = 1e-12
"""Log odds by which a model of constant columns, which has no spread, may miss its optimum."""

LOSS = 1e-9
"""Most that a log loss may differ. Of a job that is resumed on another kind of processor one in float64
differs by 1e-15, and one of many rows, which is of log odds in float32, by 7e-11.
"""


def check_scalers(recounts: Sequence[Recount]) -> Check:
    """Compare means and scales with those of the rows that time allows."""
    for found in recounts:
        stored, deviations = found.stored, found.deviations
        slack = _RELATIVE * np.maximum(deviations, CONSTANT)
        varies = (np.abs(stored.scales - deviations) <= slack) & (deviations >= CONSTANT * (1 - _RELATIVE))
        # At the edge of being constant the last digit decides, and either is right.
        constant = (stored.scales == 1.0) & (deviations <= CONSTANT * (1 + _RELATIVE))
        if not ((np.abs(stored.means - found.means) <= slack) & (varies | constant)).all():
            detail = (
                f"{stored.place}: means or scales are not those of the "
                f"{stored.permitted} rows that it may know"
            )
            return Check(name="scaler", passed=False, checked=len(recounts), detail=detail)
    detail = (
        f"means and scales of {len(recounts) - 1} folds and the final model are those of their own "
        "training rows"
    )
    return Check(name="scaler", passed=True, checked=len(recounts), detail=detail)


def check_coefficients(recounts: Sequence[Recount]) -> Check:
    """Check that each model of each C is at the one optimum over the rows that time allows.

    A model that was fitted on any other rows, or changed afterwards, is not level there: see `FURTHEST`.
    """
    checked = 0
    furthest = 0.0
    for found in recounts:
        stored = found.stored
        shares = found.steps / np.maximum(found.spreads, NEGLIGIBLE / FURTHEST)
        for C, share, intercept_step in zip(stored.Cs, shares.tolist(), found.intercept_steps, strict=True):
            checked += 1
            if share <= FURTHEST and intercept_step <= FURTHEST_INTERCEPT:
                furthest = max(furthest, share)
                continue
            detail = (
                f"{stored.place}, C {C:g}: the coefficients are not those of the {stored.permitted} rows "
                f"that it may know: the optimum over them is {share:.1e} of the spread of its log odds away "
                f"(honest fits: {FURTHEST:g} at most), its intercept {intercept_step:.1e} "
                f"({FURTHEST_INTERCEPT:g} at most)"
            )
            return Check(name="coefficients", passed=False, checked=checked, detail=detail)
    detail = (
        f"{checked} models are at the optimum over the rows that they may know, to {furthest:.0e} "
        "of the spread of their log odds"
    )
    return Check(name="coefficients", passed=True, checked=checked, detail=detail)


def check_losses(said: Sequence[Predicted], folds: Sequence[FoldReport]) -> Check:
    """Compare the test log loss of every fold and C with that of the stored coefficients.

    It is that of the test rows whose labels the next fold may know: with the others a choice would know what
    happens in the first rows that it is tested on.
    """
    checked = 0
    for fold, found in zip(folds, said, strict=False):
        claimed = np.asarray(fold.log_losses)
        checked += len(claimed)
        wrong = ~(np.abs(claimed - found.log_losses) <= LOSS)
        if wrong.any():
            position = int(np.argmax(wrong))
            detail = (
                f"{found.stored.place}, C {found.stored.Cs[position]:g}: the log loss of its test rows that "
                f"are known in time is {found.log_losses[position]:.9g}, not {claimed[position]:.9g}"
            )
            return Check(name="losses", passed=False, checked=checked, detail=detail)
    detail = f"{checked} log losses are those of the stored coefficients over the rows known in time"
    return Check(name="losses", passed=True, checked=checked, detail=detail)
