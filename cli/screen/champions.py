"""What is told below the table about champions, and about scores that were picked as the best of several."""

from __future__ import annotations

from collections.abc import Iterable

from common.protocol.results import JobResult, Results
from common.protocol.retests import ChampionResult, Verdict

MOST_ENDED = 4
"""How many champions that ended have a line each at most; the others are counted."""

LEVEL = 0.05
"""Up to this p-value, corrected for the tries, a best horizon counts as told from luck."""


def standing(results: Results) -> frozenset[tuple[str, str]]:
    """Return the symbols and timeframes in which a champion of an earlier night stands."""
    return frozenset((one.symbol, one.timeframe) for one in results.champions if _stands(one))


def champions_again(results: Results) -> int:
    """Return how many of the promoted models were champions before the night."""
    kept = {(one.symbol, one.timeframe, one.horizon) for one in results.champions if not one.replaced}
    # Whose cell promoted a model that did not replace it is that model.
    return sum(job.promoted and (job.symbol, job.timeframe, job.horizon) in kept for job in results.jobs)


def best_of(best: Iterable[JobResult]) -> list[str]:
    """Return a line on what the best horizons of the cells are worth, each one a pick of several.

    Parameters
    ----------
    best : iterable of JobResult
        The job that each cell of the table shows.
    """
    picked = [job for job in best if job.best_of is not None and job.best_of > 1]
    if not picked:
        return []
    most = max(job.best_of or 0 for job in picked)
    passed = sum(job.p_value_best_of is not None and job.p_value_best_of <= LEVEL for job in picked)
    return [
        f"a cell shows the best of {most} horizons, promoted ones first; picking alone lifts an AUC by luck: "
        f"with the p-value corrected for that, {passed} of {len(picked)} are at or below {LEVEL:g}"
    ]


def champion_lines(results: Results) -> list[str]:
    """Return a line on the champions that stood, if there were any, and one for each that ended."""
    found = results.champions
    if not found:
        return []
    ended = [one for one in found if one.verdict is not Verdict.STANDS]
    counts = [
        (sum(_stands(one) for one in found), "stay"),
        (sum(one.replaced for one in found), "replaced"),
        (sum(one.verdict is Verdict.DEMOTED and not one.replaced for one in found), "demoted"),
        (sum(one.verdict is Verdict.EXPIRED and not one.replaced for one in found), "expired"),
    ]
    words = f"champions: {len(found)} stood, of which " + ", ".join(f"{n} {word}" for n, word in counts if n)
    lines = [f"{words}{_held_up(found)}"]
    lines += [_ended(one) for one in ended[:MOST_ENDED]]
    if (folded := len(ended) - MOST_ENDED) > 0:
        lines.append(f"{folded} more champion{'s' * (folded > 1)} ended: see the results")
    return lines


def _stands(one: ChampionResult) -> bool:
    return one.verdict is Verdict.STANDS and not one.replaced


def _held_up(found: Iterable[ChampionResult]) -> str:
    pairs = [
        (one.new_scores.auc, one.promised_auc)
        for one in found
        if one.lost_p_value is not None and one.new_scores and one.new_scores.auc and one.promised_auc
    ]
    if not pairs:
        return "; none had enough rows after its training to be judged by"
    scored, promised = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    return f"; on the rows after their training {len(pairs)} scored {scored:.3f}, promised {promised:.3f}"


def _ended(one: ChampionResult) -> str:
    return f"champion of {one.symbol} {one.timeframe} H{one.horizon} {one.verdict}: {one.words}"
