"""Champions on the screen: a table, one cell with its history, and two models side by side."""

from __future__ import annotations

from collections.abc import Iterator

from cli.screen.columns import columns, facts, moment, number, p_value
from common.protocol.champions import ChampionHistory, ChampionPage, ChampionView, ModelDifference

MOST_COEFFICIENTS = 15


def champion_table(page: ChampionPage) -> str:
    """Return the champions as a table."""
    rows = [
        (
            f"{one.cell} (synthetic)" if one.synthetic else one.cell,
            number(one.scores.auc) if one.scores else "",
            p_value(one.p_value),
            f"{one.trained_until:%Y-%m-%d}" if one.trained_until else "",
            moment(one.since),
            str(one.run),
            str(one.job),
            "SYNTHETIC" if one.synthetic else "given",
            f"{one.by}: {one.reason}" if one.by else one.reason,
        )
        for one in page.champions
    ]
    if not rows:
        return "no cell has a champion"
    head = ("cell", "auc", "p", "trained until", "champion since", "night", "job", "candles", "why")
    return columns(head, rows)


def champion_page(history: ChampionHistory) -> str:
    """Return the champion of a cell, and what a rollback would do."""
    return facts(_facts(history))


def history_table(history: ChampionHistory) -> str:
    """Return every change of the champion of a cell as a table, the newest first."""
    rows = [
        (
            moment(one.time),
            one.action,
            one.model[:12],
            one.former[:12],
            one.by or (f"night {one.run}" if one.run is not None else ""),
            one.reason,
        )
        for one in history.changes
    ]
    return columns(("when (UTC)", "what", "model", "former", "by", "why"), rows)


def difference_page(told: ModelDifference) -> str:
    """Return two models side by side: scores, origin, the coefficients that changed most."""
    parts = []
    shown = (
        ("scores", told.scores),
        ("made from", told.lineage),
        ("coefficients", told.coefficients[:MOST_COEFFICIENTS]),
    )
    for title, values in shown:
        if values:
            rows = [(one.name, one.left, one.right) for one in values]
            parts.append(columns((title, f"job {told.left}", f"job {told.right}"), rows))
    left = len(told.coefficients) - MOST_COEFFICIENTS
    if left > 0:
        parts[-1] += f"\n{left} more"
    return "\n\n".join(parts) or "the two models are equal"


def _facts(history: ChampionHistory) -> Iterator[tuple[str, str]]:
    yield "cell", history.cell
    champion = history.champion
    if champion is None:
        yield "champion", "none"
    else:
        yield from _of_champion(champion)
    if history.manifest is not None:
        yield "features", str(len(history.manifest.features))
        yield "trained rows", str(history.manifest.trained_rows)
        yield "C", f"{history.manifest.C:g}"
    before = f"the model of job {history.before}" if history.before is not None else "no champion"
    if history.refusal:
        yield "a rollback is refused", history.refusal
    else:
        yield "a rollback makes it", before
    yield "changes", str(len(history.changes))


def _of_champion(champion: ChampionView) -> Iterator[tuple[str, str]]:
    yield "champion", f"the model of job {champion.job} (night {champion.run})"
    yield "since", moment(champion.since)
    yield "why", f"{champion.by}: {champion.reason}" if champion.by else champion.reason
    yield "candles", "synthetic" if champion.synthetic else "given"
    yield "trained until", moment(champion.trained_until)
    if champion.scores is not None:
        yield "auc", number(champion.scores.auc)
        yield "brier", number(champion.scores.brier)
        yield "accuracy", number(champion.scores.accuracy)
    yield "p-value", p_value(champion.p_value)
    yield "sha256", champion.model
