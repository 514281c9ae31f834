"""Which models of a run are promoted, and in words why not the others: a pure decision over the grid.

A model is promoted when its certificate is valid, its out-of-fold scores meet the thresholds and the gates
(`coordinator.policy.gates`), its p-value is a discovery among the cells of its timeframe
(`coordinator.policy.multiplicity`), and the present champion of its cell does not speak against it
(`coordinator.policy.championship`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.protocol.job_views import RefusalReason
from common.protocol.reports import ChampionComparison, Check, GateScores, Scores
from common.settings.sections import PromoteIf
from coordinator.policy.championship import Champion, objection_of
from coordinator.policy.gates import missed_gates
from coordinator.policy.multiplicity import A_NIGHT, discovery_bounds, needed_p_values


@dataclass(frozen=True)
class Challenger:
    """A model of the run; `comparison` is what its trainer found out about the champion.

    `timeframe` is the family that it is judged in, `sha256` that of its .pkl, `succession`
    what speaks against it as the successor of a champion that has lost its edge tonight, if anything does.

    `failed_checks` are those of its certificate that say why it is not `certified`; there are none where the
    certificate is empty or is not that of the model that is kept.
    """

    job_id: int
    scores: Scores
    p_value: float
    certified: bool
    synthetic: bool
    comparison: ChampionComparison | None
    failed_checks: tuple[Check, ...] = ()
    timeframe: str = ""
    sha256: str = ""
    succession: str = ""
    gates: GateScores | None = None


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
        The champion of each challenger's cell by its job id, where one stands that tonight's test has left.
    promote_if : PromoteIf
        Thresholds of the scores.
    false_discovery_rate : float
        Expected share of standing champions that may be luck.

    Returns
    -------
    list of Decision
        One for each challenger, in their order.
    """
    families: dict[str, list[float]] = {}
    for challenger in challengers:
        families.setdefault(challenger.timeframe, []).append(challenger.p_value)
    bounds = discovery_bounds(families, false_discovery_rate)
    needed = {family: iter(each) for family, each in needed_p_values(families, false_discovery_rate).items()}
    decisions = []
    for challenger in challengers:
        family = challenger.timeframe
        objections = (
            *_certificate(challenger),
            *_thresholds(challenger.scores, promote_if),
            *(Objection(*missed) for missed in missed_gates(challenger.scores, challenger.gates)),
            *_discovery(
                challenger, bounds[family], next(needed[family]), false_discovery_rate, len(families[family])
            ),
            *_against_champion(challenger, champions.get(challenger.job_id)),
        )
        decisions.append(Decision(challenger.job_id, objections))
    return decisions


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


def _discovery(
    challenger: Challenger, bound: float | None, needed: float, rate: float, cells: int
) -> list[Objection]:
    if bound is not None and challenger.p_value <= bound:
        return []
    family = f"the {cells} cells of {challenger.timeframe}" if challenger.timeframe else f"{cells} cells"
    share = f"the {A_NIGHT * rate:g} that a night may spend of the false-discovery rate over {family}"
    most = _at_most(needed)
    # As many digits as show that it is more.
    shown = (f"{challenger.p_value:.{digits}g}" for digits in range(4, 18))
    p_value = next((text for text in shown if float(text) > float(most)), repr(challenger.p_value))
    words = f"p-value {p_value} does not pass {share}: {most} or less was needed"
    return [Objection(RefusalReason.SIGNIFICANCE, words)]


def _at_most(value: float) -> str:
    """Return four digits of a positive number that are not above it."""
    one = 10.0 ** (math.floor(math.log10(value)) - 3)
    if not one:
        return f"{value:.4g}"
    # 0.05 is 4999.999... of 0.00001.
    return f"{math.floor(value / one + 1e-6) * one:.4g}"


def _against_champion(challenger: Challenger, champion: Champion | None) -> list[Objection]:
    words = challenger.succession
    if champion is not None:
        words = objection_of(champion, challenger.synthetic, challenger.sha256, challenger.comparison)
    return [Objection(RefusalReason.CHAMPION, words)] if words else []


def _shown(value: float, bound: float) -> str:
    # As few digits as show on which side of the bound the value lies.
    for digits in range(3, 12):
        text = f"{value:.{digits}f}"
        if (float(text) < bound) == (value < bound) and (float(text) > bound) == (value > bound):
            return text
    return repr(value)
