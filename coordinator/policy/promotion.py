"""Which models of a run are promoted, and in words why not the others: a pure decision over the grid.

A model is promoted when its certificate is valid, its out-of-fold scores meet the thresholds, its p-value
passes the false discovery rate over all cells of the run that succeeded, and it is not worse than the
present champion of its cell:

- on the rows that the champion had not seen its log loss is not higher than the champion's;
- where no rows can score both (another version of the features, other columns, all rows seen) that is said,
  and the model must have a higher AUC than the one that is recorded for the champion;
- a model trained on synthetic candles never replaces one trained on real candles, and a real one always may
  replace a synthetic one: nothing that either learned says anything about the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.protocol.job_views import RefusalReason
from common.protocol.reports import ChampionComparison, Check, Scores
from common.settings.sections import PromoteIf


@dataclass(frozen=True)
class Champion:
    """The promoted model of a cell; `sha256` is that of its .pkl."""

    sha256: str
    synthetic: bool
    feature_version: str
    scores: Scores


@dataclass(frozen=True)
class Challenger:
    """A model of the run; `comparison` is what its trainer found out about the champion.

    `failed_checks` are those of its certificate that say why it is not `certified`; there are none where the
    certificate is empty or is not that of the model that is kept.
    """

    job_id: int
    scores: Scores
    p_value: float
    certified: bool
    synthetic: bool
    feature_version: str
    comparison: ChampionComparison | None
    failed_checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Objection:
    """One thing that a model missed, and by how much in words."""

    reason: RefusalReason
    words: str


@dataclass(frozen=True)
class Decision:
    """Whether a model is promoted; it is not while there are objections."""

    job_id: int
    objections: tuple[Objection, ...]

    @property
    def promoted(self) -> bool:
        """Whether nothing speaks against the model."""
        return not self.objections

    @property
    def refused_by(self) -> tuple[RefusalReason, ...]:
        """What the model missed, each thing once."""
        return tuple(dict.fromkeys(objection.reason for objection in self.objections))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the model is not promoted, in words."""
        return tuple(objection.words for objection in self.objections)


def decide(
    challengers: Sequence[Challenger],
    champions: Mapping[int, Champion],
    promote_if: PromoteIf,
    false_discovery_rate: float,
) -> list[Decision]:
    """Decide on all models of a run at once.

    Parameters
    ----------
    challengers : sequence of Challenger
        Every cell of the run that succeeded.
    champions : mapping of int to Champion
        The present champion of each challenger's cell by its job id, where there is one.
    promote_if : PromoteIf
        Thresholds of the scores.
    false_discovery_rate : float
        Expected share of discoveries that may be luck.

    Returns
    -------
    list of Decision
        One for each challenger, in their order.
    """
    bound = false_discovery_bound([challenger.p_value for challenger in challengers], false_discovery_rate)
    decisions = []
    for challenger in challengers:
        objections = (
            *_certificate(challenger),
            *_thresholds(challenger.scores, promote_if),
            *_discovery(challenger.p_value, bound, false_discovery_rate, len(challengers)),
            *_against_champion(challenger, champions.get(challenger.job_id)),
        )
        decisions.append(Decision(challenger.job_id, objections))
    return decisions


def false_discovery_bound(p_values: Sequence[float], rate: float) -> float:
    """Return the greatest p-value that is a discovery at the given rate, or 0 where none is.

    The step-up procedure of Y. Benjamini and Y. Hochberg, "Controlling the False Discovery Rate", J. R.
    Stat. Soc. B 57 (1995): the largest k with p_(k) <= k / m * rate.
    """
    ordered = sorted(value for value in p_values if not math.isnan(value))
    passing = [p for k, p in enumerate(ordered, start=1) if p <= k / len(p_values) * rate]
    return max(passing, default=0.0)


def _certificate(challenger: Challenger) -> list[Objection]:
    if challenger.certified:
        return []
    found = "; ".join(f"check {check.name}: {check.detail}" for check in challenger.failed_checks)
    words = found or "it has no checks, or is of a model that is not the one kept"
    return [Objection(RefusalReason.CERTIFICATE, f"the certificate is not valid: {words}")]


def _thresholds(scores: Scores, promote_if: PromoteIf) -> list[Objection]:
    objections = []
    if scores.auc is None:
        objections.append(Objection(RefusalReason.AUC, "AUC is unknown: only one class was seen"))
    elif scores.auc < promote_if.min_auc:
        words = f"AUC {_shown(scores.auc, promote_if.min_auc)} is below {promote_if.min_auc:g}"
        objections.append(Objection(RefusalReason.AUC, words))
    if scores.brier > promote_if.max_brier:
        words = f"Brier score {_shown(scores.brier, promote_if.max_brier)} is above {promote_if.max_brier:g}"
        objections.append(Objection(RefusalReason.BRIER, words))
    if scores.accuracy < promote_if.min_acc:
        words = f"accuracy {_shown(scores.accuracy, promote_if.min_acc)} is below {promote_if.min_acc:g}"
        objections.append(Objection(RefusalReason.ACCURACY, words))
    return objections


def _discovery(p_value: float, bound: float, rate: float, cells: int) -> list[Objection]:
    if p_value <= bound and bound > 0.0:
        return []
    needed = f"{bound:.4g} or less was needed" if bound > 0.0 else "no cell of the run does"
    share = f"a false discovery rate of {rate:g} over {cells} cells"
    words = f"p-value {p_value:.4g} does not pass {share}: {needed}"
    return [Objection(RefusalReason.SIGNIFICANCE, words)]


def _against_champion(challenger: Challenger, champion: Champion | None) -> list[Objection]:
    words = "" if champion is None else _worse(challenger, champion)
    return [Objection(RefusalReason.CHAMPION, words)] if words else []


def _worse(challenger: Challenger, champion: Champion) -> str:
    if champion.synthetic and not challenger.synthetic:
        return ""
    if challenger.synthetic and not champion.synthetic:
        return "it was trained on synthetic candles, and the champion on real ones"
    if champion.feature_version != challenger.feature_version:
        versions = f"{champion.feature_version}, not {challenger.feature_version}"
        return _incomparable(challenger, champion, f"the champion reads other features ({versions})")
    comparison = challenger.comparison
    if comparison is None:
        return "it was not compared with the present champion"
    if comparison.champion != champion.sha256:
        return "it was compared with a model that is no longer the champion"
    if comparison.scores is None or comparison.challenger_scores is None:
        return _incomparable(challenger, champion, comparison.detail or "no reason given")
    ours, theirs = comparison.challenger_scores.log_loss, comparison.scores.log_loss
    if ours > theirs:
        where = f"on the same {comparison.rows_compared} rows"
        return f"log loss {_shown(ours, theirs)} is above the champion's {_shown(theirs, ours)} {where}"
    return ""


def _incomparable(challenger: Challenger, champion: Champion, why: str) -> str:
    # A champion that no row can be shared with must not stand for ever: the recorded scores decide.
    auc, recorded = challenger.scores.auc, champion.scores.auc
    if auc is not None and (recorded is None or auc > recorded):
        return ""
    ours = "unknown" if auc is None else _shown(auc, recorded or 0.0)
    theirs = "unknown" if recorded is None else f"{recorded:.3f}"
    return f"no rows can score both models: {why}; AUC {ours} is not above the champion's recorded {theirs}"


def _shown(value: float, bound: float) -> str:
    # As few digits as show on which side of the bound the value lies.
    for digits in range(3, 12):
        text = f"{value:.{digits}f}"
        if (float(text) < bound) == (value < bound) and (float(text) > bound) == (value > bound):
            return text
    return repr(value)
