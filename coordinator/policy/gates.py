"""Gates that no threshold opens: a model must know more than the past's base rate, and must know it still.

1. Its log loss must be below that of always saying the share of rises that was known before each fold. A
   threshold of the Brier score lets through what is worse than such a constant.
2. In its newest fold by itself its AUC must be above one half. Nine of ten sound models that pass everything
   else do, and half of those whose signal has ended do not. That fold alone is too noisy for a stricter rule.

What each gate costs and saves was measured: `deploy/gates.md`. A model that was trained by a version that did
not measure this is not judged by it.
"""

from __future__ import annotations

from common.protocol.job_views import RefusalReason
from common.protocol.reports import GateScores, Scores

CHANCE = 0.5


def missed_gates(scores: Scores, gates: GateScores | None) -> list[tuple[RefusalReason, str]]:
    """Return the gates that a model misses, each with the reason in words.

    Parameters
    ----------
    scores : Scores
        Those over all folds.
    gates : GateScores or None
        What the gates look at; None in a model of an earlier version.
    """
    if gates is None:
        return []
    missed = []
    constant = gates.base_rate_log_loss
    if scores.log_loss >= constant:
        words = (
            f"log loss {scores.log_loss:.6f} is not below the {constant:.6f} of always saying the share of "
            "rises that was known before"
        )
        missed.append((RefusalReason.BASE_RATE, words))
    newest = gates.newest_fold
    if newest.auc is None:
        missed.append((RefusalReason.NEWEST_FOLD, "AUC of the newest fold is unknown: one class was seen"))
    elif newest.auc <= CHANCE:
        words = f"AUC {newest.auc:.4f} in the newest fold ({newest.n} rows) is not above {CHANCE:g}"
        missed.append((RefusalReason.NEWEST_FOLD, words))
    return missed
