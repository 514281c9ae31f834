"""Whether a champion has earned its place for another night, and whether it speaks against a successor.

Each night tests the champion of each cell that was trained, on rows that none of its models had seen. In this
order, a champion

1. counts as none if its model is damaged;
2. has lost its edge if the rows after its training show, at `LOST_LEVEL`, that not even a quarter of the
   edge is left that it was promoted with;
3. is no longer told from luck if its whole record, what it was promoted on and all that came since, has a
   p-value above `RECORD_LEVEL`: what chance promoted, chance takes down again, which is what holds the number
   of false champions over many nights;
4. expires if it is older than `champion.max_age_days`.

A champion that none of this befalls stands, and so does one that could not be tested, until it expires. It
gives way to any model that passes all other conditions, since newer candles are a reason of their own, unless
that model's log loss on the new rows is above the champion's at `WORSE_LEVEL`. While too few rows have come
to test it, it stays, so that none is exchanged untested, unless the other's log loss is below its own at that
level on all rows that neither had seen. Where no row can be scored by both there is nothing to say against
the new model. Who follows a champion that has lost its edge must have one on the same rows. Only a model that
was trained on synthetic candles never replaces one that was trained on real ones; a real one always may
replace a synthetic one, since what either has learned says nothing about the other.

How often each rule errs was measured: `deploy/promotion.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from common.protocol.reports import ChampionComparison, Obstacle, Scores
from common.protocol.retests import Verdict

LOST_LEVEL = 0.05
RECORD_LEVEL = 0.05
WORSE_LEVEL = 0.05
RECORD_SHARE = 0.8
"""Of the rows on which a champion was promoted its record must have at least so many: where the candles have
become fewer, less evidence is no evidence against it."""


@dataclass(frozen=True)
class Champion:
    """The promoted model of a cell.

    `sha256` is that of its .pkl, `trained_until` the end of its last training label, `since` when it became
    champion. `damage` says what is wrong with its files; it is empty if nothing is.
    """

    sha256: str
    synthetic: bool
    scores: Scores
    trained_until: datetime
    since: datetime
    damage: str = ""


@dataclass(frozen=True)
class Judgement:
    """What becomes of a champion, why in a sentence with its numbers, and how old it is in days."""

    verdict: Verdict
    words: str
    age_days: float


def judge(
    champion: Champion,
    comparison: ChampionComparison | None,
    newest: datetime | None,
    now: datetime,
    max_age_days: float,
    untested: str = "",
) -> Judgement:
    """Judge the champion of a cell at the end of a night.

    Parameters
    ----------
    champion : Champion
        The champion that stood when the night began.
    comparison : ChampionComparison or None
        What the cell's trainer found out about it; None where the cell was not trained.
    newest : datetime or None
        End of the newest label of tonight's candles; None where the cell was not trained.
    now : datetime
        When the night is decided.
    max_age_days : float
        From what age on a champion expires, in days.
    untested : str
        Why it was not tested, where there is no comparison.
    """
    age = _age_days(champion, newest, now)
    if comparison is not None and comparison.champion != champion.sha256:
        comparison, untested = None, "the champion has changed since the cell was trained"
    damage = champion.damage
    if comparison is not None and comparison.obstacle is Obstacle.MALFORMED:
        damage = comparison.detail
    if damage:
        return Judgement(Verdict.DEMOTED, f"it counts as none: {damage}", age)
    lost = "" if comparison is None else _lost(champion, comparison)
    if lost:
        return Judgement(Verdict.DEMOTED, lost, age)
    told = found_out(champion, comparison, untested)
    if age > max_age_days:
        return Judgement(Verdict.EXPIRED, f"it is {age:.0f} days old, {max_age_days:g} at most; {told}", age)
    return Judgement(Verdict.STANDS, told, age)


def objection_of(
    champion: Champion, synthetic: bool, sha256: str, comparison: ChampionComparison | None
) -> str:
    """Return why a champion that stands keeps its place before a model, or nothing.

    Parameters
    ----------
    champion : Champion
        The champion that stands.
    synthetic : bool
        Whether the model was trained on synthetic candles.
    sha256 : str
        That of the model's .pkl.
    comparison : ChampionComparison or None
        What the model's trainer found out about the champion.
    """
    if champion.synthetic and not synthetic:
        return ""
    kind = kind_objection(champion, synthetic)
    if kind:
        return kind
    if sha256 == champion.sha256:
        return ""
    if comparison is None:
        return "it was not compared with the present champion"
    if comparison.champion != champion.sha256:
        return "it was compared with a model that is no longer the champion"
    after, p_value = comparison.retest, comparison.challenger_worse_p_value
    if after is None and comparison.scores and comparison.challenger_scores:
        # Of a night that an earlier version began: it compared, and tested nothing.
        ours, theirs = comparison.challenger_scores.log_loss, comparison.scores.log_loss
        rows = comparison.rows_compared
        if ours > theirs:
            return f"log loss {ours:.5f} is above the champion's {theirs:.5f} on the {rows} rows compared"
    if after is None or (p_value is not None and p_value >= 1 - WORSE_LEVEL):
        return ""
    if after.lost_p_value is None:
        new = f"only {after.rows} rows have come since" if after.rows else "no row has come since"
        return f"the champion keeps its place until it can be tested: {new} its training"
    if p_value is None or p_value > WORSE_LEVEL or after.scores is None or after.challenger_scores is None:
        return ""
    return (
        f"log loss {after.challenger_scores.log_loss:.5f} is above the champion's {after.scores.log_loss:.5f}"
        f" on {after.rows} rows after the champion's training (p-value {p_value:.2g})"
    )


def kind_objection(champion: Champion, synthetic: bool) -> str:
    """Return why a model may not follow a champion, whatever has ended that one, or nothing."""
    if synthetic and not champion.synthetic:
        return "it was trained on synthetic candles, and the champion on real ones"
    return ""


def succession_objection(comparison: ChampionComparison | None) -> str:
    """Return why a model does not take the place of a champion that has lost its edge tonight, or nothing.

    It must do better than its predecessor on the very rows that ended it; the years before are not enough.
    """
    after = None if comparison is None else comparison.retest
    if after is None or after.challenger_scores is None:
        return ""
    if after.lost_p_value is None or after.lost_p_value > LOST_LEVEL:
        return ""
    if after.challenger_scores.auc is not None and after.challenger_scores.auc >= after.floor_auc:
        return ""
    scored = (
        f"AUC {_auc(after.challenger_scores)} on the {after.rows} rows on which the champion lost its edge"
    )
    return f"{scored} is below {after.floor_auc:.3f}"


def found_out(champion: Champion, comparison: ChampionComparison | None, untested: str) -> str:
    """Return in words what was found out about a champion."""
    if comparison is None:
        return f"not tested: {untested}" if untested else "not tested"
    after = comparison.retest
    if after is None or after.scores is None:
        return f"not tested: {comparison.detail}" if after is None else "no rows after its training yet"
    promised = f"promised {_auc(champion.scores)}"
    words = f"AUC {_auc(after.scores)} on {after.rows} rows after its training, {promised}"
    return words if after.lost_p_value is not None else f"{words}; too few to judge by"


def _lost(champion: Champion, comparison: ChampionComparison) -> str:
    after = comparison.retest
    if after is None:
        return ""
    told = found_out(champion, comparison, "")
    if after.lost_p_value is not None and after.lost_p_value <= LOST_LEVEL:
        return f"it has lost its edge: {told} (p-value {after.lost_p_value:.2g} of a quarter of that edge)"
    whole = comparison.rows_compared >= RECORD_SHARE * champion.scores.n
    if whole and after.record_p_value is not None and after.record_p_value > RECORD_LEVEL:
        auc = "unknown" if comparison.scores is None else _auc(comparison.scores)
        record = f"AUC {auc} on all {comparison.rows_compared} rows that it has predicted beforehand"
        return f"it is no longer told from luck: {record}, p-value {after.record_p_value:.2g}; {told}"
    return ""


def _age_days(champion: Champion, newest: datetime | None, now: datetime) -> float:
    # By the candles where there are any, so that a night over old candles does not end every champion; by
    # the clock too, so that one whose symbol has vanished does not stand for ever.
    ages = [now - champion.since]
    if newest is not None:
        ages.append(newest - champion.trained_until)
    return max(0.0, max(ages) / timedelta(days=1))


def _auc(scores: Scores) -> str:
    return "unknown" if scores.auc is None else f"{scores.auc:.3f}"
